import { test } from "kit:test";

const edit = (t, path, more = {}) => t.emit("tool_result", { toolName: "edit", input: { path }, content: "1 change", ...more });

test("what the checker says about the file stands under the result", async (t) => {
  t.given("exec.run", { stdout: "", stderr: "src/a.rs:3:5: error[E0308]: mismatched types\nsrc/b.rs:1:1: warning: unused\n", exitCode: 101, timedOut: false });
  const answer = await edit(t, "./src/a.rs");
  t.rewritten(answer, "1 change\n\nThe checker says");
  t.match(answer.content, "src/a.rs:3:5: error[E0308]");
  t.ok(!answer.content.includes("b.rs"));
  t.hasStatus("diagnostics", "1 problems");
});

test("each language has its checker, and paths are quoted", async (t) => {
  t.given("exec.run", { stdout: "", stderr: "", exitCode: 0, timedOut: false });
  t.equal(await edit(t, "it's.py"), undefined);
  await edit(t, "README.md");
  await edit(t, "a.py", { isError: true });
  t.equal(t.asked("exec.run").map(({ command }) => command), ["ruff check --output-format concise 'it'\\''s.py'"]);
  t.hasStatus("diagnostics", "no problems");
});

test("TypeScript's way to write places is understood, and long lists are cut", async (t) => {
  const lines = Array.from({ length: 25 }, (_, at) => `/w/src/a.ts(${at + 1},2): error TS1: x${at}`);
  t.given("exec.run", { stdout: lines.join("\n"), stderr: "", exitCode: 2, timedOut: false });
  const answer = await edit(t, "src/a.ts");
  t.match(answer.content, "src/a.ts:1:2: error TS1: x0");
  t.match(answer.content, "and 5 more");
});

test("a checker that may not run or takes too long changes nothing", async (t) => {
  t.given("exec.run", () => { throw new Error("not granted"); });
  t.equal(await edit(t, "a.py"), undefined);
  t.given("exec.run", { stdout: "a.py:1:1: x", stderr: "", exitCode: -1, timedOut: true });
  t.equal(await edit(t, "a.py"), undefined);
});
