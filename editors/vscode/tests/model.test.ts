import assert from "node:assert/strict";
import { test } from "node:test";
import { planLine } from "../src/planText.ts";
import type { KitEvent } from "../src/protocol.ts";
import { runLine } from "../src/runText.ts";
import type { Change, Item, SessionModel } from "../src/session/items.ts";
import { apply, emptySession } from "../src/session/model.ts";

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
    { kind: "user", id: "e1", text: "hi", turn: "t" },
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

test("what an extension makes of a call comes in two parts, and the second keeps the first", () => {
  const display = { type: "tool_display", toolCallId: "c1", toolName: "edit" } as const;
  const { model } = play(call, { ...display, header: "shapes a.rs", borderColor: "#0f0" }, { ...display, body: "**done**", markdown: true });
  const [item] = model.items;
  const shown = item?.kind === "tool" ? item.display : undefined;
  assert.deepEqual([shown?.header, shown?.body, shown?.borderColor], ["shapes a.rs", "**done**", "#0f0"]);
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

const agent = { id: "a2", name: "tests", path: ["main", "tests"], toolCallId: "c1" };
const spawn: Step = { type: "tool_call", toolCallId: "c1", toolName: "subagent", toolKind: "agent", toolArgs: "{}", title: "tests: run them" };
const spawnIds = { toolCallId: "c1", toolName: "subagent", toolKind: "agent" } as const;
const inside = (model: SessionModel, id: string) => model.items.filter((item) => item.within === id).map((item) => item.kind);
const tool = (item: Item | undefined) => (item?.kind === "tool" ? item : assert.fail("no tool row"));

test("a subagent works inside the call that started it, whatever its parent says meanwhile", () => {
  const { model } = play(
    { type: "turn_start", prompt: "hi" }, { type: "message_start" }, { type: "message_update", chunk: "par" }, spawn, { type: "turn_start", prompt: "run them all", agent },
    { type: "message_start", agent }, { type: "message_update", chunk: "child", agent }, { ...call, agent }, { type: "notice", message: "still here" },
    { type: "tool_result", ...edit, toolArgs: "{}", result: "edited", isError: false, metadata: { fileDiffs: [diff] }, agent });
  assert.deepEqual(model.items.filter((item) => item.within === undefined).map((item) => item.kind), ["user", "text", "tool", "notice"]);
  assert.deepEqual(inside(model, "e4"), ["user", "text", "tool"]);
  const row = tool(model.items.find((item) => item.id === "e4"));
  assert.deepEqual([row.status, row.run?.state, row.run?.tools, row.run?.activity], ["pending", "running", 1, "edit a.rs"]);
  assert.equal(tool(model.items.find((item) => item.id === "e8")).status, "done", "the child's call with the parent's id is the child's own");
});

test("the row of a subagent sums up what it used, and its end closes nothing of its parent", () => {
  const spent = { type: "step_usage", call: 1, step: 0, provider: "p", model: "m", ...usage, agent } as const;
  const running = play({ type: "turn_start", prompt: "hi" }, spawn, { type: "turn_start", prompt: "x", agent }, spent, spent).model;
  const row = tool(running.items[1]);
  assert.equal(row.run && runLine(row.run), "running · 19k tokens · $0.12");
  const done = play({ type: "turn_start", prompt: "hi" }, spawn, { type: "turn_start", prompt: "x", agent }, { ...end, toolCallCount: 2, agent }).model;
  const ended = tool(done.items[1]);
  assert.equal(ended.run && runLine(ended.run), "done in 1.4 s · 2 tools · 9.5k tokens · $0.06");
  assert.deepEqual([ended.status, done.running], ["pending", "t"]);
});

test("a subagent that no call started has a row of its own, and so has the second one of a call", () => {
  const program = { id: "a3", name: "explore", path: ["main", "explore"] };
  const { model } = play({ type: "turn_start", prompt: "look\naround", agent: program }, { type: "message_update", chunk: "found", agent: program }, { ...end, stopReason: "cancelled", agent: program });
  const row = tool(model.items[0]);
  assert.deepEqual([row.title, row.run?.state, row.status, model.running], ["explore: look", "stopped", "failed", undefined]);
  assert.deepEqual(inside(model, row.id), ["user", "text"]);
  const two = play(spawn, { type: "turn_start", prompt: "x", agent }, { type: "turn_start", prompt: "y", agent: { ...agent, id: "a4" } }).model;
  assert.equal(two.items.filter((item) => item.kind === "tool" && item.run).length, 2);
});

test("a session that is told from its file shows what a subagent spent, and nothing that runs", () => {
  const { model } = play(
    { type: "turn_start", prompt: "hi" }, spawn, { type: "step_usage", call: 1, step: 0, provider: "p", model: "m", ...usage, agent },
    { type: "tool_result", ...spawnIds, toolArgs: "{}", result: "all green", isError: false, metadata: { subagentSession: "a2" } });
  const row = tool(model.items[1]);
  assert.deepEqual([row.run?.state, row.status, row.session, row.output], ["done", "done", "a2", "all green"]);
});

test("a prompt that is taken back leaves the turn that runs alone", () => {
  const aside = { turn: "u" } as object;
  const { model } = play({ type: "turn_start", prompt: "hi" }, { type: "message_start" }, call, { type: "tool_execution_start", ...edit },
    { type: "turn_start", prompt: "later", ...aside }, { ...end, stopReason: "cancelled", durationMs: 0, llmCallCount: 0, ...aside });
  assert.deepEqual([model.running, model.items.map((item) => ("status" in item ? item.status : item.kind))], ["t", ["user", "running", "user", "turnEnd"]]);
  const last = model.items.at(-1);
  assert.equal(last?.kind === "turnEnd" && last.text.startsWith("Taken back"), true);
});

test("what is said while a turn runs stands where it joined, and begins no turn", () => {
  const { model } = play({ type: "turn_start", prompt: "hi" }, { type: "message_update", chunk: "Well." }, { type: "steer_consumed", prompt: "faster" }, { type: "message_start" }, { type: "message_update", chunk: "Yes." });
  assert.deepEqual(model.items.map((item) => [item.kind, "text" in item ? item.text : "", "turn" in item ? item.turn : undefined]),
    [["user", "hi", "t"], ["text", "Well.", undefined], ["user", "faster", ""], ["text", "Yes.", undefined]]);
  assert.equal(model.running, "t");
});

test("a subagent's events leave the queue and the turn of its parent alone", () => {
  const { model } = play({ type: "turn_start", prompt: "hi" }, spawn, { type: "turn_start", prompt: "x", agent }, { type: "queue", length: 3, agent }, { ...end, agent });
  assert.deepEqual([model.queued, model.running], [0, "t"]);
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

test("the plan is the session's own, and each one takes the place of the one before", () => {
  const agent = { id: "child", name: "explore", path: ["explore"] };
  const step = (content: string, status: "pending" | "in_progress" | "completed") => ({ content, status });
  const first = [step("look", "in_progress"), step("mend", "pending")];
  const second = [step("look", "completed"), step("mend", "in_progress")];
  const { model } = play({ type: "plan", entries: first }, { type: "plan", entries: second }, { type: "plan", agent, entries: [step("of a subagent", "pending")] });
  assert.deepEqual(model.plan, second);
  assert.equal(planLine(model.plan), "Plan 1/2 · mend");
  assert.deepEqual(play({ type: "plan", entries: first }, { type: "plan", entries: [] }).model.plan, []);
});
