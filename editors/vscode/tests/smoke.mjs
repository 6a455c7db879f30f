// The extension in a real VS Code with the fake server: what only a server that misbehaves or asks on demand can show.
// Environment: KIT_VSCODE (folder of tests/scripts/vscode.sh).

import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { Editor } from "../../../tests/vscode/editor.mjs";

const server = path.join(path.dirname(fileURLToPath(import.meta.url)), "fake-server.mjs");
const source = `// unused
export function greet(name) {
  return "Hello, " + name + "!";
}
`;

test("a turn is shown, its hunks are decided, and whatever the server asks is answered", { timeout: 240_000 }, async (t) => {
  const editor = await Editor.start({ files: { "greet.js": source }, environment: {}, server });
  t.after(() => editor.close());
  const { page, session } = editor;
  const ends = session.locator(".turn-end");
  const input = session.locator("textarea");
  const ask = async (text) => {
    const before = await ends.count();
    await input.fill(text);
    await input.press("Enter");
    return before;
  };
  await editor.open("greet.js");

  // An event that was held back is noticed, and the editor keeps the focus.
  await editor.ask("use a template in greet");
  assert.match(await ends.innerText(), /Done in .* · /);
  assert.equal(await session.locator(".item.tool:not([data-status=done])").count(), 0, "every tool row ends as done");
  assert.equal(await page.locator(".monaco-editor.focused").count(), 1, "the editor keeps the focus");

  // The peek shows the old lines and keeps a hunk; a lens takes one back; the rest goes at once.
  await editor.lens("Keep").first().waitFor();
  await page.locator(".dirty-diff-glyph").first().waitFor();
  const hunks = await editor.lens("Keep").count();
  await editor.statusWith(`${hunks} hunk`).waitFor();
  await page.locator(".view-line").first().click();
  await page.keyboard.press("Alt+F3");
  const peek = page.locator(".peekview-widget");
  await peek.waitFor();
  assert.match(await peek.innerText(), /Kit changes/);
  await peek.locator(".action-label[aria-label^='Keep']").click();
  await page.keyboard.press("Escape");
  await editor.lens(`1/${hunks - 1}`).waitFor();
  await editor.lens("Undo").first().click();
  await editor.lens(`1/${hunks - 2}`).waitFor();
  await editor.command("Kit: Keep All Changes");
  await editor.statusWith("hunk").waitFor({ state: "detached" });

  await editor.command("Kit: Doctor");
  const report = page.locator(".tab", { hasText: "Kit Doctor" });
  await report.click({ button: "middle" });
  await report.waitFor({ state: "detached" });
  await editor.status.click();
  await editor.pickRow("Sessions…").waitFor();
  await page.keyboard.press("Escape");
  // The tooltip of the status bar item would lie over notifications.
  await page.mouse.move(600, 300);

  // Permission by card, with a reason.
  let before = await ask("needs permission");
  await session.locator(".card").waitFor();
  await editor.statusWith("1 approval").waitFor();
  assert.match(await session.locator(".card").innerText(), /cargo test --all[\s\S]*Always allow \(project\)\s+bash\(cargo test:\*\)/);
  await session.locator(".card .reason").fill("not now");
  await session.locator(".card .reason").press("Enter");
  await ends.nth(before).waitFor();
  await session.locator(".item.text", { hasText: "Permission: no not now" }).waitFor();

  // Hidden, the view asks by a notification instead.
  before = await ask("needs permission");
  await session.locator(".card").waitFor();
  await page.keyboard.press("Control+Alt+B");
  await page.locator(".notification-toast a", { hasText: "Allow once" }).click();
  await editor.command("Kit: Show Session");
  await ends.nth(before).waitFor();
  await session.locator(".item.text", { hasText: "Permission: once" }).waitFor();

  before = await ask("question");
  await page.locator(".quick-input-title", { hasText: "Which one?" }).waitFor();
  await editor.quickInput("second");
  await page.keyboard.press("Enter");
  await ends.nth(before).waitFor();
  await session.locator(".item.text", { hasText: "Chosen: second" }).waitFor();

  // A subagent works inside its call, asks under its own name, and its row sums it up.
  before = await ask("with a helper");
  await session.locator(".card", { hasText: "main ▸ explore" }).locator("button", { hasText: "Allow once" }).waitFor();
  assert.match(await session.locator(".card").innerText(), /ls\s+in \/elsewhere/);
  await page.keyboard.press("Control+Alt+Enter");
  await ends.nth(before).waitFor();
  const helper = session.locator(".tool[data-kind=agent]");
  assert.match(await helper.locator(".run").first().innerText(), /done in 2\.5 s · 1k tokens/);
  await helper.locator("summary").first().click();
  await helper.locator(".nested", { hasText: "Answered: once." }).first().waitFor();

  // A login shows its code to copy, and its progress can be cancelled.
  before = await ask("login please");
  const card = session.locator(".card", { hasText: "WDJB-MJHT" });
  await card.locator("button", { hasText: "Copy" }).click();
  await card.locator("button", { hasText: "Open the page" }).click();
  await session.locator(".item.text", { hasText: "Login: Open the page" }).waitFor();
  await page.locator(".notification-toast", { hasText: "Kit login" }).locator(".monaco-button", { hasText: "Cancel" }).click();
  await session.locator(".item.text", { hasText: "Cancelled by the notification." }).waitFor();
  await ends.nth(before).waitFor();

  before = await ask("slow");
  await session.locator("button", { hasText: "Stop" }).click();
  await ends.nth(before).waitFor();
  assert.match(await ends.nth(before).innerText(), /Stopped after/);

  before = await ask("fail");
  await ends.nth(before).waitFor();
  assert.match(await session.locator(".notice.error").innerText(), /No key for fake: set FAKE_API_KEY\./);

  // A view that was hidden comes back with everything in it.
  const count = await ends.count();
  await page.keyboard.press("Control+Alt+B");
  await page.locator('iframe.webview[src*="extensionId=kit.kit"]').waitFor({ state: "detached" });
  await editor.command("Kit: Show Session");
  await ends.nth(count - 1).waitFor();
});
