// Answers `kit/save`: saves exactly the documents it names. The active one without formatting, because a formatter's
// edits would look like the user's; VS Code offers that for the active editor alone.

import * as vscode from "vscode";
import type { Client } from "./client.ts";
import type { FilesRequest } from "./protocol.ts";

export function answerSaves(client: Client): void {
  client.answer<FilesRequest, { saved: string[] }>("kit/save", async ({ uris }) => {
    const saved: string[] = [];
    for (const uri of uris) {
      const wanted = vscode.Uri.parse(uri).toString();
      const document = vscode.workspace.textDocuments.find((candidate) => candidate.uri.toString() === wanted);
      if (document && !document.isUntitled && (await save(document))) saved.push(uri);
    }
    return { saved };
  });
}

async function save(document: vscode.TextDocument): Promise<boolean> {
  if (vscode.window.activeTextEditor?.document === document) {
    await vscode.commands.executeCommand("workbench.action.files.saveWithoutFormatting");
  }
  return !document.isDirty || document.save();
}
