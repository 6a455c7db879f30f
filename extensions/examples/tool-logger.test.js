import { test } from "kit:test";

const lines = (t) => (t.text(".kit/tool-log.jsonl") ?? "").split("\n").filter(Boolean).map((line) => JSON.parse(line));

test("calls are written with their outcome, and the result is not changed", async (t) => {
  const turn = await t.turn("x", {
    calls: [{ tool: "bash", input: { command: "ls" }, content: "a\nb" }, { tool: "edit", input: {}, content: "no match", isError: true }],
  });
  t.equal(turn.calls.map(({ content }) => content), ["a\nb", "no match"]);
  await t.until((t) => lines(t).length === 2, "the log");
  t.equal(lines(t).map(({ tool, error, bytes }) => ({ tool, error, bytes })), [{ tool: "bash", bytes: 3 }, { tool: "edit", error: true, bytes: 8 }]);
});

test("earlier lines stay, long inputs are shortened", async (t) => {
  t.file(".kit/tool-log.jsonl", '{"tool":"read","ms":5}\n');
  await t.emit("tool_result", { toolName: "write", input: { content: "x".repeat(5000) }, content: "" });
  await t.until((t) => lines(t).length === 2, "the log");
  t.ok(lines(t)[1].input.length < 600);
});

test("the command sums up", async (t) => {
  t.match(await t.command("tool-log"), "No tool");
  t.file(".kit/tool-log.jsonl", '{"tool":"read","ms":5}\n{"tool":"bash","ms":2,"error":true}\n{"tool":"read","ms":1}\n');
  t.equal(await t.command("tool-log"), "read: 2 calls, 0 failed, 6 ms\nbash: 1 calls, 1 failed, 2 ms");
});
