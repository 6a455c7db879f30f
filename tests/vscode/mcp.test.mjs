// MCP servers in a real VS Code, with a server that others wrote: states, what a server offers, and a prompt of one.
// KIT_MCP is the folder of tests/scripts/mcp.sh.

import { test } from "node:test";

import { Editor } from "./editor.mjs";

test("MCP servers tell their state, what they offer and what is wrong", { timeout: 240_000 }, async (t) => {
  const folder = process.env.KIT_MCP;
  const settings = `mcpServers:\n  everything:\n    command: ["${folder}/everything"]\n  gone:\n    command: ["${folder}/no-such-program"]\n`;
  const editor = await Editor.start({
    files: { "a.js": "1;\n", ".kit.yml": settings }, scripts: { main: [[{ text: "Here you are." }]] }, environment: { KIT_MODEL: "scripted/main", PATH: `${folder}:${process.env.PATH}` },
  });
  t.after(() => editor.close());
  const { page } = editor;
  await editor.open("a.js");
  await editor.ask("hello");
  await editor.command("Kit: MCP Servers…");
  const everything = editor.pickRow("everything");
  await everything.filter({ hasText: /\d+ tools/ }).waitFor();
  await editor.pickRow("gone").filter({ hasText: "failed" }).waitFor();
  await everything.hover();
  await everything.locator(".action-label.codicon-refresh").click();
  await everything.filter({ hasText: /\d+ tools/ }).click();
  await page.locator(".tab", { hasText: "MCP everything" }).waitFor();

  // Its prompts are commands.
  await page.locator('.tab[aria-label^="a.js"]').click();
  await editor.command("Kit: Run Command…");
  await page.locator(".quick-input-list .monaco-list-row", { hasText: "everything" }).first().waitFor();
});
