// Takes the README's pictures of VS Code: hunks with the status bar, and the peek of a hunk.
// Environment: KIT_VSCODE, KIT_LS, KIT_PROMPT, and KIT_PICTURES, the folder that the pictures go to.

import { readFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { Editor } from "./editor.mjs";

const sample = fileURLToPath(new URL("../../editors/pictures/sample", import.meta.url));
const folder = process.env.KIT_PICTURES;
const editor = await Editor.start({
  files: { "shopping.js": await readFile(path.join(sample, "shopping.js"), "utf8") },
  environment: { KIT_MODEL: "scripted/tour", KIT_SCRIPTS: sample },
  width: 1200,
  height: 720,
});
try {
  await editor.open("shopping.js");
  await editor.page.keyboard.press("Control+b");
  await editor.ask(process.env.KIT_PROMPT);
  await editor.lens("Keep").nth(1).waitFor();
  await editor.page.locator("[id='kit.kit.kit.status']", { hasText: "2 hunks" }).waitFor();
  await editor.picture(path.join(folder, "vscode.png"));
  await editor.page.locator(".monaco-editor .view-line").first().click();
  await editor.page.keyboard.press("Alt+F3");
  await editor.page.locator(".peekview-widget .view-line").first().waitFor();
  await editor.picture(path.join(folder, "vscode-peek.png"));
} finally {
  await editor.close();
}
