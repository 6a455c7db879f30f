// Virtual documents: baselines, proposals and transcripts come from the server, reports are written here.

import * as vscode from "vscode";
import type { Client } from "./client.ts";
import { errorKind } from "./errors.ts";
import { baseOf, baseScheme, liveOf, type ReviewStore } from "./review/store.ts";

const serverSchemes = [baseScheme, "kit-after", "kit-session"];
/** What adds to a transcript. */
const steps = new Set(["turn_start", "message_end", "tool_result", "turn_end"]);
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
        const bases = new Set([...uris].map((uri) => baseOf(vscode.Uri.parse(uri)).toString()));
        this.refresh((uri) => bases.has(uri.toString()));
      }),
      client.onEvent((event) => {
        // What a subagent does is told in the stream of its parent.
        const session = event.agent?.id ?? event.session;
        if (steps.has(event.type)) this.refresh((uri) => uri.scheme === "kit-session" && uri.path.startsWith(`/${session}/`));
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

  private refresh(meant: (uri: vscode.Uri) => boolean): void {
    for (const { uri } of vscode.workspace.textDocuments) if (meant(uri)) this.emitter.fire(uri);
  }

  /** Shows Markdown as a rendered document; showing the same title again replaces it. */
  async showReport(title: string, markdown: string): Promise<void> {
    const uri = vscode.Uri.from({ scheme: reportScheme, path: `/${title}.md` });
    this.reports.set(uri.path, markdown);
    this.emitter.fire(uri);
    await vscode.commands.executeCommand("markdown.showPreview", uri);
  }

  /** The server reads the first part of the path; the rest is the name of the tab. */
  async showTranscript(session: string, title: string): Promise<void> {
    const name = title.replace(/[^\p{L}\p{N} ._-]+/gu, " ").trim().slice(0, 40) || "Transcript";
    await vscode.commands.executeCommand("markdown.showPreview", vscode.Uri.from({ scheme: "kit-session", path: `/${session}/${name}.md` }));
  }

  dispose(): void {
    for (const subscription of this.subscriptions) subscription.dispose();
    this.emitter.dispose();
  }
}
