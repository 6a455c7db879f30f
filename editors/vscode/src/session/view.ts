// The session view: hosts the page, forwards what it has to draw and carries out what the user does in it.
// A hidden page is thrown away; when it comes back it gets the whole model, then the stream goes on.

import { randomBytes } from "node:crypto";
import * as vscode from "vscode";
import type { Cards } from "../cards.ts";
import type { Client } from "../client.ts";
import type { ExtensionUi } from "../extensionUi.ts";
import { editorContext, Prompter } from "../prompt.ts";
import type { ReviewStore } from "../review/store.ts";
import type { FromView, ToView } from "./messages.ts";
import type { SessionStore } from "./store.ts";

export const sessionViewId = "kit.sessionView";

export class SessionView implements vscode.Disposable, vscode.WebviewViewProvider {
  private view: vscode.WebviewView | undefined;
  private focusWanted = false;
  private unwritten: string | undefined;
  private readonly subscriptions: vscode.Disposable[];
  readonly prompter: Prompter;

  constructor(
    private readonly extensionUri: vscode.Uri,
    private readonly client: Client,
    private readonly store: SessionStore,
    private readonly cards: Cards,
    private readonly review: ReviewStore,
    private readonly ui: ExtensionUi,
  ) {
    this.prompter = new Prompter(client, store, () => this.reveal());
    cards.visible = () => this.view?.visible ?? false;
    this.subscriptions = [
      vscode.window.registerWebviewViewProvider(sessionViewId, this),
      store.onReset(() => this.post({ type: "snapshot", model: store.model })),
      store.onEvents((events) => this.post({ type: "events", events })),
      store.onPrint((item) => this.post({ type: "print", item })),
      cards.onChange(() => this.postCards()),
      ui.onChange(() => this.postBars()),
      ui.onPrompt((text) => this.write(text)),
      review.onChange(() => this.postTurns()),
      vscode.window.onDidChangeActiveTextEditor(() => this.postContext()),
      vscode.window.onDidChangeTextEditorSelection(() => this.postContext()),
    ];
  }

  resolveWebviewView(view: vscode.WebviewView): void {
    this.view = view;
    const { webview } = view;
    webview.options = { enableScripts: true, localResourceRoots: [vscode.Uri.joinPath(this.extensionUri, "dist"), vscode.Uri.joinPath(this.extensionUri, "media")] };
    webview.html = this.page(webview);
    webview.onDidReceiveMessage((message: FromView) => this.receive(message));
    view.onDidChangeVisibility(() => this.cards.viewChanged());
    view.onDidDispose(() => (this.view = undefined));
    this.cards.viewChanged();
  }

  /** Shows the view and leaves the keyboard where it is. */
  async reveal(): Promise<void> {
    if (this.view) this.view.show(true);
    else await vscode.commands.executeCommand(`${sessionViewId}.focus`, { preserveFocus: true });
  }

  /** Shows the view with the cursor in its input. */
  async focus(): Promise<void> {
    this.focusWanted = true;
    await vscode.commands.executeCommand(`${sessionViewId}.focus`);
    this.post({ type: "focus" });
  }

  /** Scrolls to a turn of the session that is shown. */
  async scrollTo(turn: string): Promise<void> {
    await this.reveal();
    this.post({ type: "reveal", turn });
  }

  /** Puts a text into the input, in place of what is there. */
  write(text: string): void {
    if (this.view?.visible) return this.post({ type: "write", text });
    this.unwritten = text;
    void this.reveal();
  }

  private receive(message: FromView): void {
    switch (message.type) {
      case "ready":
        this.post({ type: "snapshot", model: this.store.model });
        for (const item of this.store.loose) this.post({ type: "print", item });
        this.postCards();
        this.postBars();
        this.postTurns();
        this.postContext();
        if (this.focusWanted) this.post({ type: "focus" });
        this.focusWanted = false;
        if (this.unwritten !== undefined) this.post({ type: "write", text: this.unwritten });
        this.unwritten = undefined;
        return;
      case "prompt":
        return void this.prompt(message);
      case "complete":
        return void this.complete(message);
      case "stop":
        return void this.prompter.stop();
      case "copy":
        return void vscode.env.clipboard.writeText(message.text);
      case "agent":
        return void vscode.commands.executeCommand(message.act === "open" ? "kit.openAgent" : "kit.stopAgent", message.session);
      case "queue":
        return void vscode.commands.executeCommand("kit.queue");
      case "card":
        return this.cards.settle(message.id, { option: message.option, feedback: message.feedback });
      case "open":
        return void openAt(vscode.Uri.parse(message.uri), message.line);
      case "link":
        return void this.follow(message.target);
      case "turn":
        if (message.act === "rewind") return void vscode.commands.executeCommand("kit.rewind", { turn: message.turn });
        return void this.review.act(message.act, { turn: message.turn });
    }
  }

  private async prompt(message: Extract<FromView, { type: "prompt" }>): Promise<void> {
    const context = message.withContext ? editorContext(this.client) : undefined;
    const accepted = await this.prompter.send({
      text: message.text,
      ...(context ? { context: [context.item] } : {}),
      ...(this.store.model?.running ? { delivery: message.delivery } : {}),
    });
    this.post({ type: "sent", accepted });
  }

  private async complete({ request, text, position }: Extract<FromView, { type: "complete" }>): Promise<void> {
    const session = this.store.current;
    const answer = await this.client.call("kit.prompt.complete", { text, position, ...(session ? { session } : {}) }).catch(() => undefined);
    this.post({ type: "completions", request, items: answer?.items ?? [] });
  }

  /** A link of the answer: a web address, or a path in the workspace with an optional line. */
  private async follow(target: string): Promise<void> {
    if (/^https?:/.test(target)) {
      await vscode.env.openExternal(vscode.Uri.parse(target));
      return;
    }
    const match = /^(?:file:\/\/)?([^#:]+)(?:(?::|#L)(\d+))?/.exec(target);
    const folder = vscode.workspace.workspaceFolders?.[0];
    if (!match?.[1] || !folder) return;
    const path = decodeURIComponent(match[1]);
    const uri = path.startsWith("/") ? vscode.Uri.file(path) : vscode.Uri.joinPath(folder.uri, path);
    await openAt(uri, Number(match[2] ?? 1) - 1);
  }

  private postCards(): void {
    const count = this.cards.list().length;
    if (this.view) this.view.badge = count > 0 ? { value: count, tooltip: "Kit waits for you" } : undefined;
    this.post({ type: "cards", cards: this.cards.list() });
  }

  private postBars(): void {
    this.post({ type: "bars", bars: this.ui.bars() });
  }

  private postTurns(): void {
    this.post({ type: "turns", turns: [...this.review.turns()] });
  }

  private postContext(): void {
    this.post({ type: "context", label: editorContext(this.client)?.label });
  }

  private post(message: ToView): void {
    void this.view?.webview.postMessage(message);
  }

  private page(webview: vscode.Webview): string {
    const nonce = randomBytes(16).toString("base64");
    const asset = (...path: string[]) => webview.asWebviewUri(vscode.Uri.joinPath(this.extensionUri, ...path)).toString();
    return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src ${webview.cspSource}; script-src 'nonce-${nonce}'">
<link rel="stylesheet" href="${asset("media", "session.css")}">
<title>Kit session</title>
</head>
<body>
<script nonce="${nonce}" src="${asset("dist", "session.js")}"></script>
</body>
</html>`;
  }

  dispose(): void {
    for (const subscription of this.subscriptions) subscription.dispose();
  }
}

async function openAt(uri: vscode.Uri, line: number): Promise<void> {
  const position = new vscode.Position(Math.max(line, 0), 0);
  await vscode.window.showTextDocument(uri, { preview: true, selection: new vscode.Range(position, position) }).then(undefined, () =>
    vscode.window.showWarningMessage(`Kit: ${vscode.workspace.asRelativePath(uri)} cannot be opened.`));
}
