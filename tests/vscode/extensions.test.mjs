// Extensions, commands and completion in a real VS Code: what an extension shows is drawn and goes away again.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Editor } from "./editor.mjs";

const extension = `
export const description = "Shows things";
export default function (kit) {
  kit.onSessionStart((_, ctx) => {
    ctx.setStatus("mode", "plan mode", 10);
    ctx.setHeader({ content: { text: "Sprint 12" } });
    ctx.setFooter({ content: { text: "below it all" } });
    ctx.setWidget({ id: "steps", placement: "above", content: { text: "**2 of 3** steps", markdown: true }, style: { borderColor: "#ff8800" } });
  });
  kit.registerToolRenderer({
    toolName: "read", displayName: "Look", borderColor: "#00ff00", bodyMarkdown: true,
    renderHeader: (args) => "at " + JSON.parse(args).path,
    renderBody: (result) => "**" + result.length + "** letters",
  });
  kit.registerShortcut({ key: "ctrl+alt+p", description: "Says so" }, () => "pressed");
  kit.registerCommand({
    name: "clear",
    description: "Takes it all away",
    execute(args, ctx) {
      ctx.removeWidget("steps");
      ctx.removeHeader();
      ctx.removeFooter();
      ctx.removeStatus("mode");
      ctx.printBlock({ text: "All gone.", subtitle: "by clear", borderColor: "green" });
      ctx.setEditorText("written for you");
      return "Cleared.";
    },
  });
  kit.registerCommand({
    name: "choose",
    description: "Asks",
    async execute(args, ctx) {
      const { values } = await ctx.promptMultiSelect({ message: "Which ones?", options: ["a", "b", "c"], defaultSelected: [1] });
      const { action } = await ctx.showOverlay({ title: "Read this", content: { text: "Some *text*." }, actions: ["Fine", "Not fine"] });
      ctx.print(values.join("+") + " " + action);
    },
  });
}
`;

test("what an extension shows is drawn, asked and taken away, and saving it makes it live", { timeout: 240_000 }, async (t) => {
  const editor = await Editor.start({
    files: { "a.js": "1;\n", ".kit/extensions/shows.js": extension, ".kit/extensions/own.js": "export default () => {};\n", ".kit/prompts/review.md": "---\ndescription: Reviews a file\n---\nReview $1.\n" },
    scripts: { main: [{ script: { atEnd: "last" } }, [{ tool: { name: "read", input: { path: "a.js" } } }], [{ text: "Here you are." }]] },
    environment: { KIT_MODEL: "scripted/main" },
  });
  t.after(() => editor.close());
  const { session, page } = editor;
  const input = session.locator("textarea");
  await editor.open("a.js");
  await editor.ask("hello");

  await session.locator(".bars.header", { hasText: "Sprint 12" }).waitFor();
  await session.locator(".bars.footer", { hasText: "below it all" }).waitFor();
  const widget = session.locator(".bars .bar-item", { hasText: "2 of 3 steps" });
  await widget.locator("strong").waitFor();
  assert.equal(await widget.evaluate((node) => getComputedStyle(node).borderLeftColor), "rgb(255, 136, 0)");
  const status = page.locator(".statusbar-item", { hasText: "plan mode" });
  await status.waitFor();

  const look = session.locator(".tool.framed", { hasText: "Look at a.js" });
  await look.locator("summary").click();
  await look.locator("strong").waitFor();
  assert.equal(await look.evaluate((node) => getComputedStyle(node).borderLeftColor), "rgb(0, 255, 0)");
  await editor.command("Kit: Extension Shortcut…");
  await editor.pickRow("Says so").click();
  await session.locator(".print", { hasText: "pressed" }).waitFor();

  // Completion: commands behind a slash, files behind an at sign; Tab takes them.
  await input.pressSequentially("/rev");
  await session.locator(".completions li", { hasText: "/review" }).waitFor();
  await input.press("Tab");
  await input.pressSequentially("@a.j");
  await session.locator(".completions li", { hasText: "a.js" }).first().waitFor();
  await input.press("Enter");
  assert.equal((await input.inputValue()).trim(), "/review @a.js");
  await session.locator(".completions").waitFor({ state: "hidden" });
  await input.fill("");

  await editor.command("Kit: Run Command…");
  await editor.pickRow("/review").filter({ hasText: "Reviews a file" }).waitFor();
  await editor.pickRow("/clear").click();
  await session.locator(".print", { hasText: "Cleared." }).waitFor();
  await session.locator(".print.framed", { hasText: "All gone." }).locator(".subtitle", { hasText: "by clear" }).waitFor();
  for (const gone of [widget, status, session.locator(".bars.header .bar-item"), session.locator(".bars.footer .bar-item")]) await gone.waitFor({ state: "detached" });
  assert.equal(await input.inputValue(), "written for you");

  await editor.command("Kit: Run Command…");
  await editor.pickRow("/choose").click();
  await page.locator(".quick-input-title", { hasText: "Kit: Which ones?" }).waitFor();
  await page.keyboard.press("Enter");
  await session.locator(".card", { hasText: "Read this" }).locator("button", { hasText: "Not fine" }).click();
  await session.locator(".print", { hasText: "b Not fine" }).waitFor();

  await editor.command("Kit: Extensions…");
  await editor.pickRow("shows").filter({ hasText: "/clear" }).waitFor();
  await page.keyboard.press("Escape");

  // A template asks for what it needs.
  const ends = await session.locator(".turn-end").count();
  await editor.command("Kit: Run Command…");
  await editor.pickRow("/review").click();
  await page.locator(".quick-input-title", { hasText: "Kit: /review" }).waitFor();
  await page.keyboard.press("Enter");
  await page.locator(".quick-input-message", { hasText: "/review needs" }).waitFor();
  await editor.quickInput("a.js");
  await page.keyboard.press("Enter");
  await session.locator(".turn-end").nth(ends).waitFor();

  // An extension that is saved is live; what it asks for is granted once; a mistake in it is a mark at its line.
  await editor.open("own.js");
  await editor.retype(`export const permissions = { http: ["wttr.in"] }; export default (kit) => { kit.registerCommand({ name: "later", execute: () => "Late." }); };`);
  await page.keyboard.press("Control+S");
  await page.locator(".tab.dirty").waitFor({ state: "detached" });
  await editor.command("Kit: Run Command…");
  await editor.pickRow("/later").click();
  await session.locator(".print", { hasText: "Late." }).waitFor();
  await editor.command("Kit: Extensions…");
  const own = editor.pickRow("own").filter({ hasText: "/later" });
  await own.hover();
  await own.locator(".action-label").first().click();
  await page.locator(".monaco-dialog-box", { hasText: "fetch from wttr.in" }).locator(".monaco-button", { hasText: "Grant All" }).click();
  await editor.command("Kit: Extensions…");
  await own.hover();
  await own.locator(".action-label").first().click();
  await page.locator(".monaco-dialog-box", { hasText: "Granted now:" }).waitFor();
  await page.keyboard.press("Escape");
  await editor.retype(`throw new Error("no luck today");`);
  await page.keyboard.press("Control+S");
  await page.locator(".tab.dirty").waitFor({ state: "detached" });
  await page.keyboard.press("Control+Shift+M");
  await page.locator(".markers-panel .monaco-list-row", { hasText: "no luck today" }).waitFor();
  await editor.command("Kit: Extensions…");
  await editor.pickRow("own").filter({ hasText: "no luck today" }).waitFor();
});
