// Draws what extensions show (`kit/ui`): status entries as items of the status bar, header, footer and widgets in the
// session view, printed lines and blocks in its log, the prompt in its input. All of it goes with its server.

import * as vscode from "vscode";
import type { Client } from "./client.ts";
import { elideMiddle } from "./format.ts";
import type { UiUpdate } from "./protocol.ts";
import type { SessionStore } from "./session/store.ts";

/** The status bar is shared: longer texts are cut, the tooltip has them whole. */
const statusLimit = 40;
/** Just left of Kit's own item, the lowest priority first. */
const statusPlace = 99;

export class ExtensionUi implements vscode.Disposable {
  private readonly shown = new Map<string, UiUpdate>();
  private readonly items = new Map<string, vscode.StatusBarItem>();
  private readonly changeEmitter = new vscode.EventEmitter<void>();
  private readonly promptEmitter = new vscode.EventEmitter<string>();
  private readonly subscriptions: vscode.Disposable[];
  private printed = 0;

  /** Header, footer or widgets changed. */
  readonly onChange = this.changeEmitter.event;
  /** An extension wrote the prompt. */
  readonly onPrompt = this.promptEmitter.event;

  constructor(
    client: Client,
    private readonly store: SessionStore,
  ) {
    this.subscriptions = [
      client.onUi((update) => this.take(update)),
      client.onState((state) => {
        if (state !== "running") this.clear();
      }),
    ];
  }

  /** What belongs around the log, in order. */
  bars(): UiUpdate[] {
    return [...this.shown.values()]
      .filter((update) => update.slot !== "status")
      .toSorted((left, right) => (left.priority ?? 0) - (right.priority ?? 0) || left.extension.localeCompare(right.extension));
  }

  /** Shows a text in the log once. */
  print(source: string, text: string, markdown: boolean, framed = false, style: Record<string, string> = {}): void {
    this.store.print({ kind: "print", id: `p${++this.printed}`, source, text, markdown, framed, style });
  }

  private take(update: UiUpdate): void {
    const { slot, extension, text = "", markdown = false } = update;
    switch (slot) {
      case "print":
      case "block":
        return this.print(extension, text, markdown, slot === "block", update.style);
      case "prompt":
        return this.promptEmitter.fire(text);
      case "status":
        return this.drawStatus(update);
      case "widget":
      case "header":
      case "footer":
        if (update.op === "set") this.shown.set(keyOf(update), update);
        else this.shown.delete(keyOf(update));
        this.changeEmitter.fire();
    }
  }

  private drawStatus(update: UiUpdate): void {
    const key = keyOf(update);
    const before = this.shown.get(key);
    let item = this.items.get(key);
    // The place of an item cannot be changed.
    if (item && (update.op === "remove" || before?.priority !== update.priority)) {
      item.dispose();
      this.items.delete(key);
      item = undefined;
    }
    if (update.op === "remove") {
      this.shown.delete(key);
      return;
    }
    this.shown.set(key, update);
    item ??= vscode.window.createStatusBarItem(`kit.${key}`, vscode.StatusBarAlignment.Right, statusPlace - (update.priority ?? 0) / 100);
    this.items.set(key, item);
    const text = update.text ?? "";
    item.name = `Kit: ${update.extension}`;
    item.text = elideMiddle(text.replace(/\s+/g, " "), statusLimit);
    item.tooltip = `${text}\n${update.extension}`;
    item.command = "kit.extensions";
    if (text.trim() === "") item.hide();
    else item.show();
  }

  private clear(): void {
    for (const item of this.items.values()) item.dispose();
    this.items.clear();
    this.shown.clear();
    this.changeEmitter.fire();
  }

  dispose(): void {
    this.clear();
    for (const subscription of this.subscriptions) subscription.dispose();
    this.changeEmitter.dispose();
    this.promptEmitter.dispose();
  }
}

function keyOf({ slot, extension, id }: UiUpdate): string {
  return `${slot}.${extension}.${id}`;
}
