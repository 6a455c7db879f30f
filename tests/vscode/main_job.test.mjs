// The main job in a real VS Code: prompt, stream, hunks of an unsaved buffer, keep one, undo one, status bar.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Editor } from "./editor.mjs";

const greet = `export function greet(name) {
  return "Hello, " + name + "!";
}

export function farewell(name) {
  return "Bye, " + name + "!";
}
`;

test("a prompt becomes a reviewed edit of an unsaved buffer", { timeout: 240_000 }, async (t) => {
  const editor = await Editor.start({ files: { "greet.js": greet }, environment: { KIT_MODEL: "scripted/demo" } });
  t.after(() => editor.close());
  await editor.open("greet.js");
  await editor.typeAtStart("const typed = \"and not saved\";\n");
  await editor.ask("add comments to greet.js");

  const answer = await editor.session.locator("body").innerText();
  assert.match(answer, /scripted\/demo/, "the answer was streamed into the session view");
  assert.equal(await editor.session.locator(".item.tool:not([data-status=done])").count(), 0, "every tool call ended");

  await editor.lens("Keep").nth(1).waitFor();
  assert.equal(await editor.lens("Keep").count(), 2, "two hunks have lenses");
  await editor.page.locator(".dirty-diff-glyph").first().waitFor();
  await editor.page.locator("[id='kit.kit.kit.status']", { hasText: "2 hunks" }).waitFor();
  const status = await editor.status.innerText();
  assert.match(status, /\$/, "the status bar tells the cost");
  assert.match(status, /%/, "and how full the context is");
  assert.equal(await editor.onDisk("greet.js"), greet, "nothing was written behind the editor's back");
  assert.match(await editor.text(), /typed = "and not saved"/);

  await editor.lens("Keep").first().click();
  await editor.page.locator("[id='kit.kit.kit.status']", { hasText: "1 hunk" }).waitFor();
  await editor.lens("1/1").waitFor();
  await editor.lens("Undo").first().click();
  await editor.lens("Keep").first().waitFor({ state: "detached" });
  const text = await editor.text();
  assert.match(text, /typed = "and not saved"/);
  assert.equal(text.match(/Kit's demo|second change/g)?.length, 1, `one change was kept: ${text}`);
  assert.equal(await editor.onDisk("greet.js"), greet, "an unsaved document stays unsaved");
});
