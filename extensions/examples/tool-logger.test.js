import { test } from "kit:test";

const lines = (t) => t.asked("appendEntry").map(({ entryType, data }) => ({ entryType, ...JSON.parse(data) }));

test("calls are kept with their outcome, and the result is not changed", async (t) => {
  const turn = await t.turn("x", {
    calls: [{ tool: "bash", input: { command: "ls" }, content: "a\nb" }, { tool: "edit", input: {}, content: "no match", isError: true }],
  });
  t.equal(turn.calls.map(({ content }) => content), ["a\nb", "no match"]);
  t.equal(lines(t).map(({ tool, error, bytes }) => ({ tool, error, bytes })), [{ tool: "bash", bytes: 3 }, { tool: "edit", error: true, bytes: 8 }]);
  t.ok(lines(t).every(({ entryType, ms }) => entryType === "tool-log" && ms >= 0));
});

test("long inputs are shortened", async (t) => {
  await t.emit("tool_result", { toolName: "write", input: { content: "x".repeat(5000) }, content: "" });
  t.ok(lines(t)[0].input.length < 600);
});

test("the command sums up", async (t) => {
  t.match(await t.command("tool-log"), "No tool");
  await t.turn("x", { calls: [{ tool: "read", input: {}, content: "" }, { tool: "bash", input: {}, content: "", isError: true }, { tool: "read", input: {}, content: "" }] });
  const [first, second] = (await t.command("tool-log")).split("\n");
  t.match(first, "read: 2 calls, 0 failed, ");
  t.match(second, "bash: 1 call, 1 failed, ");
});
