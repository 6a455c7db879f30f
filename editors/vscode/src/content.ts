// Virtual documents: baselines, proposals and transcripts come from the server, reports are written here.

import * as vscode from "vscode";
import type { Client } from "./client.ts";
import { errorKind } from "./errors.ts";
import { baseOf, baseScheme, liveOf, type ReviewStore } from "./review/store.ts";

const serverSchemes = [baseScheme, "kit-after", "kit-session"];
const reportScheme = "kit-report";

export class Content implements vscode.Disposable, vscode.TextDocumentContentProvider {
  private readonly emitter = new vscode.EventEmitter<vscode.Uri>();
  readonly onDidChange = this.emitter.event;

  private readonly reports = new Map<string, string>();
  private readonly subscriptions: vscode.Disposable[];

  constructor(private readonly client: Client, review: ReviewStore) {
    this.subscriptions = [
      ...[...serverSchemes, reportScheme].map((scheme) => vscode.workspace.registerTextDocumentContentProvider(scheme, this)),
      client.onContent((uri) => this.emitter.fire(uri)),
      review.onChange((uris) => {
        for (const uri of uris) this.refresh(baseOf(vscode.Uri.parse(uri)));
      }),
      client.onEvent((event) => {
        if (event.type === "turn_end") this.refresh(transcriptOf(event.session));
      }),
    ];
  }

  async provideTextDocumentContent(uri: vscode.Uri, token: vscode.CancellationToken): Promise<string> {
    if (uri.scheme === reportScheme) return this.reports.get(uri.path) ?? "";
    try {
      return await this.client.content(uri, token);
    } catch (error) {
      if (uri.scheme !== baseScheme || errorKind(error) !== "not_found") throw error;
      // A document that is no longer under review is its own baseline: an open diff shows no difference.
      const live = liveOf(uri).toString();
      return vscode.workspace.textDocuments.find((document) => document.uri.toString() === live)?.getText() ?? "";
    }
  }

  private refresh(uri: vscode.Uri): void {
    const shown = vscode.workspace.textDocuments.some((document) => document.uri.toString() === uri.toString());
    if (shown) this.emitter.fire(uri);
  }

  /** Shows Markdown as a rendered document; showing the same title again replaces it. */
  async showReport(title: string, markdown: string): Promise<void> {
    const uri = vscode.Uri.from({ scheme: reportScheme, path: `/${title}.md` });
    this.reports.set(uri.path, markdown);
    this.emitter.fire(uri);
    await vscode.commands.executeCommand("markdown.showPreview", uri);
  }

  async showTranscript(session: string): Promise<void> {
    await vscode.window.showTextDocument(transcriptOf(session), { preview: true });
  }

  dispose(): void {
    for (const subscription of this.subscriptions) subscription.dispose();
    this.emitter.dispose();
  }
}

function transcriptOf(session: string): vscode.Uri {
  return vscode.Uri.from({ scheme: "kit-session", path: `/${session}.md` });
}
