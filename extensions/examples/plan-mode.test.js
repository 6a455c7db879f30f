import { test } from "kit:test";

const PLAN = "The plan:\n1. Read a.js.\n2. Change b.js.";

test("nothing happens while it is off", async (t) => {
  t.notBlocked(await t.emit("tool_call", { toolName: "write", input: { path: "a" } }));
  t.equal(await t.emit("before_agent_start", { prompt: "x" }), undefined);
});

test("while it is on, the agent may read and not write", async (t) => {
  t.match(await t.command("plan"), "nothing is changed");
  t.hasStatus("plan", "plan mode");
  t.injected(await t.emit("before_agent_start", { prompt: "x" }), "numbered plan");
  t.notBlocked(await t.emit("tool_call", { toolName: "grep", input: {} }));
  t.blocked(await t.emit("tool_call", { toolName: "bash", input: { command: "ls" } }), "plan mode is on");
  t.match(await t.command("/plan", "off"), "off");
  t.hasNoStatus("plan");
});

test("an approved plan is carried out", async (t) => {
  await t.command("plan", "add a login");
  t.sent("add a login");
  t.given("promptSelect", { value: "Carry it out", index: 0, cancelled: false });
  await t.turn("add a login", { response: PLAN });
  await t.until((t) => t.sentMessages.length === 2, "the approval");
  t.sent("approved");
  t.notBlocked(await t.emit("tool_call", { toolName: "write", input: { path: "a" } }));
});

test("a plan can be refined, and an answer without a plan asks nothing", async (t) => {
  await t.command("plan", "on");
  await t.turn("hello", { response: "Hi." });
  t.equal(t.asked("promptSelect"), []);
  t.given("promptSelect", { value: "Refine it", index: 1, cancelled: false });
  t.given("promptInput", { value: "without b.js", cancelled: false });
  await t.turn("plan", { response: PLAN });
  await t.until((t) => t.sentMessages.includes("without b.js"), "the refinement");
  t.equal(t.state("plan"), "on");
});

test("it is still on after a reload", async (t) => {
  await t.command("plan", "on");
  await t.reload();
  await t.emit("session_start", { sessionId: "s", reason: "reload" });
  t.hasStatus("plan");
  t.equal(await t.complete("plan", "o"), ["on", "off"]);
});
