// The shapes of the Kit protocol that this client uses: commands, notifications and requests, version 1.
// Only data; line ranges are [start, end) and zero-based, money is in micro-USD.

import type { Diagnostic, Range } from "vscode-languageserver-types";

export const protocolVersion = 1;

export type Lines = [start: number, end: number];
export type ToolKind = "read" | "edit" | "search" | "execute" | "agent" | "other";
export type Mode = "plan" | "ask" | "edit" | "auto";
export type StopReason =
  | "end_turn" | "max_tokens" | "tool_use" | "refusal" | "cancelled" | "budget" | "max_steps" | "error";

export interface Tokens {
  inputTokens: number;
  outputTokens: number;
  cacheReadTokens: number;
  cacheWriteTokens: number;
  costMicros?: number;
  costKind: "priced" | "subscription" | "unknown";
}

export interface CallUsage extends Tokens {
  call: string | number;
  step: number;
  provider: string;
  model: string;
}

export interface AgentRef {
  id: string;
  name?: string;
  path?: string[] | string;
}

export interface DiffBlock {
  oldText: string;
  newText: string;
  oldRange: Lines;
  newRange: Lines;
}

export interface FileDiff {
  uri: string;
  path: string;
  additions: number;
  deletions: number;
  isNew?: boolean;
  diffBlocks: DiffBlock[];
}

export interface Queue {
  length: number;
}

interface EventHead {
  session: string;
  turn?: string;
  seq: number;
  at: string | number;
  agent?: AgentRef;
}

interface ToolHead {
  toolCallId: string;
  toolName: string;
  toolKind: ToolKind;
}

export type EventBody =
  | { type: "turn_start"; prompt: string }
  | { type: "message_start" }
  | { type: "message_update"; chunk: string }
  | { type: "message_end"; content: string }
  | { type: "reasoning_delta"; delta: string }
  | ({ type: "tool_call"; toolArgs: string; parsedArgs?: unknown; title: string } & ToolHead)
  | ({ type: "tool_execution_start" | "tool_execution_end" } & ToolHead)
  | { type: "tool_output"; toolCallId: string; toolName: string; chunk: string; isStderr: boolean }
  | ({
      type: "tool_result";
      result: string;
      isError: boolean;
      metadata?: { fileDiffs?: FileDiff[]; subagentSession?: string };
    } & ToolHead)
  | { type: "tool_call_content"; content: string }
  | ({ type: "step_usage" } & CallUsage)
  | { type: "response"; content: string }
  | { type: "compaction"; summary: string; originalTokens: number; compactedTokens: number; messagesRemoved: number }
  | { type: "retry"; attempt: number; afterMs: number; reason: string }
  | { type: "stream_reset" }
  | ({ type: "queue" } & Queue)
  | { type: "error"; kind: string; message: string }
  | { type: "model_change"; model: string; previous?: string; source?: string }
  | {
      type: "turn_end";
      stopReason: StopReason;
      error?: string | { kind?: string; message: string };
      toolCallCount: number;
      llmCallCount: number;
      usage: Tokens;
      durationMs: number;
    };

/** One entry of the ordered stream of a session; `seq` has no gaps. */
export type KitEvent = EventHead & EventBody;

export interface Status {
  state: "idle" | "running" | "waiting" | "error" | "signedOut";
  label: string;
  session?: string;
  turn?: string;
  model?: string;
  mode: Mode;
  usage: {
    contextUsed?: number;
    contextWindow?: number;
    turn?: Tokens;
    session?: Tokens;
    today?: Tokens;
    budget?: { limitMicros: number; usedMicros: number; scope: string };
  };
  review: { files: number; hunks: number };
  pending: { permissions: number; questions: number };
  agents: { id: string; name?: string; state: string; label?: string }[];
}

export interface Hunk {
  id: string;
  kind: "add" | "delete" | "change";
  baseLines: Lines;
  lines: Lines;
  oldText: string;
  newText: string;
  mixed: boolean;
  turn?: string;
  agent?: string;
  toolCallId?: string;
  title?: string;
}

export interface ReviewFile {
  uri: string;
  status: "modified" | "created" | "deleted" | "renamed";
  version?: number;
  additions: number;
  deletions: number;
  hunks: Hunk[];
}

export interface Review {
  revision: number;
  summary: { files: number; hunks: number; additions: number; deletions: number };
  files: ReviewFile[];
}

export interface Ui {
  op: "set" | "remove";
  slot: "widget" | "header" | "footer" | "status" | "print" | "block";
  id: string;
  extension: string;
  text?: string;
  markdown?: string;
  priority?: number;
  style?: string;
}

export interface PermissionOption {
  id: string;
  label: string;
  kind: "allowOnce" | "allowAlways" | "rejectOnce" | "rejectAlways";
  scope?: string;
  rule?: string;
}

export interface PermissionRequest {
  id: string;
  session: string;
  agent?: string | AgentRef;
  title: string;
  toolKind: ToolKind;
  subject: { command?: string; cwd?: string; uri?: string; diffBlocks?: DiffBlock[]; tool?: string; args?: unknown };
  options: PermissionOption[];
  why?: string;
}

export interface PermissionAnswer {
  option: string;
  feedback?: string;
}

export interface AskRequest {
  id: string;
  kind: "select" | "multiSelect" | "confirm" | "input" | "overlay";
  message: string;
  options?: (string | { label: string; description?: string })[];
  default?: string | boolean;
  placeholder?: string;
  masked?: boolean;
}

export interface AskAnswer {
  value?: string | boolean;
  values?: string[];
  index?: number;
  cancelled: boolean;
}

export interface Uris {
  uris: string[];
}

export interface DiagnosticsAnswer {
  items: { uri: string; diagnostics: Diagnostic[] }[];
}

export interface ContextItem {
  uri: string;
  range?: Range;
  version?: number;
}

export interface Prompt {
  text: string;
  session?: string;
  context?: ContextItem[];
  delivery?: "queue" | "steer";
}

export interface Started {
  session: string;
  turn: string;
  queued?: boolean;
}

export interface SessionInfo {
  id: string;
  name?: string;
  path: string;
  cwd: string;
  created: string;
  modified: string;
  messageCount: number;
  firstMessage?: string;
  parentSession?: string;
  subagentTask?: string;
  running: boolean;
}

export interface ModelInfo {
  id: string;
  provider: string;
  name: string;
  contextWindow?: number;
  maxOutput?: number;
  reasoning?: boolean;
  price?: unknown;
}

export interface ReviewAct {
  hunks?: string[];
  uri?: string;
  lines?: Lines;
  turn?: string;
  session?: string;
  all?: boolean;
  version?: number;
  reason?: string;
}

export interface ReviewOutcome {
  applied: string[];
  conflicts?: { id: string; why: string }[];
}

type SessionRef = { session?: string };

/** The commands of `workspace/executeCommand` that this client sends, with argument and answer. */
export interface Commands {
  "kit.session.prompt": { argument: Prompt; answer: Started };
  "kit.session.cancel": { argument: SessionRef; answer: { cancelled: string[] } };
  "kit.session.new": { argument: { name?: string; focus?: boolean }; answer: { session: string } };
  "kit.session.open": { argument: { session: string; focus?: boolean }; answer: { session: string } };
  "kit.session.fork": { argument: SessionRef; answer: { session: string } };
  "kit.session.rename": { argument: { session: string; name: string }; answer: { session: string } };
  "kit.session.delete": { argument: { session: string }; answer: { session: string } };
  "kit.session.retry": { argument: SessionRef; answer: unknown };
  "kit.session.list": { argument: { scope?: "root" | "all" }; answer: { sessions: SessionInfo[] } };
  "kit.session.transcript": { argument: { session: string; from?: number }; answer: { events: KitEvent[]; nextSeq: number } };
  "kit.review.list": { argument: { session?: string; uri?: string }; answer: Review };
  "kit.review.keep": { argument: ReviewAct; answer: ReviewOutcome };
  "kit.review.undo": { argument: ReviewAct; answer: ReviewOutcome };
  "kit.review.revert": { argument: Record<string, never>; answer: { applied: string[] } };
  "kit.model.list": { argument: { provider?: string }; answer: { models: ModelInfo[] } };
  "kit.model.set": { argument: { model: string; session?: string }; answer: { model: string } };
  "kit.thinking.set": { argument: { level: string; session?: string }; answer: { level: string } };
  "kit.mode.set": { argument: { mode: Mode; session?: string }; answer: { mode: Mode } };
  "kit.usage.get": {
    argument: SessionRef;
    answer: { turn?: Tokens; session?: Tokens; today: Tokens; calls: CallUsage[] };
  };
  "kit.trust.set": { argument: { root: string; trusted: boolean }; answer: { root: string; trusted: boolean } };
  "kit.doctor": {
    argument: Record<string, never>;
    answer: { checks: { name: string; ok: boolean; detail: string; fix?: string }[] };
  };
}

/** What the server says about itself in its answer to `initialize`. */
export interface ServerExtension {
  version: number;
  serverVersion: string;
  commands?: { id: string; title: string; description?: string }[];
}
