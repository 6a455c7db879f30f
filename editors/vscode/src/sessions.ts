// Sessions of the workspace: the tree under the session view, the quick pick, and what can be done with one.

import * as vscode from "vscode";
import type { Client } from "./client.ts";
import type { Content } from "./content.ts";
import { attempt } from "./errors.ts";
import { plural } from "./format.ts";
import type { SessionSummary } from "./protocol.ts";
import type { SessionStore } from "./session/store.ts";

export class Sessions implements vscode.Disposable, vscode.TreeDataProvider<SessionSummary> {
  private readonly emitter = new vscode.EventEmitter<void>();
  readonly onDidChangeTreeData = this.emitter.event;
  private readonly subscriptions: vscode.Disposable[];

  constructor(
    private readonly client: Client,
    private readonly store: SessionStore,
    private readonly content: Content,
    private readonly showSession: () => Promise<void>,
  ) {
    this.subscriptions = [
      vscode.window.createTreeView("kit.sessionsView", { treeDataProvider: this }),
      client.onState(() => this.refresh()),
      client.onEvent((event) => {
        if (event.type === "turn_start" || event.type === "turn_end") this.refresh();
      }),
    ];
  }

  refresh(): void {
    this.emitter.fire();
  }

  async getChildren(): Promise<SessionSummary[]> {
    return this.client.state === "running" ? this.list() : [];
  }

  getTreeItem(session: SessionSummary): vscode.TreeItem {
    const item = new vscode.TreeItem(titleOf(session));
    item.id = session.id;
    item.description = ago(session.modified);
    item.tooltip = `${titleOf(session)}\n${plural(session.messageCount, "message")}\n${session.path}`;
    item.iconPath = new vscode.ThemeIcon(session.running ? "loading~spin" : session.id === this.store.current ? "circle-filled" : "comment");
    item.command = { title: "Open Session", command: "kit.openSession", arguments: [session] };
    item.accessibilityInformation = { label: `Session ${titleOf(session)}, ${plural(session.messageCount, "message")}${session.running ? ", running" : ""}` };
    return item;
  }

  private async list(): Promise<SessionSummary[]> {
    const { sessions } = await this.client.call("kit.session.list", { scope: "root" });
    return sessions.toSorted((left, right) => right.modified.localeCompare(left.modified));
  }

  /** Opens, renames, forks or deletes from one list. */
  async pick(): Promise<void> {
    const chosen = await this.choose("Sessions", [
      { iconPath: new vscode.ThemeIcon("edit"), tooltip: "Rename" },
      { iconPath: new vscode.ThemeIcon("repo-forked"), tooltip: "Fork" },
      { iconPath: new vscode.ThemeIcon("trash"), tooltip: "Delete" },
    ]);
    switch (chosen?.action) {
      case undefined:
        return chosen ? this.open(chosen.session) : undefined;
      case "Rename":
        return this.rename(chosen?.session);
      case "Fork":
        return this.fork(chosen?.session);
      case "Delete":
        return this.remove(chosen?.session);
    }
  }

  private async choose(title: string, buttons: vscode.QuickInputButton[]): Promise<{ session: SessionSummary; action: string | undefined } | undefined> {
    const sessions = await attempt(() => this.list());
    if (!sessions) return undefined;
    const pick = vscode.window.createQuickPick<vscode.QuickPickItem & { session: SessionSummary }>();
    pick.title = `Kit: ${title}`;
    pick.placeholder = sessions.length > 0 ? "Search sessions" : "No sessions in this workspace yet";
    pick.matchOnDetail = true;
    pick.items = sessions.map((session) => ({
      session,
      label: `${session.running ? "$(loading~spin) " : ""}${titleOf(session)}`,
      description: `${ago(session.modified)} · ${plural(session.messageCount, "message")}`,
      ...(session.name && session.firstMessage ? { detail: session.firstMessage } : {}),
      buttons,
    }));
    return new Promise((resolve) => {
      pick.onDidAccept(() => {
        const item = pick.selectedItems[0];
        resolve(item && { session: item.session, action: undefined });
        pick.hide();
      });
      pick.onDidTriggerItemButton(({ item, button }) => {
        resolve({ session: item.session, action: button.tooltip });
        pick.hide();
      });
      pick.onDidHide(() => {
        resolve(undefined);
        pick.dispose();
      });
      pick.show();
    });
  }

  async open(session: SessionSummary): Promise<void> {
    await attempt(async () => {
      await this.client.call("kit.session.open", { session: session.id });
      this.store.show(session.id);
      this.refresh();
      await this.showSession();
    });
  }

  async create(): Promise<void> {
    await attempt(async () => {
      const { session } = await this.client.call("kit.session.new", {});
      this.store.show(session);
      this.refresh();
      await this.showSession();
    });
  }

  async rename(target?: SessionSummary): Promise<void> {
    const session = target ?? (await this.choose("Rename session", []))?.session;
    const name = session && (await vscode.window.showInputBox({ title: "Kit: Rename session", value: session.name ?? "" }));
    if (!session || !name) return;
    await attempt(() => this.client.call("kit.session.rename", { session: session.id, name }));
    this.refresh();
  }

  async fork(target?: SessionSummary): Promise<void> {
    const source = target?.id ?? this.store.current;
    await attempt(async () => {
      const { session } = await this.client.call("kit.session.fork", source ? { session: source } : {});
      this.store.show(session);
      this.refresh();
      await this.showSession();
    });
  }

  async remove(target?: SessionSummary): Promise<void> {
    const session = target ?? (await this.choose("Delete session", []))?.session;
    if (!session) return;
    const choice = await vscode.window.showWarningMessage(
      `Delete the session “${titleOf(session)}”?`, { modal: true, detail: "Its file is deleted. Changes in your files stay." }, "Delete");
    if (choice !== "Delete") return;
    await attempt(() => this.client.call("kit.session.delete", { session: session.id }));
    if (this.store.current === session.id) this.store.clear();
    this.refresh();
  }

  async openTranscript(target?: SessionSummary): Promise<void> {
    const prompt = this.store.model?.items.find((item) => item.kind === "user");
    if (!target && this.store.current) return void attempt(() => this.content.showTranscript(this.store.current ?? "", prompt?.text ?? ""));
    const session = target ?? (await this.choose("Open transcript", []))?.session;
    if (session) await attempt(() => this.content.showTranscript(session.id, titleOf(session)));
  }

  async retry(): Promise<void> {
    await attempt(() => this.client.call("kit.session.retry", this.reference()));
  }

  private reference(): { session?: string } {
    const session = this.store.current;
    return session ? { session } : {};
  }

  dispose(): void {
    for (const subscription of this.subscriptions) subscription.dispose();
    this.emitter.dispose();
  }
}

function titleOf(session: SessionSummary): string {
  const text = session.name || session.firstMessage?.split("\n", 1)[0]?.trim() || session.subagentTask || "New session";
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

function ago(time: string): string {
  const minutes = Math.max(0, Math.round((Date.now() - Date.parse(time)) / 60_000));
  if (Number.isNaN(minutes)) return "";
  if (minutes < 1) return "now";
  if (minutes < 60) return `${minutes} min ago`;
  if (minutes < 60 * 24) return `${Math.round(minutes / 60)} h ago`;
  return `${Math.round(minutes / 60 / 24)} d ago`;
}
