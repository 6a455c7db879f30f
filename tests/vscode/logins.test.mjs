// Logging in from a real VS Code: who is signed out is told so and led there, and a key is typed into a terminal alone.

import { test } from "node:test";

import { Editor } from "./editor.mjs";

test("a key is stored from a terminal, and the status bar knows it", { timeout: 240_000 }, async (t) => {
  const editor = await Editor.start({ files: { "a.js": "1;\n" }, environment: { KIT_MODEL: "openai/gpt-4o" } });
  t.after(() => editor.close());
  const { page } = editor;
  await editor.open("a.js");
  await editor.statusWith("Kit: log in").click();
  await page.locator(".quick-input-title", { hasText: "Kit: Log In" }).waitFor();
  await editor.pickRow("kit-ls auth login openai").first().click();
  await editor.pickRow("Log in with a ChatGPT subscription").waitFor();
  await editor.pickRow("Store a key").click();
  const terminal = page.locator(".terminal-wrapper.active .xterm");
  await terminal.waitFor();
  await page.waitForFunction(() => document.querySelector(".terminal-wrapper.active .xterm")?.textContent?.length > 20);
  await page.keyboard.type("sk-not-a-real-key");
  await page.keyboard.press("Enter");
  await page.locator(".notification-toast", { hasText: "openai: stored key" }).waitFor();
  await editor.statusWith("Kit: log in").waitFor({ state: "detached" });

  await editor.command("Kit: Log Out…");
  await editor.pickRow("openai").click();
  await page.locator(".monaco-dialog-box button, .monaco-dialog-box .monaco-button", { hasText: "Log Out" }).click();
  await editor.statusWith("Kit: log in").waitFor();
});
