import { test } from "kit:test";

test("the tool greets and counts", async (t) => {
  t.equal((await t.tool("greet", { name: "Ada" })).content, "Hello, Ada! That was greeting number 1.");
  t.option("greeting", "Good morning");
  t.match((await t.tool("greet", { name: "Bo" })).content, "Good morning, Bo! That was greeting number 2.");
  t.match(await t.command("greetings"), "2 greetings");
});

test("removing everything is blocked, other commands are not", async (t) => {
  t.blocked(await t.emit("tool_call", { toolName: "bash", input: { command: "rm -rf /" } }), "everything");
  t.notBlocked(await t.emit("tool_call", { toolName: "bash", input: { command: "ls" } }));
});
