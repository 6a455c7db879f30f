import { test } from "kit:test";

const message = (role, content, minute) => ({ id: `m${minute}`, role, content, timestamp: `2026-01-01T00:0${minute}:00Z` });

test("the conversation becomes a summary that is kept", async (t) => {
  t.given("getMessages", [message("system", "hidden", 0), message("user", "add a login", 1), message("assistant", "done", 2)]);
  t.model("Goal: a login.");
  t.equal(await t.command("summarize"), "Goal: a login.");
  const [{ prompt }] = t.asked("complete");
  t.match(prompt, "[user]\nadd a login\n\n[assistant]\ndone");
  t.ok(!prompt.includes("hidden"));
  t.equal(t.asked("appendEntry"), [{ entryType: "summary", data: "Goal: a login." }]);
  t.hasNoStatus("summarize");
});

test("with a name it goes into a file", async (t) => {
  t.given("getMessages", [message("user", "x", 1)]);
  t.model("Text");
  t.match(await t.command("summarize", "first session.md"), "docs/sessions/first-session.md");
  t.equal(t.text("docs/sessions/first-session.md"), "Text\n");
});

test("an empty session asks no model", async (t) => {
  t.given("getMessages", []);
  t.match(await t.command("summarize"), "nothing to summarize");
  t.equal(t.asked("complete"), []);
});

test("a long session loses its middle", async (t) => {
  t.given("getMessages", [message("user", "first", 1), message("assistant", "x".repeat(100_000), 2), message("user", "last", 3)]);
  t.model("s");
  await t.command("summarize");
  const [{ prompt }] = t.asked("complete");
  t.ok(prompt.length < 61_000 && prompt.includes("first") && prompt.includes("last") && prompt.includes("left out"));
});

test("a compaction uses a fresh summary and not an old one", async (t) => {
  t.given("getMessages", [message("user", "a", 1), message("user", "b", 5), message("user", "c", 6), message("user", "d", 7)]);
  t.equal(await t.emit("before_compact", {}), undefined);
  t.given("getEntries", [{ id: "e", entryType: "summary", data: "Old", timestamp: "2026-01-01T00:02:00Z" }]);
  t.equal(await t.emit("before_compact", {}), undefined);
  t.given("getEntries", [{ id: "e", entryType: "summary", data: "Fresh", timestamp: "2026-01-01T00:06:00Z" }]);
  t.equal((await t.emit("before_compact", {})).summary, "Fresh");
});
