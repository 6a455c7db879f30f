import { test } from "kit:test";

const parse = (t, line, ...words) => {
  t.given("simpleParseArguments", [line, ...words]);
};

test("words take their places in the prompt", async (t) => {
  parse(t, "src/a.rs parsing", "src/a.rs", "parsing");
  t.given("renderWithModelConditionals", "the rendered prompt");
  await t.command("explain", "src/a.rs parsing");
  t.match(t.asked("renderWithModelConditionals")[0].text, /Explain src\/a\.rs .* Focus: parsing\./);
  t.sent("the rendered prompt");
});

test("a missing word takes its default, a missing file is an error", async (t) => {
  parse(t, "a.rs", "a.rs");
  t.given("renderWithModelConditionals", "x");
  await t.command("explain", "a.rs");
  t.match(t.asked("renderWithModelConditionals")[0].text, "Focus: the whole.");
  await t.rejects(t.command("review", " "), "/review FILE…: something is missing");
});

test("the branch is asked from git", async (t) => {
  parse(t, "");
  t.given("renderWithModelConditionals", "x");
  t.given("exec.run", { stdout: "feature\n", stderr: "", exitCode: 0, timedOut: false });
  await t.command("pr");
  t.match(t.asked("renderWithModelConditionals")[0].text, "the branch feature for");
});

test("every template is a command", async (t) => {
  for (const name of ["review", "test", "explain", "pr"]) await t.registered("command", name);
});
