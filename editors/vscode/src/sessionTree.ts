// The tree of the session that is shown: where it branched, and what can be done from an entry.

import * as vscode from "vscode";
import type { Client } from "./client.ts";
import { attempt } from "./errors.ts";
import { plural } from "./format.ts";
import type { SessionNode } from "./protocol.ts";
import type { Rewinder } from "./rewind.ts";
import type { SessionStore } from "./session/store.ts";
import type { SessionView } from "./session/view.ts";
import { rowKind, rowLabel, size, treeRows, type TreeRow } from "./treeRows.ts";

/** A row, or the fold that holds another branch. */
type Element = { row: TreeRow } | { branch: TreeRow[] };

const icons: Record<string, string> = { You: "person", Kit: "sparkle", Summary: "fold", "Summary of a branch": "fold", Model: "server" };

export class SessionTree implements vscode.Disposable, vscode.TreeDataProvider<Element> {
  private readonly emitter = new vscode.EventEmitter<void>();
  readonly onDidChangeTreeData = this.emitter.event;
  private readonly view: vscode.TreeView<Element>;
  private readonly subscriptions: vscode.Disposable[];

  constructor(
    private readonly client: Client,
    private readonly store: SessionStore,
    private readonly session: SessionView,
    private readonly rewinder: Rewinder,
    private readonly changed: () => void,
  ) {
    this.view = vscode.window.createTreeView("kit.treeView", { treeDataProvider: this, showCollapseAll: true });
    this.subscriptions = [
      this.view,
      client.onState(() => this.refresh()),
      store.onReset(() => this.refresh()),
      client.onEvent((event) => {
        if (event.session === store.current && !event.agent && (event.type === "turn_start" || event.type === "turn_end" || event.type === "compaction")) this.refresh();
      }),
    ];
  }

  refresh(): void {
    this.emitter.fire();
  }

  async show(): Promise<void> {
    await vscode.commands.executeCommand("kit.treeView.focus");
  }

  async getChildren(element?: Element): Promise<Element[]> {
    if (element) return "branch" in element ? element.branch.map((row) => ({ row })) : element.row.branches.map((branch) => ({ branch }));
    const session = this.store.current;
    if (!session || this.client.state !== "running") return [];
    // A session that was deleted meanwhile has no tree; the view then says what to do.
    const { nodes } = await this.client.call("kit.session.tree", { session }).catch(() => ({ nodes: [] }));
    return treeRows(nodes).map((row) => ({ row }));
  }

  getTreeItem(element: Element): vscode.TreeItem {
    const { Collapsed, None } = vscode.TreeItemCollapsibleState;
    if ("branch" in element) {
      const first = element.branch[0];
      const item = new vscode.TreeItem(first ? rowLabel(first) : "", Collapsed);
      item.iconPath = new vscode.ThemeIcon("git-branch");
      item.description = `branch, ${plural(size(element.branch), "entry", "entries")}`;
      item.accessibilityInformation = { label: `Another branch: ${first ? rowLabel(first) : ""}, ${plural(size(element.branch), "entry", "entries")}` };
      return item;
    }
    const { row } = element;
    const { node } = row;
    const kind = rowKind(row);
    const item = new vscode.TreeItem(rowLabel(row), row.branches.length > 0 ? vscode.TreeItemCollapsibleState.Expanded : None);
    // VS Code remembers how a row was folded by its id: one that gets its first branch opens.
    item.id = row.branches.length > 0 ? `${node.id}+` : node.id;
    item.iconPath = new vscode.ThemeIcon(row.leaf ? "circle-filled" : (icons[kind] ?? "circle-small"), row.leaf ? new vscode.ThemeColor("charts.green") : undefined);
    item.description = [node.label ? `[${node.label}]` : "", row.leaf ? "you are here" : ""].filter(Boolean).join(" · ");
    item.tooltip = `${kind}: ${node.text}\n${new Date(node.at).toLocaleString()}`;
    item.contextValue = `entry${node.turn && node.current ? " turn" : ""}${node.label ? " labelled" : ""}`;
    if (node.turn && node.current) item.command = { title: "Show in Session", command: "kit.showTurn", arguments: [node.turn] };
    item.accessibilityInformation = { label: `${kind}: ${rowLabel(row)}${node.label ? `, label ${node.label}` : ""}${row.leaf ? ", the next prompt follows here" : ""}` };
    return item;
  }

  /** Goes on from an entry. A prompt is asked anew: the branch begins before it, and its text can be changed. */
  async branch(element: Element | undefined, summarize: boolean): Promise<void> {
    const node = await this.nodeOf(element, summarize ? "Branch with a summary" : "Branch");
    const session = this.store.current;
    if (!node || !session) return;
    const focus = summarize ? await vscode.window.showInputBox({ title: "Kit: Branch with a summary", ignoreFocusOut: true, prompt: "What should the summary of the branch that is left keep in mind? Empty: everything." }) : "";
    if (focus === undefined) return;
    const again = node.role === "user" ? this.promptOf(node) : undefined;
    const entry = again === undefined ? node.id : (node.parent ?? "");
    const done = await attempt(() => this.client.call("kit.session.branch", { session, entry, ...(summarize ? { summarize } : {}), ...(focus ? { focus } : {}) }));
    if (!done) return;
    this.store.reload();
    await this.session.focus();
    if (again !== undefined) this.session.write(again);
  }

  async fork(element: Element | undefined): Promise<void> {
    const node = await this.nodeOf(element, "Fork");
    const session = this.store.current;
    if (!node || !session) return;
    const forked = await attempt(() => this.client.call("kit.session.fork", { session, entry: node.id }));
    if (!forked) return;
    this.store.show(forked.session);
    this.changed();
    await this.session.reveal();
  }

  async label(element: Element | undefined): Promise<void> {
    const node = await this.nodeOf(element, "Label");
    const session = this.store.current;
    const label = node && (await vscode.window.showInputBox({ title: "Kit: Label", ignoreFocusOut: true, value: node.label ?? "", prompt: "Empty takes the label away." }));
    if (!node || !session || label === undefined) return;
    await attempt(() => this.client.call("kit.session.label", { session, entry: node.id, label: label.trim() }));
    this.refresh();
  }

  async rewind(element: Element | undefined): Promise<void> {
    const node = await this.nodeOf(element, "Rewind");
    if (node?.turn) await this.rewinder.rewind(node.turn);
  }

  /** The text of a prompt: the tree has its beginning alone, the session that is shown has it whole. */
  private promptOf(node: SessionNode): string {
    const turn = this.store.model?.items.find((item) => item.kind === "user" && item.within === undefined && item.turn === node.turn);
    return turn?.kind === "user" ? turn.text : node.text;
  }

  /** The entry that was clicked, else one that the user picks. */
  private async nodeOf(element: Element | undefined, title: string): Promise<SessionNode | undefined> {
    if (element) return "row" in element ? element.row.node : element.branch[0]?.node;
    const flat = (elements: TreeRow[], depth: number): { row: TreeRow; depth: number }[] =>
      elements.flatMap((row) => [{ row, depth }, ...row.branches.flatMap((branch) => flat(branch, depth + 1))]);
    const session = this.store.current;
    const tree = session && (await attempt(() => this.client.call("kit.session.tree", { session })));
    if (!tree) {
      void vscode.window.showInformationMessage("Kit: No session is open; run Kit: Sessions… to open one.");
      return undefined;
    }
    const items = flat(treeRows(tree.nodes), 0).map(({ row, depth }) => ({
      label: `${"    ".repeat(depth)}${row.leaf ? "$(circle-filled)" : depth > 0 ? "$(git-branch)" : "$(circle-small)"} ${rowLabel(row)}`,
      description: [rowKind(row), row.node.label ? `$(tag) ${row.node.label}` : "", row.leaf ? "you are here" : ""].filter(Boolean).join(" · "),
      node: row.node,
    }));
    return (await vscode.window.showQuickPick(items, { title: `Kit: ${title}`, placeHolder: "From which entry?", matchOnDescription: true }))?.node;
  }

  dispose(): void {
    for (const subscription of this.subscriptions) subscription.dispose();
    this.emitter.dispose();
  }
}
