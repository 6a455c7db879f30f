// The last review the server told of, by file, and the acts on it. The server decides; this only remembers and asks.

import * as vscode from "vscode";
import type { Client } from "../client.ts";
import { attempt, sentence } from "../errors.ts";
import type { ReviewHunk, ReviewState, ReviewArguments, ReviewedFile } from "../protocol.ts";

export type Act = "keep" | "undo";

export const baseScheme = "kit-base";

export class ReviewStore implements vscode.Disposable {
  private readonly emitter = new vscode.EventEmitter<ReadonlySet<string>>();
  private readonly subscriptions: vscode.Disposable[];

  /** The files, as editor URIs, that have changed. */
  readonly onChange = this.emitter.event;

  private files = new Map<string, ReviewedFile>();
  private revision = -1;

  constructor(private readonly client: Client) {
    this.subscriptions = [
      client.onReview((review) => this.take(review)),
      client.onState((state) => {
        if (state !== "running") return;
        this.revision = -1;
        void attempt(async () => this.take(await client.call("kit.review.list", {})));
      }),
    ];
  }

  private take(review: ReviewState): void {
    if (review.revision < this.revision) return;
    this.revision = review.revision;
    const before = this.files;
    this.files = new Map(review.files.map((file) => [vscode.Uri.parse(file.uri).toString(), file]));
    this.emitter.fire(new Set([...before.keys(), ...this.files.keys()]));
  }

  all(): { uri: vscode.Uri; file: ReviewedFile }[] {
    return [...this.files].map(([uri, file]) => ({ uri: vscode.Uri.parse(uri), file }));
  }

  file(uri: vscode.Uri): ReviewedFile | undefined {
    return this.files.get(uri.toString());
  }

  hunks(uri: vscode.Uri): readonly ReviewHunk[] {
    return this.file(uri)?.hunks ?? [];
  }

  get hunkCount(): number {
    return this.all().reduce((sum, { file }) => sum + file.hunks.length, 0);
  }

  turns(): Set<string> {
    return new Set(this.all().flatMap(({ file }) => file.hunks.flatMap((hunk) => (hunk.turn ? [hunk.turn] : []))));
  }

  /** Keeps or undoes, and says so in one sentence if the server could not. */
  async act(act: Act, what: ReviewArguments): Promise<void> {
    await attempt(async () => {
      const outcome = await this.client.call(act === "keep" ? "kit.review.keep" : "kit.review.undo", what);
      void vscode.commands.executeCommand("setContext", "kit.reviewed", true);
      const conflict = outcome.conflicts?.[0];
      if (conflict) void vscode.window.showWarningMessage(`Kit: ${act === "keep" ? "Not kept" : "Not undone"}. ${sentence(conflict.why)}`, "Review").then((choice) => {
        if (choice) void vscode.commands.executeCommand("kit.review.open");
      });
    });
  }

  async actOnHunks(act: Act, uri: vscode.Uri, hunks: readonly ReviewHunk[], reason?: string): Promise<void> {
    const version = this.file(uri)?.version;
    await this.act(act, {
      hunks: hunks.map((hunk) => hunk.id),
      ...(version === undefined ? {} : { version }),
      ...(reason ? { reason } : {}),
    });
  }

  async actOnFile(act: Act, uri: vscode.Uri): Promise<void> {
    await this.act(act, { uri: this.client.toProtocol(uri) });
  }

  async actOnLines(act: Act, document: vscode.TextDocument, lines: [number, number]): Promise<void> {
    await this.act(act, { uri: this.client.toProtocol(document.uri), lines, version: document.version });
  }

  async revertLast(): Promise<void> {
    await attempt(async () => {
      const { applied, conflicts, files } = await this.client.call("kit.review.revert", {});
      const conflict = conflicts?.[0];
      if (conflict) void vscode.window.showWarningMessage(`Kit: Not taken back. ${sentence(conflict.why)}`);
      else if (applied.length + (files?.length ?? 0) === 0) void vscode.window.showInformationMessage("Kit: There is nothing to take back.");
    });
  }

  dispose(): void {
    for (const subscription of this.subscriptions) subscription.dispose();
    this.emitter.dispose();
  }
}

/** The reviewed baseline of a document, as a virtual document. */
export function baseOf(uri: vscode.Uri): vscode.Uri {
  return uri.scheme === "file" ? uri.with({ scheme: baseScheme }) : vscode.Uri.from({ scheme: baseScheme, path: uri.toString(true) });
}

/** The document that a baseline belongs to. */
export function liveOf(base: vscode.Uri): vscode.Uri {
  return base.path.startsWith("/") ? base.with({ scheme: "file" }) : vscode.Uri.parse(base.path);
}
