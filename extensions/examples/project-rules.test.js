import { test } from "kit:test";

const rules = (t) => {
  t.file(".kit/rules/general.md", "Answer in English.");
  t.file(".kit/rules/types.md", "---\nglobs: src/**/*.ts, *.d.ts\n---\nNo `any`.");
  t.file(".kit/rules/notes.txt", "not a rule");
};
const read = (t, path) => t.emit("tool_result", { toolName: "read", input: { path }, content: "text" });

test("rules without globs are part of every turn", async (t) => {
  rules(t);
  const answer = await t.emit("before_agent_start", { prompt: "x" });
  t.injected(answer, "Answer in English.");
  t.ok(!answer.systemPrompt.includes("any"));
});

test("rules with globs come once, with the first file that they are about", async (t) => {
  rules(t);
  await t.emit("before_agent_start", { prompt: "x" });
  t.equal(await read(t, "README.md"), undefined);
  t.rewritten(await read(t, "src/a/b.ts"), "text\n\nRules for this file:\n\n## Rule: types\n\nNo `any`.");
  t.equal(await read(t, "src/c.ts"), undefined);
  await t.emit("before_agent_start", { prompt: "y" });
  t.rewritten(await read(t, "lib/x.d.ts"), "No `any`");
});

test("a project without rules is left alone", async (t) => {
  t.equal(await t.emit("before_agent_start", { prompt: "x" }), undefined);
  t.match(await t.command("rules"), "No rules");
  rules(t);
  t.equal(await t.command("rules"), "general: always\ntypes: src/**/*.ts, *.d.ts");
});
