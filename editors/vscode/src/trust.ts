// Tells the server which folders the user trusts: at start, when trust is granted and when folders are added.

import * as vscode from "vscode";
import type { Client } from "./client.ts";
import { attempt } from "./errors.ts";

export function followTrust(client: Client): vscode.Disposable {
  const tell = (folders: readonly vscode.WorkspaceFolder[]) =>
    attempt(async () => {
      for (const folder of folders) {
        await client.call("kit.trust.set", { root: client.toProtocol(folder.uri), trusted: vscode.workspace.isTrusted });
      }
    });
  const all = () => (client.state === "running" ? void tell(vscode.workspace.workspaceFolders ?? []) : undefined);
  return vscode.Disposable.from(
    client.onState(all),
    vscode.workspace.onDidGrantWorkspaceTrust(all),
    vscode.workspace.onDidChangeWorkspaceFolders((event) => {
      if (client.state === "running") void tell(event.added);
    }),
  );
}
