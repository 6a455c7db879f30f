// Answers `kit/diagnostics`: what the other language servers say about some files, without our own.

import * as vscode from "vscode";
import type { Client } from "./client.ts";
import type { DiagnosticsAnswer, FilesRequest } from "./protocol.ts";

export function answerDiagnostics(client: Client): void {
  client.answer<FilesRequest, DiagnosticsAnswer>("kit/diagnostics", async ({ uris }) => ({
    items: await Promise.all(uris.map(async (uri) => ({
      uri,
      diagnostics: await client.diagnosticsToProtocol(
        vscode.languages.getDiagnostics(vscode.Uri.parse(uri)).filter((diagnostic) => diagnostic.source !== "kit")),
    }))),
  }));
}
