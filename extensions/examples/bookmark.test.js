import { test } from "kit:test";

const branch = (t, ...ids) => t.given("getCurrentBranch", ids.map((id) => ({ id, type: "message", content: "", timestamp: "", children: [] })));

test("a place is remembered and found again", async (t) => {
  branch(t, "a", "b");
  await t.command("bookmark", "before the refactoring");
  branch(t, "a", "b", "c");
  await t.command("bookmark", "after");
  t.equal(await t.command("bookmark"), "before the refactoring\nafter");
  t.given("navigateTo", { success: true });
  t.match(await t.command("goto", "before the refactoring"), "Back at");
  t.equal(t.asked("navigateTo"), [{ id: "b" }]);
  t.equal(await t.complete("goto", "bef"), ["before the refactoring"]);
});

test("without a name the user chooses", async (t) => {
  branch(t, "a");
  await t.command("bookmark", "x");
  t.given("promptSelect", ({ options }) => ({ value: options[0], index: 0, cancelled: false }));
  t.given("navigateTo", { success: false, error: "a turn is running" });
  await t.rejects(t.command("goto"), "a turn is running");
});

test("a forgotten bookmark is gone, and unknown ones are errors", async (t) => {
  branch(t, "a");
  await t.command("bookmark", "x");
  await t.command("unbookmark", "x");
  t.match(await t.command("bookmark"), "No bookmarks");
  await t.rejects(t.command("goto", "x"), "no bookmark x");
  branch(t);
  await t.rejects(t.command("bookmark", "y"), "empty");
});
