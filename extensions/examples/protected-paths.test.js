import { test } from "kit:test";

test("a protected file cannot be written, a nearby one can", async (t) => {
  t.blocked(await t.emit("tool_call", { toolName: "write", input: { path: ".env", content: "" } }), "protected by .env");
  t.blocked(await t.emit("tool_call", { toolName: "edit", input: { path: "src/../config/server.pem" } }), /config\/server\.pem/);
  t.notBlocked(await t.emit("tool_call", { toolName: "write", input: { path: "src/environment.js" } }));
  t.notBlocked(await t.emit("tool_call", { toolName: "read", input: { path: ".env" } }));
});

test("a shell command that changes a protected file is blocked, one that reads it is not", async (t) => {
  t.blocked(await t.emit("tool_call", { toolName: "bash", input: { command: "cd x && rm -f '.git/index'" } }), ".git/index");
  t.blocked(await t.emit("tool_call", { toolName: "bash", input: { command: "echo A=1 >> .env" } }));
  t.notBlocked(await t.emit("tool_call", { toolName: "bash", input: { command: "cat .env" } }));
});

test("the user's own list replaces the built-in one", async (t) => {
  t.option("protected-paths", "docs/**, LICENSE");
  t.blocked(await t.emit("tool_call", { toolName: "edit", input: { path: "docs/a/b.md" } }), "docs/**");
  t.notBlocked(await t.emit("tool_call", { toolName: "edit", input: { path: ".env" } }));
  t.equal(await t.command("protected"), "docs/**\nLICENSE");
});

test("a whole turn goes on after a veto", async (t) => {
  const turn = await t.turn("set the port", {
    calls: [{ tool: "write", input: { path: ".env" }, content: "written" }, { tool: "read", input: { path: "a.js" }, content: "text" }],
  });
  t.equal(turn.calls.map(({ blocked }) => blocked), [true, false]);
  t.match(turn.calls[0].content, "Leave it as it is");
});
