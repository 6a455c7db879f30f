// What extensions put on the screen: `kit/ui` sets and removes texts in named slots, highest priority first.

import * as vscode from "vscode";
import type { Client } from "./client.ts";
import type { Ui } from "./protocol.ts";

export type LastingSlot = Exclude<Ui["slot"], "print" | "block">;

export class Slots implements vscode.Disposable {
  private readonly emitter = new vscode.EventEmitter<void>();
  private readonly printEmitter = new vscode.EventEmitter<string>();
  private readonly subscriptions: vscode.Disposable[];
  private readonly entries = new Map<string, Ui>();

  readonly onChange = this.emitter.event;
  /** Markdown that an extension prints into the session once. */
  readonly onPrint = this.printEmitter.event;

  constructor(client: Client) {
    this.subscriptions = [
      client.onUi((ui) => this.take(ui)),
      client.onState((state) => {
        if (state === "running" && this.entries.size > 0) {
          this.entries.clear();
          this.emitter.fire();
        }
      }),
    ];
  }

  private take(ui: Ui): void {
    if (ui.slot === "print" || ui.slot === "block") {
      if (ui.op === "set") this.printEmitter.fire(content(ui));
      return;
    }
    const key = `${ui.extension}/${ui.slot}/${ui.id}`;
    if (ui.op === "set") this.entries.set(key, ui);
    else this.entries.delete(key);
    this.emitter.fire();
  }

  texts(slot: LastingSlot): string[] {
    return [...this.entries.values()]
      .filter((ui) => ui.slot === slot)
      .sort((left, right) => (right.priority ?? 0) - (left.priority ?? 0))
      .map(content);
  }

  dispose(): void {
    for (const subscription of this.subscriptions) subscription.dispose();
    this.emitter.dispose();
    this.printEmitter.dispose();
  }
}

function content(ui: Ui): string {
  return ui.markdown ?? ui.text ?? "";
}
