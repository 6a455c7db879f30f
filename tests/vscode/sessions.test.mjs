// A session in a real VS Code: prompts that wait and that join a turn, a model in circles, a server that is killed, a
// session that goes into a file and comes back, and a summary in place of old messages.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";

import { Editor } from "./editor.mjs";

const read = { tool: { name: "read", input: { path: "a.js" } } };
const scripts = {
  main: [
    { script: { count: "conversation", atEnd: "last" } },
    [{ text: "The first answer to: {{prompt}}" }],
    [{ gate: "go" }, read],
    [{ text: "I have read it." }],
    [{ text: "The answer to what waited." }],
    [read], [read], [read],
    [{ text: "Out of the circle." }],
    [{ tool: { name: "edit", input: { path: "a.js", edits: [{ old_text: "one", new_text: "two" }] } } }],
    [{ text: "Renamed." }],
  ],
};

test("a session keeps what waits, stops circles, survives its server, and travels as a file", { timeout: 240_000 }, async (t) => {
  const editor = await Editor.start({
    files: { "a.js": "const one = 1;\n" }, scripts, settings: { "kit.repeatedCalls": { note: 2, ask: 3 } }, environment: { KIT_MODEL: "scripted/main" },
  });
  t.after(() => editor.close());
  const { session, page } = editor;
  const input = session.locator("textarea");
  const ends = session.locator(".turn-end");
  const write = async (text) => {
    await input.fill(text);
    await input.press("Enter");
  };
  await editor.open("a.js");
  await editor.typeAtStart("let typed;\n");
  await editor.ask("begin");

  // While a turn runs, prompts wait for its end or join it; each can be taken back.
  await write("work");
  await session.locator(".bar select").waitFor();
  await write("after that, count");
  await write("after that, stop");
  await session.locator(".queued", { hasText: "2 queued" }).waitFor();
  await session.locator(".bar select").selectOption("steer");
  await write("look at the end, too");
  await session.locator(".queued", { hasText: "3 queued" }).click();
  await editor.pickRow("look at the end, too").filter({ hasText: "joins the running turn" }).waitFor();
  const dropped = editor.pickRow("after that, stop");
  await dropped.hover();
  await dropped.locator(".action-label").first().click();
  await dropped.waitFor({ state: "detached" });
  await editor.pickRow("after that, count").click();
  await session.locator(".queued", { hasText: "1 queued" }).waitFor();
  assert.equal(await input.inputValue(), "after that, count", "what is taken back can be written anew");
  assert.equal(await session.locator(".turn-end", { hasText: "Taken back" }).count(), 2);
  await session.locator(".bar select").selectOption("queue");
  await write("after that, count twice");
  await session.locator(".queued", { hasText: "2 queued" }).waitFor();
  await editor.openGate("go");
  await ends.nth(4).waitFor();
  const prompts = await session.locator(".user").allInnerTexts();
  assert.deepEqual(prompts.map((prompt) => prompt.trim().split("\n")[0]), ["begin", "work", "after that, stop", "after that, count", "look at the end, too", "after that, count twice"]);
  await session.locator(".item.text", { hasText: "The answer to what waited." }).waitFor();

  // A model that goes in circles is stopped by a question.
  await write("go round");
  const card = session.locator(".card", { hasText: "3 times" });
  await card.locator("button").first().click();
  await session.locator(".item.text", { hasText: "Out of the circle." }).waitFor();
  await card.waitFor({ state: "detached" });

  // The server is killed: what is shown and what is not saved stays, and so does the review of it.
  await editor.askInView("rename it");
  await editor.lens("Keep").waitFor();
  const before = await ends.count();
  await editor.killServer();
  await editor.statusWith("1 hunk").waitFor();
  assert.match(await editor.text(), /let typed;\nconst two = 1;/);
  assert.equal(await ends.count(), before);
  await editor.askInView("and again");
  await editor.lens("Undo").first().click();
  await editor.lens("Keep").waitFor({ state: "detached" });
  assert.match(await editor.text(), /let typed;\nconst one = 1;/);

  // It goes into a file, and comes back as a session of its own.
  const file = path.join(editor.folder, "travels.jsonl");
  const inDialog = async (title) => {
    await editor.command(title);
    const box = page.locator(".quick-input-widget input[type=text]");
    await page.locator(".quick-input-title", { hasText: title.replace("…", "") }).waitFor();
    // The dialog writes a path of its own before it lists the folder.
    await page.locator(".quick-input-list .monaco-list-row", { hasText: ".." }).waitFor();
    await box.fill(file);
    await page.locator(".quick-input-list .monaco-list-row", { hasText: path.basename(editor.project) }).waitFor();
    await page.locator(".quick-input-widget .quick-input-action .monaco-button").first().click();
  };
  await inDialog("Kit: Export Session…");
  await page.locator(".notification-toast", { hasText: "exported to" }).waitFor();
  assert.match(await readFile(file, "utf8"), /after that, count twice/);
  await editor.command("Kit: New Session");
  await session.locator(".empty").waitFor();
  await inDialog("Kit: Import Session…");
  await session.locator(".item.text", { hasText: "The answer to what waited." }).waitFor();
  await editor.command("Kit: Sessions…");
  await editor.pickRow("begin").nth(1).waitFor();
  await page.keyboard.press("Escape");

  // Old messages give way to a summary that keeps the focus in mind.
  await editor.command("Kit: Compact Session…");
  await page.locator(".quick-input-title", { hasText: "Kit: Compact Session" }).waitFor();
  await editor.quickInput("the blue door");
  await page.keyboard.press("Enter");
  const notice = session.locator(".notice", { hasText: "Compacted" });
  await notice.locator("summary").click();
  await notice.filter({ hasText: "the blue door" }).waitFor();
});
