// The tree of a session in a real VS Code: branch, label, rewind and fork.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Editor } from "./editor.mjs";

const scripts = {
  main: [
    { script: { count: "conversation" } },
    [{ text: "First answer." }],
    [{ tool: { name: "edit", input: { path: "a.js", edits: [{ old_text: "one", new_text: "two" }] } } }],
    [{ text: "Second answer." }],
  ],
};

const extension = `
let turns = 0;
export default (kit) => kit.onAgentEnd((_, ctx) => ctx.print("turns so far: " + ++turns));
`;

test("a session branches from an earlier prompt, and both branches stay in its tree", { timeout: 240_000 }, async (t) => {
  const editor = await Editor.start({ files: { "a.js": "const one = 1;\n", ".kit/extensions/says.js": extension }, scripts, environment: { KIT_MODEL: "scripted/main" } });
  t.after(() => editor.close());
  const { session, page } = editor;
  const input = session.locator("textarea");
  const row = (text) => editor.treeRow("Session Tree", text);
  await editor.open("a.js");
  await editor.ask("begin");
  await session.locator(".print", { hasText: "turns so far: 1" }).waitFor();
  await editor.askInView("change the name, please");
  await session.locator(".print", { hasText: "turns so far: 2" }).waitFor();
  await editor.command("Kit: Session Tree");
  await row("Second answer.").filter({ hasText: "you are here" }).waitFor();

  // The files of a turn go back, after saying which.
  await session.locator(".user").nth(1).hover();
  await session.locator(".rewind").nth(1).click();
  await editor.pickRow("Files only").filter({ hasText: "Restores a.js." }).click();
  await page.locator(".notification-toast", { hasText: "1 file restored" }).waitFor();
  assert.match(await editor.text(), /const one = 1;/);

  await row("change the name").hover();
  await row("change the name").locator(".action-label").first().click();
  await row("First answer.").filter({ hasText: "you are here" }).waitFor();
  await session.locator(".item.text", { hasText: "Second answer." }).waitFor({ state: "detached" });
  assert.equal(await input.inputValue(), "change the name, please", "the prompt can be written anew");
  assert.equal(await session.locator(".notice.error").count(), 0);
  // What an extension printed stays where it stood.
  await session.locator(".item.text", { hasText: "First answer." }).waitFor();
  const order = await session.locator(".log > .item").evaluateAll((items) => items.map((item) => item.classList[1]));
  assert.deepEqual(order, ["user", "text", "turn-end", "print", "print"]);

  const ends = await session.locator(".turn-end").count();
  await input.fill("another way");
  await input.press("Enter");
  await session.locator(".turn-end").nth(ends).waitFor();
  await row("another way").waitFor();
  const branch = row(/branch, \d+ entries/);
  await branch.filter({ hasText: "change the name, please" }).waitFor();

  await editor.menu(row("another way"), "Label Entry…");
  await editor.quickInput("try two");
  await page.keyboard.press("Enter");
  await row("another way").filter({ hasText: "try two" }).waitFor();

  await editor.menu(row("First answer."), "Fork from Entry…");
  await row("another way").waitFor({ state: "detached" });
  await session.locator(".item.text", { hasText: "First answer." }).waitFor();
  await editor.command("Kit: Sessions…");
  await page.locator(".quick-input-list .monaco-list-row .codicon-repo-forked").first().waitFor();
});
