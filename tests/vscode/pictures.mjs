// Takes the README's pictures of VS Code: hunks with the status bar, the peek of a hunk, subagents at work within a
// budget, and the tree of a session.
// Environment: KIT_VSCODE, KIT_LS, KIT_PROMPT, and KIT_PICTURES, the folder that the pictures go to.

import { readFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { Editor } from "./editor.mjs";

const sample = fileURLToPath(new URL("../../editors/pictures/sample", import.meta.url));
const folder = process.env.KIT_PICTURES;
const files = { "shopping.js": await readFile(path.join(sample, "shopping.js"), "utf8") };
const size = { width: 1200, height: 720 };

await hunks();
await team();

async function hunks() {
  const editor = await Editor.start({ files, environment: { KIT_MODEL: "scripted/tour", KIT_SCRIPTS: sample }, ...size });
  try {
    await editor.open("shopping.js");
    await editor.page.keyboard.press("Control+b");
    await editor.ask(process.env.KIT_PROMPT);
    await editor.lens("Keep").nth(1).waitFor();
    await editor.statusWith("2 hunks").waitFor();
    await editor.picture(path.join(folder, "vscode.png"));
    await editor.page.locator(".monaco-editor .view-line").first().click();
    await editor.page.keyboard.press("Alt+F3");
    await editor.page.locator(".peekview-widget .view-line").first().waitFor();
    await editor.picture(path.join(folder, "vscode-peek.png"));
  } finally {
    await editor.close();
  }
}

async function team() {
  const names = ["team", "team-scout", "team-tester"];
  const scripts = Object.fromEntries(await Promise.all(names.map(async (name) =>
    [name, (await readFile(path.join(sample, `${name}.jsonl`), "utf8")).trim().split("\n").map((line) => JSON.parse(line))])));
  const editor = await Editor.start({ files, scripts, settings: { "kit.budget": { session: { usd: 0.5 } } }, environment: { KIT_MODEL: "scripted/team" }, width: 1200, height: 800 });
  const { page, session } = editor;
  const row = (text) => editor.treeRow("Session Tree", text);
  try {
    await editor.open("shopping.js");
    await page.keyboard.press("Control+b");
    await editor.command("Kit: Show Session");
    await session.locator("textarea").waitFor();
    await widenSession(page);
    await editor.askInView("how does a receipt come about?");
    const input = session.locator("textarea");
    await input.fill("what depends on total, and what is not tested?");
    await input.press("Enter");
    await session.locator(".run", { hasText: "done in" }).waitFor();
    await session.locator(".nested", { hasText: "an empty list gives" }).waitFor();
    await editor.statusWith("1 agent").hover();
    await page.locator(".monaco-hover-content", { hasText: "per session" }).waitFor();
    await editor.picture(path.join(folder, "vscode-agents.png"));
    await page.mouse.move(400, 400);

    await editor.openGate("tested");
    await session.locator(".turn-end").nth(1).waitFor();
    await editor.command("Kit: Session Tree");
    await editor.menu(row("how does a receipt"), "Label Entry…");
    await editor.quickInput("overview");
    await page.keyboard.press("Enter");
    await row("how does a receipt").filter({ hasText: "overview" }).waitFor();
    await row("what depends on").hover();
    await row("what depends on").locator(".action-label").first().click();
    await session.locator(".turn-end").nth(1).waitFor({ state: "detached" });
    await input.fill("who uses total, and which cases have no test?");
    await input.press("Enter");
    await session.locator(".turn-end").nth(1).waitFor();
    await row("who uses total, and which cases have no test?").waitFor();
    await row("branch,").waitFor();
    await page.locator(".pane-header .codicon-debug-stop").waitFor({ state: "detached" });
    await page.mouse.move(400, 400);
    await editor.picture(path.join(folder, "vscode-tree.png"));
  } finally {
    await editor.close();
  }
}

/** Drags the edge of the session view, which opens narrow in a window of this size. */
async function widenSession(page) {
  const { x, y, height } = await page.locator(".part.auxiliarybar").boundingBox();
  await page.mouse.move(x - 1, y + height / 2);
  await page.mouse.down();
  await page.mouse.move(x - 140, y + height / 2, { steps: 5 });
  await page.mouse.up();
}
