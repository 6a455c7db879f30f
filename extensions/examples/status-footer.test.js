import { test } from "kit:test";

const scene = (t) => {
  t.given("getContextStats", { estimatedTokens: 42_000, contextLimit: 100_000, usagePercent: 0.42, messageCount: 3 });
  t.given("getCurrentModelId", "claude-x");
  t.given("exec.run", { stdout: "main\n", stderr: "", exitCode: 0, timedOut: false });
};

test("the footer shows model, context and branch, and the cost of the turn as it grows", async (t) => {
  scene(t);
  await t.emit("session_start", { sessionId: "s", reason: "start" });
  await t.until((t) => t.footer?.content.text.includes("main"), "the branch");
  t.hasFooter("claude-x  ·  ▰▰▰▰▱▱▱▱▱▱ 42 % (42k)  ·  ⎇ main");
  await t.emit("agent_start", { turnId: "t", prompt: "x" });
  await t.emit("llm_usage", { cost: 0.01 });
  await t.emit("llm_usage", { cost: 0.02 });
  t.hasFooter("$0.030");
});

test("the user chooses the parts, or none", async (t) => {
  scene(t);
  await t.command("footer", "model");
  t.equal(t.footer.content.text, "claude-x");
  await t.command("footer");
  t.equal(t.footer, undefined);
});

test("without git it does without the branch", async (t) => {
  scene(t);
  t.given("exec.run", () => { throw new Error("not granted"); });
  await t.emit("session_start", { sessionId: "s", reason: "start" });
  t.hasFooter("42 %");
});
