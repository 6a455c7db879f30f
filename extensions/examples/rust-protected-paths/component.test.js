import { test } from "kit:test";

test("the component blocks what is protected and lets the rest pass", async (t) => {
  t.blocked(await t.emit("tool_call", { toolName: "write", input: { path: "config/../.env" } }), ".env is protected by .env");
  t.notBlocked(await t.emit("tool_call", { toolName: "write", input: { path: "src/main.rs" } }));
  t.notBlocked(await t.emit("tool_call", { toolName: "read", input: { path: ".env" } }));
});

test("its option and its command work", async (t) => {
  t.option("protected-paths", "docs/**, LICENSE");
  t.equal(await t.command("protected"), "docs/**\nLICENSE");
  t.blocked(await t.emit("tool_call", { toolName: "edit", input: { path: "docs/a.md" } }), "docs/**");
  await t.registered("event", "tool_call");
});

test("a list that is none blocks, because the gate fails shut", async (t) => {
  t.option("protected-paths", "a[");
  await t.rejects(t.emit("tool_call", { toolName: "edit", input: { path: "x" } }), "protected-paths");
  t.equal((await t.registration()).events.find(({ name }) => name === "tool_call").onError, "block");
});
