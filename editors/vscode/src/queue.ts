// The prompts that wait for the running turn: look, take one back, take all back.

import * as vscode from "vscode";
import type { Client } from "./client.ts";
import { attempt } from "./errors.ts";
import type { QueueAnswer, QueueItem } from "./protocol.ts";

const removeButton: vscode.QuickInputButton = { iconPath: new vscode.ThemeIcon("trash"), tooltip: "Take Back" };
const clearButton: vscode.QuickInputButton = { iconPath: new vscode.ThemeIcon("clear-all"), tooltip: "Take All Back" };

export class Queue {
  constructor(
    private readonly client: Client,
    private readonly session: () => string | undefined,
    private readonly write: (text: string) => void,
  ) {}

  async pick(): Promise<void> {
    const session = this.session();
    const first = session && (await attempt(() => this.client.call("kit.queue.list", { session })));
    if (!first || first.items.length === 0) {
      void vscode.window.showInformationMessage("Kit: No prompt waits.");
      return;
    }
    const pick = vscode.window.createQuickPick<vscode.QuickPickItem & { waiting: QueueItem }>();
    const show = ({ items }: QueueAnswer) => {
      if (items.length === 0) return pick.hide();
      pick.items = items.map((waiting) => ({
        label: waiting.text.split("\n", 1)[0] ?? "", description: waiting.delivery === "steer" ? "joins the running turn" : "begins a turn of its own", buttons: [removeButton], waiting,
      }));
    };
    const take = async (work: () => Promise<QueueAnswer>) => {
      const left = await attempt(work);
      if (left) show(left);
    };
    pick.title = "Kit: Waiting Prompts";
    pick.placeholder = "Choose one to take it back into the input";
    pick.buttons = [clearButton];
    show(first);
    pick.onDidTriggerItemButton(({ item }) => take(() => this.client.call("kit.queue.remove", { session, id: item.waiting.id })));
    pick.onDidTriggerButton(() => take(() => this.client.call("kit.queue.clear", { session })));
    pick.onDidAccept(async () => {
      const waiting = pick.selectedItems[0]?.waiting;
      pick.hide();
      if (waiting && (await attempt(() => this.client.call("kit.queue.remove", { session, id: waiting.id })))) this.write(waiting.text);
    });
    pick.onDidHide(() => pick.dispose());
    pick.show();
  }

  async clear(): Promise<void> {
    const session = this.session();
    if (session) await attempt(() => this.client.call("kit.queue.clear", { session }));
  }
}
