import { test } from "kit:test";

test("a subagent of the model is shown as long as it works", async (t) => {
  await t.emit("subagent_start", { toolCallId: "c1", task: "find the bug" });
  t.hasWidget("subagents", "find the bug: working, 0 tool calls");
  await t.emit("subagent_chunk", { toolCallId: "c1", task: "find the bug", chunkType: "tool_execution_start", toolName: "grep" });
  t.hasWidget("subagents", "grep, 1 tool calls");
  await t.emit("subagent_end", { toolCallId: "c1", task: "find the bug", response: "x" });
  t.hasNoWidget("subagents");
});

test("one in the background tells its answer at its end", async (t) => {
  t.model("It is in a.js.");
  t.match(await t.command("background", "find the bug"), "#1");
  await t.until((t) => t.printed.length === 1, "the answer");
  t.hasPrinted("It is in a.js.");
  t.match(t.asked("printBlock")[0].subtitle, "done: find the bug");
  t.hasNoWidget("subagents");
});

test("what it does is shown, and it can be stopped", async (t) => {
  t.given("spawnSubagent", { id: "s1" });
  t.given("waitSubagent", () => new Promise(() => {}));
  await t.command("background", "long work");
  await t.emit("subagent.event", { subagent: "s1", type: "tool_execution_start", toolName: "bash" });
  t.hasWidget("subagents", "#1 long work: bash, 1 tool calls");
  t.equal(await t.complete("stop-background", "#"), ["#1"]);
  await t.rejects(t.command("stop-background", "#7"), "there are #1");
  await t.command("stop-background", "#1");
  t.equal(t.asked("killSubagent"), [{ id: "s1" }]);
});

test("one that cannot start leaves nothing behind", async (t) => {
  t.given("spawnSubagent", () => { throw new Error("no model"); });
  await t.rejects(t.command("background", "x"), "no model");
  t.hasNoWidget("subagents");
});
