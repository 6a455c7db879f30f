// What a session shows, as data: one item for each row of the view. An item inside another names it in `within`.

import type { FileDiff, PlanEntry, ToolDisplay, ToolKind, UsageTotals } from "../protocol.ts";

interface Row {
  id: string;
  /** The item that this one is shown inside of. */
  within?: string;
}

export interface UserItem extends Row {
  kind: "user";
  text: string;
  /** The turn that it began; empty for what was said while a turn ran. */
  turn: string;
}

export interface TextItem extends Row {
  kind: "text" | "reasoning";
  /** The subagent that says it; empty for the session's own agent. */
  agent: string;
  text: string;
  done: boolean;
}

export interface ToolItem extends Row {
  kind: "tool";
  /** The model's id of the call; another turn or agent may use it again. */
  call: string;
  /** The subagent that calls it; empty for the session's own agent. */
  agent: string;
  toolKind: ToolKind;
  title: string;
  arguments: string;
  status: "pending" | "running" | "done" | "failed";
  output: string;
  diffs: FileDiff[];
  /** How an extension shows it. */
  display?: ToolDisplay;
  /** The subagent that works inside it. */
  run?: AgentRun;
  /** A subagent's session whose events are not at hand. */
  session?: string;
}

/** A subagent at work, or done. */
export interface AgentRun {
  /** Its id, which is also the id of its session. */
  id: string;
  name: string;
  state: "running" | "done" | "failed" | "stopped";
  /** What it does right now. */
  activity: string;
  tools: number;
  usage: UsageTotals;
  durationMs: number;
}

export interface NoticeItem extends Row {
  kind: "notice";
  level: "info" | "warning" | "error";
  text: string;
  /** More to unfold, as Markdown. */
  details?: string;
}

/** A line or block of an extension, or what a command said. */
export interface PrintItem extends Row {
  kind: "print";
  source: string;
  text: string;
  markdown: boolean;
  framed: boolean;
  style: Record<string, string>;
}

export interface TurnEndItem extends Row {
  kind: "turnEnd";
  turn: string;
  text: string;
  failed: boolean;
}

export type Item = UserItem | TextItem | ToolItem | NoticeItem | PrintItem | TurnEndItem;

export interface SessionModel {
  session: string;
  nextSeq: number;
  items: Item[];
  /** The turn that runs now. */
  running: string | undefined;
  queued: number;
  /** The plan of the session's own agent. */
  plan: readonly PlanEntry[];
  /** Ids of what the current model call of each agent has produced: a stream reset takes them back. */
  step: Record<string, string[]>;
  /** The item that each subagent works inside of. */
  agents: Record<string, string>;
}

/** What changed: items to draw again, and items that are gone. */
export interface Change {
  drawn: string[];
  removed: string[];
}

export const nothing: Change = { drawn: [], removed: [] };

export function drawn(item: Item): Change {
  return { drawn: [item.id], removed: [] };
}

export function add(model: SessionModel, item: Item): Change {
  model.items.push(item);
  return drawn(item);
}

export function joined(...changes: Change[]): Change {
  return { drawn: [...new Set(changes.flatMap((change) => change.drawn))], removed: changes.flatMap((change) => change.removed) };
}
