// The session as the view shows it, folded from the event stream one event at a time.
// The extension keeps one model to survive a hidden view and to find gaps, the view keeps a second one to draw;
// both run this same function, so what crosses between them is the events themselves.
// Invariant: `nextSeq` is the sequence number of the first event that is not in the model yet.

import { asSentence, duration, plural, sentTokens, usageLine } from "../format.ts";
import type { AgentRef, FileDiff, KitEvent, ToolKind } from "../protocol.ts";

export interface UserItem {
  kind: "user";
  id: string;
  text: string;
}

export interface TextItem {
  kind: "text" | "reasoning";
  id: string;
  agent: string;
  text: string;
  done: boolean;
}

export interface ToolItem {
  kind: "tool";
  id: string;
  /** The model's id of the call; another turn may use it again. */
  call: string;
  agent: string;
  toolKind: ToolKind;
  title: string;
  arguments: string;
  status: "pending" | "running" | "done" | "failed";
  output: string;
  diffs: FileDiff[];
}

export interface NoticeItem {
  kind: "notice";
  id: string;
  level: "info" | "warning" | "error";
  text: string;
}

export interface TurnEndItem {
  kind: "turnEnd";
  id: string;
  turn: string;
  text: string;
  failed: boolean;
}

export type Item = UserItem | TextItem | ToolItem | NoticeItem | TurnEndItem;

export interface SessionModel {
  session: string;
  nextSeq: number;
  items: Item[];
  /** The turn that runs now. */
  running: string | undefined;
  queued: number;
  /** Ids of what the current model call of each agent has produced: a stream reset takes them back. */
  step: Record<string, string[]>;
}

/** What changed: items to draw again, and items that are gone. */
export interface Change {
  drawn: string[];
  removed: string[];
}

/** Output beyond this many characters is cut at the front, as a terminal would. */
const outputLimit = 64_000;

export function emptySession(session: string): SessionModel {
  return { session, nextSeq: 1, items: [], running: undefined, queued: 0, step: {} };
}

export function apply(model: SessionModel, event: KitEvent): Change {
  model.nextSeq = event.seq + 1;
  const agent = event.agent?.id ?? "";
  const id = `e${event.seq}`;
  switch (event.type) {
    case "turn_start":
      if (agent === "") model.running = event.turn ?? id;
      model.step[agent] = [];
      return agent === "" ? add(model, { kind: "user", id, text: event.prompt }) : nothing;
    case "message_start": {
      const closed = finish(model, agent);
      model.step[agent] = [];
      return closed;
    }
    case "message_update":
      return append(model, "text", agent, event.agent, id, event.chunk);
    case "reasoning_delta":
      return append(model, "reasoning", agent, event.agent, id, event.delta);
    case "message_end": {
      const streamed = latest(model, agent, "text");
      if (event.content.trim() === "") return finish(model, agent);
      if (!streamed) return joined(append(model, "text", agent, event.agent, id, event.content), finish(model, agent));
      streamed.text = event.content;
      return joined(finish(model, agent), { drawn: [streamed.id], removed: [] });
    }
    case "tool_call":
      (model.step[agent] ??= []).push(id);
      return joined(
        finish(model, agent),
        add(model, {
          kind: "tool", id, call: event.toolCallId, agent: agentName(event.agent), toolKind: event.toolKind, title: event.title || event.toolName,
          arguments: event.toolArgs, status: "pending", output: "", diffs: [],
        }),
      );
    case "tool_execution_start":
      return withTool(model, event.toolCallId, (tool) => (tool.status = "running"));
    case "tool_output":
      return withTool(model, event.toolCallId, (tool) => (tool.output = (tool.output + event.chunk).slice(-outputLimit)));
    case "tool_result":
      return withTool(model, event.toolCallId, (tool) => {
        tool.status = event.isError ? "failed" : "done";
        tool.diffs = event.metadata?.fileDiffs ?? [];
        if (tool.output === "" || event.isError) tool.output = event.result.slice(-outputLimit);
      });
    case "stream_reset":
      return takeBack(model, agent);
    case "queue":
      model.queued = event.length;
      return nothing;
    case "retry":
      return add(model, {
        kind: "notice", id, level: "warning",
        text: `${asSentence(event.reason)} Attempt ${event.attempt} in ${duration(event.afterMs)}.`,
      });
    case "compaction":
      return add(model, {
        kind: "notice", id, level: "info",
        text: `Compacted ${plural(event.messagesRemoved, "message")}: ${event.originalTokens} → ${event.compactedTokens} tokens.`,
      });
    case "notice":
      return add(model, { kind: "notice", id, level: "info", text: asSentence(event.message) });
    case "error":
      return add(model, { kind: "notice", id, level: "error", text: asSentence(event.message) });
    case "model_change":
      // The model that a session starts with is no change.
      return event.previous ? add(model, { kind: "notice", id, level: "info", text: `Model: ${event.model}` }) : nothing;
    case "thinking_change":
      return add(model, {
        kind: "notice", id, level: "info",
        text: event.source === "model_fallback"
          ? `This model has no thinking level ${event.previous}, it uses ${event.level}.`
          : `Thinking level: ${event.level}`,
      });
    case "turn_end": {
      const closed = joined(finish(model, agent), endTools(model, agentName(event.agent)));
      if (agent !== "") return closed;
      model.running = undefined;
      model.step = {};
      return joined(closed, add(model, endLine(event, id, model.items)));
    }
    default:
      // What repeats other events, and what a newer server may send: counted, not shown.
      return nothing;
  }
}

const nothing: Change = { drawn: [], removed: [] };

function add(model: SessionModel, item: Item): Change {
  model.items.push(item);
  return { drawn: [item.id], removed: [] };
}

function joined(...changes: Change[]): Change {
  return { drawn: [...new Set(changes.flatMap((change) => change.drawn))], removed: changes.flatMap((change) => change.removed) };
}

function agentName(agent: AgentRef | undefined): string {
  return agent ? (agent.name ?? agent.id) : "";
}

function append(model: SessionModel, kind: "text" | "reasoning", agent: string, ref: AgentRef | undefined, id: string, text: string): Change {
  const open = latest(model, agent, kind);
  if (open && !open.done) {
    open.text += text;
    return { drawn: [open.id], removed: [] };
  }
  const closed = finish(model, agent);
  (model.step[agent] ??= []).push(id);
  return joined(closed, add(model, { kind, id, agent: agentName(ref), text, done: false }));
}

/** The last text or reasoning of the agent's current step. */
function latest(model: SessionModel, agent: string, kind: "text" | "reasoning"): TextItem | undefined {
  const ids = new Set(model.step[agent]);
  return model.items.findLast((item): item is TextItem => item.kind === kind && ids.has(item.id));
}

function finish(model: SessionModel, agent: string): Change {
  const drawn: string[] = [];
  for (const id of model.step[agent] ?? []) {
    const item = model.items.findLast((candidate) => candidate.id === id);
    if ((item?.kind === "text" || item?.kind === "reasoning") && !item.done) {
      item.done = true;
      drawn.push(id);
    }
  }
  return { drawn, removed: [] };
}

function withTool(model: SessionModel, call: string, update: (tool: ToolItem) => void): Change {
  const tool = model.items.findLast((item): item is ToolItem => item.kind === "tool" && item.call === call);
  if (!tool) return nothing;
  update(tool);
  return { drawn: [tool.id], removed: [] };
}

/** A call that never got a result ended with its turn. */
function endTools(model: SessionModel, agent: string): Change {
  const drawn: string[] = [];
  for (const item of model.items) {
    const open = item.kind === "tool" && (item.status === "pending" || item.status === "running");
    if (open && (agent === "" || item.agent === agent)) {
      item.status = "failed";
      drawn.push(item.id);
    }
  }
  return { drawn, removed: [] };
}

function takeBack(model: SessionModel, agent: string): Change {
  const ids = new Set(model.step[agent]);
  const stale = model.items.filter((item) => ids.has(item.id) && (item.kind !== "tool" || item.status === "pending")).map((item) => item.id);
  model.items = model.items.filter((item) => !stale.includes(item.id));
  model.step[agent] = [];
  return { drawn: [], removed: stale };
}

type TurnEnd = Extract<KitEvent, { type: "turn_end" }>;

function endLine(event: TurnEnd, id: string, items: Item[]): TurnEndItem {
  const start = items.findLastIndex((item) => item.kind === "user");
  const diffs = items.slice(start + 1).flatMap((item) => (item.kind === "tool" ? item.diffs : []));
  const files = new Set(diffs.map((diff) => diff.uri)).size;
  const sum = (field: "additions" | "deletions") => diffs.reduce((total, diff) => total + diff[field], 0);
  const failed = event.stopReason === "error";
  const told = items.slice(start + 1).some((item) => item.kind === "notice" && item.level === "error");
  const parts = [
    `${outcome(event)} ${duration(event.durationMs)}`,
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
