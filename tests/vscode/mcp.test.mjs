// MCP servers in a real VS Code, with servers that others wrote: states, what a server offers, a prompt of one, a login.
// KIT_MCP is the folder of tests/scripts/mcp.sh, KIT_OIDC the program of tests/scripts/oidc.sh.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Editor } from "./editor.mjs";
import { startPeer } from "./peer.mjs";

test("MCP servers tell their state, what they offer and what is wrong, and get their login", { timeout: 240_000 }, async (t) => {
  const folder = process.env.KIT_MCP;
  const oidc = await startPeer(t, process.env.KIT_OIDC);
  const settings = `mcpServers:\n  tracker:\n    url: ${oidc}/mcp\n  everything:\n    command: ["${folder}/everything"]\n  gone:\n    command: ["${folder}/no-such-program"]\n`;
  const editor = await Editor.start({
    files: { "a.js": "1;\n", ".kit.yml": settings }, scripts: { main: [[{ text: "Here you are." }]] }, environment: { KIT_MODEL: "scripted/main", PATH: `${folder}:${process.env.PATH}` },
  });
  t.after(() => editor.close());
  const { page, session } = editor;
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

  // A server that wants a login gets it.
  await editor.command("Kit: MCP Servers…");
  await editor.pickRow("tracker").filter({ hasText: "wants a login" }).click();
  // The page opens by itself, but code-server leads it through a proxy of its own: the user follows the link's address.
  const address = await session.locator(".card a[data-target]").getAttribute("data-target");
  const ended = await (await fetch(`${oidc}/browse?url=${encodeURIComponent(address)}`)).json();
  assert.match(ended.text, /Kit has the login/);
  await page.bringToFront();
  await page.locator(".notification-toast", { hasText: "logged in at tracker" }).waitFor();
  await editor.command("Kit: MCP Servers…");
  const tracker = editor.pickRow("tracker").filter({ hasText: "1 tool" });
  await tracker.hover();
  await tracker.locator(".action-label.codicon-sign-out").click();
  await editor.pickRow("tracker").filter({ hasText: "wants a login" }).waitFor();
  await page.keyboard.press("Escape");

  // Its prompts are commands.
  await page.locator('.tab[aria-label^="a.js"]').click();
  await editor.command("Kit: Run Command…");
  await page.locator(".quick-input-list .monaco-list-row", { hasText: "everything" }).first().waitFor();
});
