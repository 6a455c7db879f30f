import assert from "node:assert/strict";
import { test } from "node:test";
import type { KitEvent } from "../src/protocol.ts";
import { apply, emptySession, type Change, type SessionModel } from "../src/session/model.ts";

type Without<Whole, Key extends PropertyKey> = Whole extends unknown ? Omit<Whole, Key> : never;
/** An event without what every event has. */
type Step = Without<KitEvent, "session" | "turn" | "seq" | "at">;

const usage = { inputTokens: 1200, outputTokens: 310, cacheReadTokens: 8000, cacheWriteTokens: 0, costMicros: 61_000, costKind: "priced" } as const;
const edit = { toolCallId: "c1", toolName: "edit", toolKind: "edit" } as const;
const call: Step = { type: "tool_call", ...edit, toolArgs: "{}", title: "edit a.rs" };
const end: Step = { type: "turn_end", response: "", stopReason: "end_turn", toolCallCount: 0, toolNames: [], llmCallCount: 1, usage, durationMs: 1400 };
const diff = { uri: "file:///a.rs", path: "a.rs", additions: 3, deletions: 1, diffBlocks: [] };

function play(...steps: Step[]): { model: SessionModel; changes: Change[] } {
  const model = emptySession("s");
  const changes = steps.map((step, index) => apply(model, { session: "s", turn: "t", seq: index + 1, at: 0, ...step } as KitEvent));
  return { model, changes };
}

const kinds = (model: SessionModel) => model.items.map((item) => (item.kind === "text" || item.kind === "reasoning" ? `${item.kind}:${item.text}${item.done ? "" : "…"}` : item.kind));

test("chunks grow one text, and the whole answer replaces them", () => {
  const { model, changes } = play(
    { type: "turn_start", prompt: "hi" }, { type: "message_start" }, { type: "message_update", chunk: "Hel" }, { type: "message_update", chunk: "lo" }, { type: "message_end", content: "Hello" });
  assert.deepEqual(model.items, [
    { kind: "user", id: "e1", text: "hi" },
    { kind: "text", id: "e3", agent: "", text: "Hello", done: true },
  ]);
  assert.deepEqual(changes.map((change) => change.drawn), [["e1"], [], ["e3"], ["e3"], ["e3"]]);
  assert.deepEqual([model.nextSeq, model.running], [6, "t"]);
});

test("an answer that came without chunks is shown", () => {
  assert.deepEqual(kinds(play({ type: "message_start" }, { type: "message_end", content: "Hello" }).model), ["text:Hello"]);
});

test("reasoning is done when the answer starts", () => {
  const { model } = play({ type: "message_start" }, { type: "reasoning_delta", delta: "why " }, { type: "reasoning_delta", delta: "not" }, { type: "message_update", chunk: "So" });
  assert.deepEqual(kinds(model), ["reasoning:why not", "text:So…"]);
});

test("a tool row passes through its states and gets output and diffs", () => {
  const states: unknown[] = [];
  const steps: Step[] = [
    call, { type: "tool_execution_start", ...edit }, { type: "tool_output", toolCallId: "c1", toolName: "edit", chunk: "ok\n", isStderr: false },
    { type: "tool_execution_end", ...edit }, { type: "tool_result", ...edit, toolArgs: "{}", result: "edited", isError: false, metadata: { fileDiffs: [diff] } },
  ];
  for (let count = 1; count <= steps.length; count++) {
    const tool = play({ type: "message_start" }, ...steps.slice(0, count)).model.items[0];
    if (tool?.kind === "tool") states.push([tool.status, tool.output, tool.diffs.length]);
  }
  assert.deepEqual(states, [["pending", "", 0], ["running", "", 0], ["running", "ok\n", 0], ["running", "ok\n", 0], ["done", "ok\n", 1]]);
});

test("a call id that another turn used before is another row", () => {
  const { model } = play({ type: "turn_start", prompt: "hi" }, call, end, { type: "turn_start", prompt: "again" }, call, { type: "tool_execution_start", ...edit });
  assert.deepEqual(model.items.flatMap((item) => (item.kind === "tool" ? [[item.id, item.status]] : [])), [["e2", "failed"], ["e5", "running"]]);
});

test("a failed call shows its result", () => {
  const { model } = play(call, { type: "tool_result", ...edit, toolArgs: "{}", result: "no such text", isError: true });
  assert.deepEqual(model.items, [
    { kind: "tool", id: "e1", call: "c1", agent: "", toolKind: "edit", title: "edit a.rs", arguments: "{}", status: "failed", output: "no such text", diffs: [] },
  ]);
});

test("a stream reset takes back what the step has shown, and nothing before it", () => {
  const { model, changes } = play(
    { type: "turn_start", prompt: "hi" }, { type: "message_start" }, { type: "message_update", chunk: "one" }, { type: "message_end", content: "one" },
    { type: "message_start" }, { type: "message_update", chunk: "tw" }, call, { type: "stream_reset" }, { type: "message_start" }, { type: "message_update", chunk: "two" });
  assert.deepEqual(kinds(model), ["user", "text:one", "text:two…"]);
  assert.deepEqual(changes[7], { drawn: [], removed: ["e6", "e7"] });
});

test("a subagent's text does not mix with its parent's", () => {
  const agent = { id: "a2", name: "tests", path: ["main", "tests"] };
  const { model } = play(
    { type: "message_start" }, { type: "message_update", chunk: "par" }, { type: "message_start", agent }, { type: "message_update", chunk: "child", agent },
    { type: "message_update", chunk: "ent" }, { ...end, agent });
  assert.deepEqual(kinds(model), ["text:parent…", "text:child"]);
  assert.equal(model.items[1]?.kind === "text" && model.items[1].agent, "tests");
});

test("the end of a turn sums it up and closes what is open", () => {
  const { model } = play(
    { type: "turn_start", prompt: "hi" }, { type: "message_start" }, call, { type: "tool_result", ...edit, toolArgs: "{}", result: "", isError: false, metadata: { fileDiffs: [diff] } },
    { type: "tool_call", ...edit, toolCallId: "c2", toolArgs: "{}", title: "bash" }, { ...end, stopReason: "cancelled", toolCallCount: 2 });
  assert.deepEqual(model.items.at(-1), { kind: "turnEnd", id: "e6", turn: "t", text: "Stopped after 1.4 s · 2 tools · 1 file (+3 −1) · 9.2k in (87% cached) / 310 out · $0.06", failed: false });
  assert.deepEqual(model.items.flatMap((item) => (item.kind === "tool" ? [item.status] : [])), ["done", "failed"]);
  assert.equal(model.running, undefined);
});

test("an error is told once", () => {
  const told = play({ type: "turn_start", prompt: "hi" }, { type: "error", kind: "auth", message: "No key." }, { ...end, stopReason: "error", error: "No key." }).model.items;
  assert.deepEqual(told.map((item) => item.kind), ["user", "notice", "turnEnd"]);
  const untold = play({ type: "turn_start", prompt: "hi" }, { ...end, stopReason: "error", error: "No key." }).model.items.at(-1);
  assert.match(untold?.kind === "turnEnd" ? untold.text : "", / · No key\.$/);
});

test("an event of a newer server is counted and not shown", () => {
  const { model } = play({ type: "hologram" } as unknown as Step, { type: "queue", length: 2 });
  assert.deepEqual([model.items, model.nextSeq, model.queued], [[], 3, 2]);
});
