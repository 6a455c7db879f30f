// The session as the view shows it, folded from the event stream one event at a time.
// The extension keeps one model to survive a hidden view and to find gaps, the view keeps a second one to draw;
// both run this same function, so what crosses between them is the events themselves.
// Invariant: `nextSeq` is the sequence number of the first event that is not in the model yet.

import { asSentence, count, duration, plural, sentTokens, usageLine } from "../format.ts";
import type { KitEvent } from "../protocol.ts";
import { followAgent, knownAgent, placeOf, startAgent } from "./agents.ts";
import { add, drawn, joined, nothing, type Change, type Item, type SessionModel, type TextItem, type ToolItem, type TurnEndItem } from "./items.ts";

/** Output beyond this many characters is cut at the front, as a terminal would. */
const outputLimit = 64_000;

export function emptySession(session: string): SessionModel {
  return { session, nextSeq: 1, items: [], running: undefined, queued: 0, plan: [], step: {}, agents: {} };
}

export function apply(model: SessionModel, event: KitEvent): Change {
  model.nextSeq = event.seq + 1;
  if (!event.agent) return applyTo(model, event, "");
  const known = knownAgent(model, event.agent, event);
  const change = applyTo(model, event, event.agent.id);
  return joined(known, change, followAgent(model, event));
}

function applyTo(model: SessionModel, event: KitEvent, agent: string): Change {
  const id = `e${event.seq}`;
  const notice = (level: "info" | "warning" | "error", text: string, details?: string) =>
    add(model, { kind: "notice", id, level, text, ...(details ? { details } : {}), ...placeOf(model, agent) });
  switch (event.type) {
    case "turn_start": {
      if (isAside(model, event)) return add(model, { kind: "user", id, text: event.prompt, turn: "" });
      model.step[agent] = [];
      const started = event.agent ? startAgent(model, event.agent, `${id}a`, event.prompt) : nothing;
      if (!event.agent) model.running = event.turn ?? id;
      return joined(started, add(model, { kind: "user", id, text: event.prompt, turn: event.turn ?? "", ...placeOf(model, agent) }));
    }
    case "steer_consumed":
      return joined(finish(model, agent), add(model, { kind: "user", id, text: event.prompt, turn: "", ...placeOf(model, agent) }));
    case "message_start": {
      const closed = finish(model, agent);
      model.step[agent] = [];
      return closed;
    }
    case "message_update":
      return append(model, "text", agent, id, event.chunk);
    case "reasoning_delta":
      return append(model, "reasoning", agent, id, event.delta);
    case "message_end": {
      const streamed = latest(model, agent, "text");
      if (event.content.trim() === "") return finish(model, agent);
      if (!streamed) return joined(append(model, "text", agent, id, event.content), finish(model, agent));
      streamed.text = event.content;
      return joined(finish(model, agent), drawn(streamed));
    }
    case "tool_call":
      (model.step[agent] ??= []).push(id);
      return joined(
        finish(model, agent),
        add(model, {
          kind: "tool", id, call: event.toolCallId, agent, toolKind: event.toolKind, title: event.title || event.toolName,
          arguments: event.toolArgs, status: "pending", output: "", diffs: [], ...placeOf(model, agent),
        }),
      );
    case "tool_execution_start":
      return withTool(model, agent, event.toolCallId, (tool) => (tool.status = "running"));
    case "tool_output":
      return withTool(model, agent, event.toolCallId, (tool) => (tool.output = (tool.output + event.chunk).slice(-outputLimit)));
    case "tool_result":
      return withTool(model, agent, event.toolCallId, (tool) => {
        tool.status = event.isError ? "failed" : "done";
        tool.diffs = event.metadata?.fileDiffs ?? [];
        if (event.metadata?.subagentSession) tool.session = event.metadata.subagentSession;
        if (tool.output === "" || event.isError) tool.output = event.result.slice(-outputLimit);
      });
    case "tool_display":
      // The header comes with the call, the body with its result.
      return withTool(model, agent, event.toolCallId, (tool) => (tool.display = { ...tool.display, ...event }));
    case "stream_reset":
      return takeBack(model, agent);
    case "queue":
      if (!event.agent) model.queued = event.length;
      return nothing;
    case "plan":
      // A subagent's plan is its own.
      if (!event.agent) model.plan = event.entries;
      return nothing;
    case "retry":
      return notice("warning", `${asSentence(event.reason)} Attempt ${event.attempt} in ${duration(event.afterMs)}.`);
    case "compaction":
      return notice(
        "info",
        `Compacted ${plural(event.messagesRemoved, "message")}: ${count(event.originalTokens)} → ${count(event.compactedTokens)} tokens.`,
        event.summary);
    case "notice":
      return notice("info", asSentence(event.message));
    case "error":
      return notice("error", asSentence(event.message));
    case "model_change":
      // The model that a session starts with is no change.
      return event.previous ? notice("info", `Model: ${event.model}`) : nothing;
    case "thinking_change":
      return notice("info", event.source === "model_fallback"
        ? `This model has no thinking level ${event.previous}, it uses ${event.level}.`
        : `Thinking level: ${event.level}`);
    case "turn_end": {
      if (isAside(model, event)) return add(model, { ...endLine(event, id, []), turn: "" });
      const closed = joined(finish(model, agent), endTools(model, agent));
      delete model.step[agent];
      if (event.agent) return closed;
      model.running = undefined;
      return joined(closed, add(model, endLine(event, id, model.items)));
    }
    default:
      // What repeats other events, and what a newer server may send: counted, not shown.
      return nothing;
  }
}

function append(model: SessionModel, kind: "text" | "reasoning", agent: string, id: string, text: string): Change {
  const open = latest(model, agent, kind);
  if (open && !open.done) {
    open.text += text;
    return drawn(open);
  }
  const closed = finish(model, agent);
  (model.step[agent] ??= []).push(id);
  return joined(closed, add(model, { kind, id, agent, text, done: false, ...placeOf(model, agent) }));
}

/** The last text or reasoning of the agent's current step. */
function latest(model: SessionModel, agent: string, kind: "text" | "reasoning"): TextItem | undefined {
  const ids = new Set(model.step[agent]);
  return model.items.findLast((item): item is TextItem => item.kind === kind && ids.has(item.id));
}

function finish(model: SessionModel, agent: string): Change {
  const finished: string[] = [];
  for (const id of model.step[agent] ?? []) {
    const item = model.items.findLast((candidate) => candidate.id === id);
    if ((item?.kind === "text" || item?.kind === "reasoning") && !item.done) {
      item.done = true;
      finished.push(id);
    }
  }
  return { drawn: finished, removed: [] };
}

function withTool(model: SessionModel, agent: string, call: string, update: (tool: ToolItem) => void): Change {
  const tool = model.items.findLast((item): item is ToolItem => item.kind === "tool" && item.agent === agent && item.call === call);
  if (!tool) return nothing;
  update(tool);
  return drawn(tool);
}

/** A call that never got a result ended with the turn of its agent. */
function endTools(model: SessionModel, agent: string): Change {
  const ended: string[] = [];
  for (const item of model.items) {
    if (item.kind !== "tool" || item.agent !== agent || item.call === "") continue;
    if (item.status === "pending" || item.status === "running") {
      item.status = "failed";
      ended.push(item.id);
    }
  }
  return { drawn: ended, removed: [] };
}

function takeBack(model: SessionModel, agent: string): Change {
  const ids = new Set(model.step[agent]);
  const stale = model.items.filter((item) => ids.has(item.id) && (item.kind !== "tool" || item.status === "pending")).map((item) => item.id);
  model.items = model.items.filter((item) => !stale.includes(item.id));
  model.step[agent] = [];
  return { drawn: [], removed: stale };
}

/** Of a turn that never ran, such as a prompt that was taken back, while another one runs. */
function isAside(model: SessionModel, event: KitEvent): boolean {
  return !event.agent && model.running !== undefined && event.turn !== undefined && event.turn !== model.running;
}

type TurnEnd = Extract<KitEvent, { type: "turn_end" }>;

function endLine(event: TurnEnd, id: string, items: Item[]): TurnEndItem {
  const start = items.findLastIndex((item) => item.kind === "user" && item.turn !== "" && item.within === undefined);
  const diffs = items.slice(start + 1).flatMap((item) => (item.kind === "tool" ? item.diffs : []));
  const files = new Set(diffs.map((diff) => diff.uri)).size;
  const sum = (field: "additions" | "deletions") => diffs.reduce((total, diff) => total + diff[field], 0);
  const failed = event.stopReason === "error";
  const told = items.slice(start + 1).some((item) => item.kind === "notice" && item.level === "error" && item.within === undefined);
  const unstarted = event.stopReason === "cancelled" && event.llmCallCount === 0 && event.durationMs === 0;
  const parts = [
    unstarted ? "Taken back" : `${outcome(event)} ${duration(event.durationMs)}`,
    ...(event.toolCallCount > 0 ? [plural(event.toolCallCount, "tool")] : []),
    ...(files > 0 ? [`${plural(files, "file")} (+${sum("additions")} −${sum("deletions")})`] : []),
    ...(sentTokens(event.usage) > 0 ? [usageLine(event.usage)] : []),
    ...(event.error && !told ? [event.error] : []),
  ];
  return { kind: "turnEnd", id, turn: event.turn ?? "", text: parts.join(" · "), failed };
}

function outcome(event: TurnEnd): string {
  switch (event.stopReason) {
    case "end_turn":
    case "tool_use":
      return "Done in";
    case "cancelled":
      return "Stopped after";
    case "max_tokens":
      return "The answer hit the model's limit after";
    case "refusal":
      return "The model refused after";
    case "budget":
      return "Paused by the budget after";
    case "max_steps":
      return "Paused at the step limit after";
    case "error":
      return "Failed after";
  }
}
