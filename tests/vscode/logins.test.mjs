// Logging in from a real VS Code: who is signed out is told so and led there, a key is typed into a terminal alone, and an
// account logs in with a code on another device. KIT_OIDC is the program of tests/scripts/oidc.sh.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Editor } from "./editor.mjs";
import { startPeer } from "./peer.mjs";

test("a key is stored from a terminal, an account with a code, and the status bar knows it", { timeout: 240_000 }, async (t) => {
  const oidc = await startPeer(t, process.env.KIT_OIDC);
  const login = { clientId: "kit-tests", scopes: "openid offline_access", tokenUrl: `${oidc}/token`, deviceUrl: `${oidc}/device/auth` };
  const gateway = { name: "the gateway", wire: "openai-compat", baseUrl: `${oidc}/v1`, apiKeyEnv: ["GATEWAY_KEY"], login };
  const editor = await Editor.start({ files: { "a.js": "1;\n" }, settings: { "kit.providers": { gateway } }, environment: { KIT_MODEL: "openai/gpt-4o" } });
  t.after(() => editor.close());
  const { page, session } = editor;
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

  await editor.command("Kit: Log In…");
  await editor.pickRow("gateway").click();
  await editor.pickRow("Log in with").click();
  await editor.command("Kit: Show Session");
  const card = session.locator(".card", { hasText: "Open the page" });
  const code = await card.locator("strong").innerText();
  assert.match(code, /^[A-Z]{4}-[A-Z]{4}$/);
  const progress = page.locator(".notification-toast", { hasText: `enter ${code} at` });
  await progress.waitFor();
  const entered = await (await fetch(`${oidc}/enter?code=${code}`)).json();
  assert.equal(entered.text, "done");
  await page.locator(".notification-toast", { hasText: "gateway: login with" }).waitFor();
  for (const over of [card, progress]) await over.waitFor({ state: "detached" });
});
