// Draws hunks inside editors: added lines with a background, a hint where lines were removed, and lenses to keep or
// undo. VS Code moves decorations along while the user types, until the server tells of the new hunks; hunks of an older
// text are drawn only if none of the newer one come soon.

import * as vscode from "vscode";
import { plural } from "../format.ts";
import type { ReviewHunk } from "../protocol.ts";
import { setting } from "../settings.ts";
import { countLines } from "./hunks.ts";
import type { ReviewStore } from "./store.ts";

/** Longer removed texts are cut in the hover; the diff shows them whole. */
const hoverLines = 40;
/** How long hunks of an older text wait for newer ones, in milliseconds. */
const staleWait = 200;

export class ReviewPainter implements vscode.Disposable, vscode.CodeLensProvider {
  private readonly lensEmitter = new vscode.EventEmitter<void>();
  readonly onDidChangeCodeLenses = this.lensEmitter.event;

  private readonly added = vscode.window.createTextEditorDecorationType({
    isWholeLine: true,
    backgroundColor: new vscode.ThemeColor("kit.addedLineBackground"),
    overviewRulerColor: new vscode.ThemeColor("editorOverviewRuler.addedForeground"),
    overviewRulerLane: vscode.OverviewRulerLane.Left,
  });
  private readonly removed = vscode.window.createTextEditorDecorationType({
    rangeBehavior: vscode.DecorationRangeBehavior.ClosedClosed,
    overviewRulerColor: new vscode.ThemeColor("editorOverviewRuler.deletedForeground"),
    overviewRulerLane: vscode.OverviewRulerLane.Left,
  });
  private readonly subscriptions: vscode.Disposable[];
  private readonly waiting = new Map<vscode.TextEditor, NodeJS.Timeout>();

  constructor(private readonly store: ReviewStore) {
    this.subscriptions = [
      store.onChange((uris) => {
        for (const editor of vscode.window.visibleTextEditors) if (uris.has(editor.document.uri.toString())) this.paint(editor);
        this.lensEmitter.fire();
      }),
      vscode.window.onDidChangeVisibleTextEditors((editors) => editors.forEach((editor) => this.paint(editor))),
      vscode.window.onDidChangeActiveTextEditor(() => {
        if (store.hunkCount > 0) this.lensEmitter.fire();
      }),
      vscode.workspace.onDidChangeConfiguration((event) => {
        if (event.affectsConfiguration("kit.review.codeLens")) this.lensEmitter.fire();
        if (event.affectsConfiguration("kit.review.inline")) for (const editor of vscode.window.visibleTextEditors) this.paint(editor);
      }),
      vscode.languages.registerCodeLensProvider([{ scheme: "file" }, { scheme: "untitled" }], this),
    ];
  }

  provideCodeLenses(document: vscode.TextDocument): vscode.CodeLens[] {
    const when = setting<"auto" | "always" | "never">("review.codeLens", "auto");
    const active = vscode.window.activeTextEditor?.document.uri.toString() === document.uri.toString();
    if (when === "never" || (when === "auto" && !active)) return [];
    const hunks = this.store.hunks(document.uri);
    return hunks.flatMap((hunk, index) => {
      const line = Math.min(hunk.lines[0], document.lineCount - 1);
      const lens = (title: string, tooltip: string, command: string, ...args: unknown[]) =>
        new vscode.CodeLens(new vscode.Range(line, 0, line, 0), { title, tooltip, command, arguments: args });
      const origin = [`${index + 1}/${hunks.length}`, hunk.agent && hunk.agent !== "main" ? hunk.agent : "", hunk.mixed ? "with your edits" : ""];
      return [
        lens("$(check)\u00a0Keep", "Accept this change (Alt+Y)", "kit.review.keepHunk", document.uri, hunk.id),
        lens("$(discard)\u00a0Undo", hunk.mixed ? "Take back the agent's part and keep yours (Alt+Z)" : "Take this change back (Alt+Z)", "kit.review.undoHunk", document.uri, hunk.id),
        lens(origin.filter(Boolean).join(" · "), hunk.title ? `${hunk.title}: open the diff` : "Open the diff", "kit.review.openFile", document.uri),
      ];
    });
  }

  private paint(editor: vscode.TextEditor): void {
    // Without a column it is a side of a diff or a peek: those draw changes themselves.
    if (editor.viewColumn === undefined) return;
    clearTimeout(this.waiting.get(editor));
    this.waiting.delete(editor);
    const version = this.store.file(editor.document.uri)?.version;
    if (version === undefined || version === editor.document.version) return this.draw(editor);
    const late = () => {
      this.waiting.delete(editor);
      this.draw(editor);
    };
    this.waiting.set(editor, setTimeout(late, staleWait));
  }

  private draw(editor: vscode.TextEditor): void {
    const { document } = editor;
    // The hunk of a file that is reviewed as a whole has no lines to show.
    const drawn = setting("review.inline", true) && !this.store.file(document.uri)?.wholeFile;
    const hunks = drawn ? this.store.hunks(document.uri) : [];
    const last = document.lineCount - 1;
    editor.setDecorations(
      this.added,
      hunks.filter((hunk) => hunk.lines[1] > hunk.lines[0] && hunk.lines[0] <= last)
        .map((hunk) => new vscode.Range(hunk.lines[0], 0, Math.min(hunk.lines[1] - 1, last), 0)),
    );
    editor.setDecorations(this.removed, hunks.filter((hunk) => hunk.oldText !== "").map((hunk) => this.hint(document, hunk)));
  }

  /** The hint stands at the end of the first changed line, or of the line above a gap. */
  private hint(document: vscode.TextDocument, hunk: ReviewHunk): vscode.DecorationOptions {
    const line = Math.min(hunk.lines[0] === hunk.lines[1] ? Math.max(hunk.lines[0] - 1, 0) : hunk.lines[0], document.lineCount - 1);
    const end = document.lineAt(line).range.end;
    const lines = countLines(hunk.oldText);
    return {
      range: new vscode.Range(end, end),
      hoverMessage: removedHover(document, hunk, lines),
      renderOptions: {
        after: {
          contentText: `▾ ${plural(lines, "line")} ${hunk.kind === "delete" ? "removed" : "replaced"}`,
          color: new vscode.ThemeColor("kit.removedHintForeground"),
          margin: "0 0 0 2em",
        },
      },
    };
  }

  dispose(): void {
    for (const timer of this.waiting.values()) clearTimeout(timer);
    this.added.dispose();
    this.removed.dispose();
    this.lensEmitter.dispose();
    for (const subscription of this.subscriptions) subscription.dispose();
  }
}

function removedHover(document: vscode.TextDocument, hunk: ReviewHunk, lines: number): vscode.MarkdownString {
  const hover = new vscode.MarkdownString(undefined, true);
  hover.isTrusted = { enabledCommands: ["kit.review.keepHunk", "kit.review.undoHunk"] };
  const args = encodeURIComponent(JSON.stringify([document.uri.toString(), hunk.id]));
  if (hunk.title) hover.appendText(`${hunk.title}\n`);
  const old = hunk.oldText.split(/\r\n|\n|\r/);
  hover.appendCodeblock(old.slice(0, hoverLines).join("\n"), document.languageId);
  if (lines > hoverLines) hover.appendMarkdown(`… ${lines - hoverLines} more\n\n`);
  hover.appendMarkdown(`[$(check) Keep](command:kit.review.keepHunk?${args}) · [$(discard) Undo](command:kit.review.undoHunk?${args})`);
  return hover;
}
