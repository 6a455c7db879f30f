import { test } from "kit:test";

const ran = (t) => t.asked("exec.run").map(({ command }) => command);
const repository = (t, answers = {}) =>
  t.given("exec.run", ({ command }) => {
    const known = Object.entries(answers).find(([beginning]) => command.startsWith(`git ${beginning}`));
    return { stdout: "", stderr: "", exitCode: 0, timedOut: false, ...known?.[1] };
  });
const calls = [
  { tool: "edit", input: { path: "src/it's.js" }, content: "ok" },
  { tool: "write", input: { path: "bad.js" }, content: "no", isError: true },
  { tool: "bash", input: { command: "touch other" }, content: "" },
];

test("only what the turn changed is committed, with the model's message", async (t) => {
  repository(t, { "diff --cached": { stdout: " 1 file changed" }, "rev-parse --short": { stdout: "abc1234\n" } });
  t.model("Fix the port\nbecause");
  await t.command("auto-commit", "on");
  await t.turn("fix", { calls });
  await t.until((t) => t.printed.length === 1, "the commit");
  t.hasPrinted("Committed abc1234: Fix the port");
  t.equal(ran(t)[1], "git add -- 'src/it'\\''s.js'");
  t.match(ran(t)[3], "commit --quiet -m 'Fix the port' -- 'src/it'\\''s.js'");
});

test("it is off by default, and quiet when nothing changed", async (t) => {
  repository(t);
  await t.turn("fix", { calls });
  await t.command("auto-commit");
  await t.turn("look", { calls: [{ tool: "read", input: { path: "a" } }] });
  t.equal(ran(t), ["git rev-parse --git-dir"]);
});

test("a failure is told and harms nothing", async (t) => {
  repository(t, { add: { exitCode: 128, stderr: "fatal: index.lock exists" } });
  await t.command("auto-commit", "on");
  await t.turn("fix", { calls });
  await t.until((t) => t.printed.length === 1, "the message");
  t.hasPrinted("Nothing was committed: git add failed: fatal: index.lock exists");
});

test("outside of a repository it cannot be turned on", async (t) => {
  repository(t, { "rev-parse --git-dir": { exitCode: 128, stderr: "fatal: not a git repository" } });
  await t.rejects(t.command("auto-commit", "on"), "not a git repository");
});
