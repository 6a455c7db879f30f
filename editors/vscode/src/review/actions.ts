// What the review commands do: find the hunks that are meant, ask the store, go on to the next hunk.

import * as vscode from "vscode";
import type { ReviewHunk } from "../protocol.ts";
import { setting } from "../settings.ts";
import { hunkAt, hunkFrom, hunksOfChange, selectedLines, type Direction, type LineChange } from "./hunks.ts";
import type { Act, ReviewStore } from "./store.ts";
import { diffCommand } from "./surface.ts";

/** How long to wait for the review after an act before giving up on the jump to the next hunk. */
const jumpPatienceMs = 2000;

export class ReviewActions {
  constructor(private readonly store: ReviewStore) {}

  /** The hunk of a lens, or the one at the cursor. */
  async hunk(act: Act, target?: vscode.Uri | string, id?: string, reason?: string): Promise<void> {
    const found = target === undefined ? this.atCursor() : this.byId(typeof target === "string" ? vscode.Uri.parse(target) : target, id);
    if (!found) return;
    const { uri, hunk } = found;
    const index = this.store.hunks(uri).findIndex((candidate) => candidate.id === hunk.id);
    const settled = this.nextReview();
    await this.store.actOnHunks(act, uri, [hunk], reason);
    // A lens can be clicked far from the cursor, which then stays where it is.
    if (target !== undefined || !setting("review.jumpToNext", true) || !(await settled)) return;
    const editor = vscode.window.activeTextEditor;
    const hunks = this.store.hunks(uri);
    const next = hunks[index] ?? hunks.at(-1);
    if (next && editor?.document.uri.toString() === uri.toString()) reveal(editor, next);
  }

  async rejectHunk(): Promise<void> {
    if (!this.atCursor()) return;
    const reason = await vscode.window.showInputBox({ title: "Kit: Undo hunk", prompt: "Why? The agent is told.", ignoreFocusOut: true });
    if (reason !== undefined) await this.hunk("undo", undefined, undefined, reason);
  }

  async lines(act: Act): Promise<void> {
    const editor = vscode.window.activeTextEditor;
    if (editor) await this.store.actOnLines(act, editor.document, selectedLines(editor.selection));
  }

  async file(act: Act, target?: vscode.Uri): Promise<void> {
    const uri = target ?? vscode.window.activeTextEditor?.document.uri;
    if (uri && this.store.file(uri)) await this.store.actOnFile(act, uri);
  }

  async all(act: Act): Promise<void> {
    const hunks = this.store.hunkCount;
    if (hunks > 0) await this.store.act(act, { all: true });
  }

  /** A change in the peek of the quick diff. */
  async change(act: Act, uri: vscode.Uri, changes: LineChange[], index: number): Promise<void> {
    const change = changes[index];
    const hunks = change ? hunksOfChange(this.store.hunks(uri), change) : [];
    if (hunks.length > 0) await this.store.actOnHunks(act, uri, hunks);
  }

  async resources(act: Act, states: vscode.SourceControlResourceState[]): Promise<void> {
    for (const state of states) await this.store.actOnFile(act, state.resourceUri);
  }

  /** The next or previous hunk of the file, else the first or last one of the neighboring file. */
  async go(direction: Direction): Promise<void> {
    const editor = vscode.window.activeTextEditor;
    const files = this.store.all().filter(({ file }) => file.status !== "deleted");
    const here = files.findIndex(({ uri }) => uri.toString() === editor?.document.uri.toString());
    const inFile = editor && here >= 0 ? hunkFrom(this.store.hunks(editor.document.uri), editor.selection.active.line, direction) : undefined;
    if (editor && inFile) return reveal(editor, inFile);
    const step = direction === "next" ? 1 : -1;
    const target = files.at((here < 0 && direction === "previous" ? -1 : here + step) % files.length);
    if (!target) return;
    const shown = await vscode.window.showTextDocument(target.uri, { preview: true });
    const hunk = direction === "next" ? target.file.hunks[0] : target.file.hunks.at(-1);
    if (hunk) reveal(shown, hunk);
  }

  async openFile(target?: vscode.Uri): Promise<void> {
    const uri = target ?? vscode.window.activeTextEditor?.document.uri;
    const file = uri && this.store.file(uri);
    if (!uri || !file) return;
    const { command, arguments: args = [] } = diffCommand(uri, file);
    await vscode.commands.executeCommand(command, ...(args as unknown[]));
  }

  private atCursor(): { uri: vscode.Uri; hunk: ReviewHunk } | undefined {
    const editor = vscode.window.activeTextEditor;
    const hunk = editor && hunkAt(this.store.hunks(editor.document.uri), editor.selection.active.line);
    return editor && hunk ? { uri: editor.document.uri, hunk } : undefined;
  }

  private byId(uri: vscode.Uri, id: string | undefined): { uri: vscode.Uri; hunk: ReviewHunk } | undefined {
    const hunk = this.store.hunks(uri).find((candidate) => candidate.id === id);
    // VS Code draws lenses anew with a delay, so a quick click can meet one that is out of date.
    if (!hunk) vscode.window.setStatusBarMessage("Kit: That hunk has changed meanwhile.", 3000);
    return hunk && { uri, hunk };
  }

  private nextReview(): Promise<boolean> {
    return new Promise((resolve) => {
      const finish = (arrived: boolean) => {
        clearTimeout(patience);
        subscription.dispose();
        resolve(arrived);
      };
      const patience = setTimeout(() => finish(false), jumpPatienceMs);
      const subscription = this.store.onChange(() => finish(true));
    });
  }
}

function reveal(editor: vscode.TextEditor, hunk: ReviewHunk): void {
  const line = Math.min(hunk.lines[0], editor.document.lineCount - 1);
  const position = new vscode.Position(line, 0);
  editor.selection = new vscode.Selection(position, position);
  editor.revealRange(new vscode.Range(position, position), vscode.TextEditorRevealType.InCenterIfOutsideViewport);
}
