// Subagents in the model: each works inside the tool call that started it, or inside a row of its own where none did.

import type { AgentRef, KitEvent, UsageTotals } from "../protocol.ts";
import { add, drawn, nothing, type AgentRun, type Change, type SessionModel, type ToolItem } from "./items.ts";

/** What is shown of what a subagent does right now, in characters. */
const activityLimit = 80;

const noUsage: UsageTotals = { inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0, costKind: "priced" };

/** The row that a subagent works inside of, if it has one already. */
export function rowOf(model: SessionModel, agent: string): (ToolItem & { run: AgentRun }) | undefined {
  const id = model.agents[agent];
  const row = id === undefined ? undefined : model.items.findLast((item) => item.id === id);
  return row?.kind === "tool" && row.run ? (row as ToolItem & { run: AgentRun }) : undefined;
}

/** A subagent starts, or goes on with another task. */
export function startAgent(model: SessionModel, ref: AgentRef, id: string, task: string): Change {
  const caller = ref.toolCallId === undefined ? undefined : model.items.findLast(
    (item): item is ToolItem => item.kind === "tool" && item.call === ref.toolCallId && item.agent !== ref.id);
  const name = ref.name ?? "agent";
  const run: AgentRun = { id: ref.id, name, state: "running", activity: "", tools: 0, usage: noUsage, durationMs: 0 };
  if (caller && (!caller.run || caller.run.id === ref.id)) {
    caller.run = run;
    model.agents[ref.id] = caller.id;
    return drawn(caller);
  }
  model.agents[ref.id] = id;
  return add(model, {
    kind: "tool", id, call: "", agent: "", toolKind: "agent", title: `${name}: ${task.split("\n", 1)[0] ?? ""}`, arguments: "", status: "running",
    output: "", diffs: [], run, ...(caller ? { within: caller.id } : {}),
  });
}

/** Keeps the one line about a subagent current. */
export function followAgent(model: SessionModel, event: KitEvent): Change {
  const row = event.agent && rowOf(model, event.agent.id);
  if (!row) return nothing;
  const { run } = row;
  switch (event.type) {
    case "tool_call":
      run.tools++;
      run.activity = event.title || event.toolName;
      return drawn(row);
    case "message_end":
      run.activity = (event.content.trim().split("\n", 1)[0] ?? "").slice(0, activityLimit) || run.activity;
      return drawn(row);
    case "step_usage":
      run.usage = sum(run.usage, event);
      return drawn(row);
    case "turn_end":
      run.state = event.stopReason === "error" ? "failed" : event.stopReason === "end_turn" || event.stopReason === "tool_use" ? "done" : "stopped";
      run.tools = event.toolCallCount;
      run.usage = event.usage;
      run.durationMs = event.durationMs;
      run.activity = "";
      if (row.call === "") row.status = run.state === "done" ? "done" : "failed";
      return drawn(row);
    default:
      return nothing;
  }
}

/** Where the next item of an agent goes. */
export function placeOf(model: SessionModel, agent: string): { within?: string } {
  const row = agent === "" ? undefined : rowOf(model, agent);
  return row ? { within: row.id } : {};
}

/** A subagent whose start was missed still gets a row; one of whom only the spending is told worked in the past. */
export function knownAgent(model: SessionModel, ref: AgentRef, event: KitEvent): Change {
  if (rowOf(model, ref.id) || event.type === "turn_start") return nothing;
  const started = startAgent(model, ref, `e${event.seq}a`, "works");
  const row = rowOf(model, ref.id);
  if (row && (event.type === "step_usage" || event.type === "turn_end")) row.run.state = "done";
  return started;
}

function sum(totals: UsageTotals, call: UsageTotals): UsageTotals {
  const costMicros = (totals.costMicros ?? 0) + (call.costMicros ?? 0);
  return {
    inputTokens: totals.inputTokens + call.inputTokens,
    outputTokens: totals.outputTokens + call.outputTokens,
    cacheReadTokens: totals.cacheReadTokens + call.cacheReadTokens,
    cacheWriteTokens: totals.cacheWriteTokens + call.cacheWriteTokens,
    costKind: totals.costKind === "unknown" || call.costKind === "unknown" ? "unknown" : call.costKind,
    ...(costMicros > 0 ? { costMicros } : {}),
  };
}
