// Takes the README's pictures of VS Code: hunks with the status bar, and the peek of a hunk.
// Environment: KIT_VSCODE, KIT_LS and KIT_PICTURES, the folder that the pictures go to.

import path from "node:path";

import { Editor } from "./editor.mjs";

const sample = `// A shopping list.

/** @param {{ name: string, cents: number }[]} items */
export function total(items) {
  return items.reduce((sum, item) => sum + item.cents, 0);
}

export function receipt(items) {
  const lines = items.map((item) => \`\${item.name}: \${item.cents}\`);
  return [...lines, \`total: \${total(items)}\`].join("\\n");
}
`;

const folder = process.env.KIT_PICTURES;
const editor = await Editor.start({
  files: { "shopping.js": sample },
  environment: { KIT_MODEL: "scripted/demo" },
  width: 1200,
  height: 720,
});
try {
  await editor.open("shopping.js");
  await editor.ask("add comments to shopping.js");
  await editor.lens("Keep").nth(1).waitFor();
  await editor.page.locator("[id='kit.kit.kit.status']", { hasText: "2 hunks" }).waitFor();
  await editor.picture(path.join(folder, "vscode.png"));
  await editor.page.locator(".monaco-editor .view-line").first().click();
  await editor.page.keyboard.press("Alt+F3");
  await editor.page.locator(".peekview-widget").waitFor();
  await editor.picture(path.join(folder, "vscode-peek.png"));
} finally {
  await editor.close();
}
