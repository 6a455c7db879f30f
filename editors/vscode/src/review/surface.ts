// Shows the review where VS Code shows changes: a source control with a quick diff (gutter marks and a peek with the
// old lines, beside git's own), resource states, and the context keys that the menus and keys depend on.

import * as vscode from "vscode";
import { baseName, plural } from "../format.ts";
import type { ReviewedFile } from "../protocol.ts";
import { hunkAt } from "./hunks.ts";
import { baseOf, type ReviewStore } from "./store.ts";

export class ReviewSurface implements vscode.Disposable {
  private control: vscode.SourceControl | undefined;
  private group: vscode.SourceControlResourceGroup | undefined;
  private listed = "";
  private readonly keys = new Map<string, unknown>();
  private readonly subscriptions: vscode.Disposable[];

  constructor(private readonly store: ReviewStore) {
    this.subscriptions = [
      store.onChange(() => this.draw()),
      vscode.window.onDidChangeActiveTextEditor(() => this.updateKeys()),
      vscode.window.onDidChangeTextEditorSelection(() => this.updateKeys()),
    ];
    this.updateKeys();
  }

  /** The source control exists while there is something to review, so that an idle Kit takes no room in the view. */
  private draw(): void {
    const files = this.store.all();
    if (files.length === 0) {
      this.control?.dispose();
      this.control = this.group = undefined;
      this.listed = "";
    } else {
      this.control ??= this.create();
      this.group ??= this.control.createResourceGroup("pending", "Pending review");
      this.group.resourceStates = files.map(({ uri, file }) => resourceState(uri, file));
      this.control.count = files.length;
      const listed = files.map(({ uri }) => uri.toString()).join("\n");
      // VS Code asks for a file's original once; a new provider makes it ask again.
      if (listed !== this.listed) this.control.quickDiffProvider = this.quickDiff();
      this.listed = listed;
    }
    this.updateKeys();
  }

  private create(): vscode.SourceControl {
    const control = vscode.scm.createSourceControl("kit", "Kit changes");
    control.inputBox.visible = false;
    return control;
  }

  private quickDiff(): vscode.QuickDiffProvider {
    return { provideOriginalResource: (uri) => (this.store.file(uri) ? baseOf(uri) : undefined) };
  }

  private updateKeys(): void {
    const editor = vscode.window.activeTextEditor;
    const hunks = editor ? this.store.hunks(editor.document.uri) : [];
    this.setKey("kit.hasHunks", this.store.hunkCount > 0);
    this.setKey("kit.fileHasHunks", hunks.length > 0);
    this.setKey("kit.inHunk", editor !== undefined && hunkAt(hunks, editor.selection.active.line) !== undefined);
  }

  private setKey(name: string, value: unknown): void {
    if (this.keys.get(name) === value) return;
    this.keys.set(name, value);
    void vscode.commands.executeCommand("setContext", name, value);
  }

  dispose(): void {
    this.control?.dispose();
    for (const subscription of this.subscriptions) subscription.dispose();
  }
}

function resourceState(uri: vscode.Uri, file: ReviewedFile): vscode.SourceControlResourceState {
  const summary = `${file.status}, +${file.additions} −${file.deletions} in ${plural(file.hunks.length, "hunk")}`;
  return {
    resourceUri: uri,
    command: diffCommand(uri, file),
    decorations: { strikeThrough: file.status === "deleted", tooltip: summary },
    contextValue: file.status,
  };
}

/** Opens the baseline beside the real, editable file; a deleted file has only the baseline. */
export function diffCommand(uri: vscode.Uri, file: ReviewedFile): vscode.Command {
  const options: vscode.TextDocumentShowOptions = { preview: true, preserveFocus: true };
  return file.status === "deleted"
    ? { title: "Open", command: "vscode.open", arguments: [baseOf(uri), options] }
    : { title: "Open Changes", command: "vscode.diff", arguments: [baseOf(uri), uri, `${baseName(uri.path)} (Kit)`, options] };
}

/** All changed files in one multi-file diff editor. */
export async function openAll(store: ReviewStore): Promise<void> {
  const files = store.all();
  if (files.length === 0) {
    void vscode.window.showInformationMessage("Kit: Nothing waits for review.");
    return;
  }
  await vscode.commands.executeCommand("vscode.changes", "Kit changes",
    files.map(({ uri, file }) => [uri, file.status === "created" ? undefined : baseOf(uri), file.status === "deleted" ? undefined : uri]));
}
