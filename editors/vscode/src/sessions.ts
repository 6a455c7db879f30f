// Sessions of the workspace: the tree under the session view, the quick pick, and what can be done with one.

import * as vscode from "vscode";
import type { Client } from "./client.ts";
import type { Content } from "./content.ts";
import { attempt, errorKind, report } from "./errors.ts";
import { plural } from "./format.ts";
import type { SessionSummary } from "./protocol.ts";
import type { SessionStore } from "./session/store.ts";

/** What can be done with a session from the pick list. */
const buttons = {
  rename: button("edit", "Rename"),
  fork: button("repo-forked", "Fork"),
  export: button("export", "Export"),
  transcript: button("markdown", "Open Transcript"),
  delete: button("trash", "Delete"),
};
const importButton = button("desktop-download", "Import a Session File");
const newButton = button("add", "New Session");

export class Sessions implements vscode.Disposable, vscode.TreeDataProvider<SessionSummary> {
  private readonly emitter = new vscode.EventEmitter<void>();
  readonly onDidChangeTreeData = this.emitter.event;
  private readonly subscriptions: vscode.Disposable[];
  private listed: SessionSummary[] = [];

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

  /** Sessions by the one that they were forked or spawned from. */
  async getChildren(session?: SessionSummary): Promise<SessionSummary[]> {
    if (this.client.state !== "running") return [];
    if (!session) this.listed = await this.list();
    return childrenOf(this.listed, session);
  }

  getTreeItem(session: SessionSummary): vscode.TreeItem {
    const { Collapsed, None } = vscode.TreeItemCollapsibleState;
    const item = new vscode.TreeItem(titleOf(session), childrenOf(this.listed, session).length > 0 ? Collapsed : None);
    item.id = session.id;
    item.description = ago(session.modified);
    item.tooltip = `${titleOf(session)}\n${plural(session.messageCount, "message")}\n${session.path}`;
    item.iconPath = new vscode.ThemeIcon(session.running ? "loading~spin" : session.id === this.store.current ? "circle-filled" : session.subagentTask ? "organization" : "comment");
    item.command = { title: "Open Session", command: "kit.openSession", arguments: [session] };
    item.accessibilityInformation = { label: `Session ${titleOf(session)}, ${plural(session.messageCount, "message")}${session.running ? ", running" : ""}` };
    return item;
  }

  private async list(): Promise<SessionSummary[]> {
    const { sessions } = await this.client.call("kit.session.list", { scope: "root" });
    return sessions.toSorted((left, right) => right.modified.localeCompare(left.modified));
  }

  /** Opens a session, or does with it what the button says. */
  async pick(): Promise<void> {
    const chosen = await this.choose("Sessions", Object.values(buttons), [newButton, importButton]);
    if (!chosen) return;
    const { session, button } = chosen;
    if (button === newButton) return this.create();
    if (button === importButton) return this.import();
    if (!session) return;
    switch (button) {
      case buttons.rename:
        return this.rename(session);
      case buttons.fork:
        return this.fork(session);
      case buttons.export:
        return this.export(session);
      case buttons.transcript:
        return this.openTranscript(session);
      case buttons.delete:
        return this.remove(session);
      default:
        return this.open(session);
    }
  }

  private async choose(title: string, itemButtons: vscode.QuickInputButton[], listButtons: vscode.QuickInputButton[] = []): Promise<{ session?: SessionSummary; button?: vscode.QuickInputButton } | undefined> {
    const sessions = await attempt(() => this.list());
    if (!sessions) return undefined;
    const rows = (parent: SessionSummary | undefined, depth: number): { session: SessionSummary; depth: number }[] =>
      childrenOf(sessions, parent).flatMap((session) => [{ session, depth }, ...rows(session, depth + 1)]);
    const pick = vscode.window.createQuickPick<vscode.QuickPickItem & { session: SessionSummary }>();
    pick.title = `Kit: ${title}`;
    pick.placeholder = sessions.length > 0 ? "Search sessions" : "No sessions in this workspace yet";
    pick.matchOnDetail = true;
    pick.buttons = listButtons;
    pick.items = rows(undefined, 0).map(({ session, depth }) => ({
      session,
      label: `${"    ".repeat(depth)}${session.running ? "$(loading~spin)" : session.subagentTask ? "$(organization)" : depth > 0 ? "$(repo-forked)" : "$(comment)"} ${titleOf(session)}`,
      description: `${ago(session.modified)} · ${plural(session.messageCount, "message")}${session.id === this.store.current ? " · open" : ""}`,
      ...(session.name && session.firstMessage ? { detail: session.firstMessage } : {}),
      buttons: itemButtons,
    }));
    return new Promise((resolve) => {
      pick.onDidAccept(() => {
        const item = pick.selectedItems[0];
        resolve(item && { session: item.session });
        pick.hide();
      });
      pick.onDidTriggerItemButton(({ item, button }) => {
        resolve({ session: item.session, button });
        pick.hide();
      });
      pick.onDidTriggerButton((button) => {
        resolve({ button });
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
    try {
      await this.client.call("kit.session.open", { session: session.id });
      await this.follow(session.id);
    } catch (error) {
      if (errorKind(error) !== "busy") return report(error);
      const choice = await vscode.window.showWarningMessage(`Kit: “${titleOf(session)}” is open in another editor; a copy of it can go on here.`, "Fork");
      if (choice) await this.fork(session);
    }
  }

  private async follow(session: string): Promise<void> {
    this.store.show(session);
    this.refresh();
    await this.showSession();
  }

  async create(): Promise<void> {
    await attempt(async () => {
      const { session } = await this.client.call("kit.session.new", editedFile());
      await this.follow(session);
    });
  }

  async rename(target?: SessionSummary): Promise<void> {
    const session = target ?? (await this.choose("Rename Session", []))?.session;
    const name = session && (await vscode.window.showInputBox({ title: "Kit: Rename session", value: session.name ?? "" }));
    if (!session || !name) return;
    await attempt(() => this.client.call("kit.session.rename", { session: session.id, name }));
    this.refresh();
  }

  async fork(target?: SessionSummary): Promise<void> {
    const source = target?.id ?? this.store.current;
    await attempt(async () => {
      const { session } = await this.client.call("kit.session.fork", source ? { session: source } : {});
      await this.follow(session);
    });
  }

  async remove(target?: SessionSummary): Promise<void> {
    const session = target ?? (await this.choose("Delete session", []))?.session;
    if (!session) return;
    const children = childrenOf(await this.list(), session).filter((child) => child.subagentTask).length;
    const detail = `${children > 0 ? `Its file and those of its ${plural(children, "subagent")} are deleted.` : "Its file is deleted."} Changes in your files stay.`;
    const choice = await vscode.window.showWarningMessage(`Delete the session “${titleOf(session)}”?`, { modal: true, detail }, "Delete");
    if (choice !== "Delete") return;
    const answer = await attempt(() => this.client.call("kit.session.delete", { session: session.id }));
    if (this.store.current && answer?.deleted.includes(this.store.current)) this.store.clear();
    this.refresh();
  }

  async openTranscript(target?: SessionSummary): Promise<void> {
    const prompt = this.store.model?.items.find((item) => item.kind === "user");
    if (!target && this.store.current) return void attempt(() => this.content.showTranscript(this.store.current ?? "", prompt?.text ?? ""));
    const session = target ?? (await this.choose("Open transcript", []))?.session;
    if (session) await attempt(() => this.content.showTranscript(session.id, titleOf(session)));
  }

  async retry(): Promise<void> {
    if (await attempt(() => this.client.call("kit.session.retry", this.reference()))) this.store.reload();
  }

  /** Saves a session as the file it is, or as Markdown. */
  async export(target?: SessionSummary): Promise<void> {
    const session = target?.id ?? this.store.current;
    const name = (target ? titleOf(target) : "session").replace(/[^\p{L}\p{N} ._-]+/gu, " ").trim().slice(0, 60) || "session";
    const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
    const file = session && (await vscode.window.showSaveDialog({
      title: "Kit: Export Session", ...(folder ? { defaultUri: vscode.Uri.joinPath(folder, `${name}.jsonl`) } : {}), filters: { "Session file": ["jsonl"], Markdown: ["md"] },
    }));
    if (!session || !file) return;
    const exported = await attempt(() => this.client.call("kit.session.export", { session, path: file.fsPath }));
    if (!exported) return;
    const choice = await vscode.window.showInformationMessage(`Kit: The session was exported to ${vscode.workspace.asRelativePath(file)}.`, "Open");
    if (choice) await vscode.window.showTextDocument(file);
  }

  async import(): Promise<void> {
    const [file] = (await vscode.window.showOpenDialog({ title: "Kit: Import Session", openLabel: "Import", filters: { "Session file": ["jsonl"] } })) ?? [];
    if (!file) return;
    await attempt(async () => {
      const { session } = await this.client.call("kit.session.import", { path: file.fsPath });
      await this.follow(session);
    });
  }

  async compact(): Promise<void> {
    const focus = await vscode.window.showInputBox({
      title: "Kit: Compact Session", placeHolder: "Focus (optional)", prompt: "Older messages are replaced by a summary. What should it keep in mind?",
    });
    if (focus === undefined) return;
    await attempt(() => this.client.call("kit.session.compact", { ...this.reference(), ...(focus.trim() ? { focus: focus.trim() } : {}) }));
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

function button(icon: string, tooltip: string): vscode.QuickInputButton {
  return { iconPath: new vscode.ThemeIcon(icon), tooltip };
}

/** Whose parent is not listed stands at the top. */
function childrenOf(sessions: SessionSummary[], parent: SessionSummary | undefined): SessionSummary[] {
  const known = new Set(sessions.map((session) => session.id));
  return sessions.filter(({ parentSession }) => (parentSession !== undefined && known.has(parentSession) ? parentSession : undefined) === parent?.id);
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

/** The file that is edited, whose folder a new session works in. */
function editedFile(): { path?: string } {
  const uri = vscode.window.activeTextEditor?.document.uri;
  return uri?.scheme === "file" ? { path: uri.fsPath } : {};
}
