// The status bar item. What it says is decided in `statusText.ts`.

import * as vscode from "vscode";
import type { Client } from "./client.ts";
import type { Status } from "./protocol.ts";
import { setting } from "./settings.ts";
import { spoken, statusText, tooltip, type StatusField } from "./statusText.ts";

const links = ["kit.stop", "kit.review.open", "kit.usage", "kit.log", "kit.agents", "kit.login"];

export class StatusItem implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem("kit.status", vscode.StatusBarAlignment.Right, 100);
  private readonly subscriptions: vscode.Disposable[];
  private running: boolean | undefined;
  private signedOut: boolean | undefined;

  last: Status | undefined;

  constructor(private readonly client: Client) {
    this.item.name = "Kit";
    this.subscriptions = [
      this.item,
      client.onStatus((status) => this.take(status)),
      client.onState((state) => {
        if (state !== "running") this.last = undefined;
        this.draw();
      }),
      vscode.workspace.onDidChangeConfiguration((event) => {
        if (event.affectsConfiguration("kit.statusBar")) this.draw();
      }),
    ];
    this.draw();
  }

  private take(status: Status): void {
    this.last = status;
    this.draw();
  }

  private draw(): void {
    const status = this.last;
    const running = status?.state === "running" || status?.state === "waiting";
    if (running !== this.running) void vscode.commands.executeCommand("setContext", "kit.running", running);
    this.running = running;
    const signedOut = status?.state === "signedOut";
    if (signedOut !== this.signedOut) void vscode.commands.executeCommand("setContext", "kit.signedOut", signedOut);
    this.signedOut = signedOut;
    const { text, severity } = statusText(status, this.client.state, setting<StatusField[]>("statusBar.items", ["context", "cost", "hunks"]));
    this.item.text = text;
    this.item.command = signedOut ? "kit.login" : "kit.menu";
    this.item.accessibilityInformation = { label: spoken(text), role: "button" };
    this.item.backgroundColor = severity === "none" ? undefined : new vscode.ThemeColor(`statusBarItem.${severity}Background`);
    this.item.tooltip = status ? trusted(tooltip(status)) : "Kit";
    const active = running || severity !== "none" || (status !== undefined && (status.session !== undefined || status.review.hunks > 0));
    const show = setting<"always" | "whenActive" | "never">("statusBar.show", "always");
    if (show === "always" || (show === "whenActive" && active)) this.item.show();
    else this.item.hide();
  }

  dispose(): void {
    for (const subscription of this.subscriptions) subscription.dispose();
  }
}

function trusted(text: string): vscode.MarkdownString {
  const markdown = new vscode.MarkdownString(text, true);
  markdown.isTrusted = { enabledCommands: links };
  return markdown;
}
