// Puts the parts together: the connection, what answers the server, and what shows its notifications.

import * as vscode from "vscode";
import { answerQuestions } from "./ask.ts";
import { Cards } from "./cards.ts";
import { Client } from "./client.ts";
import { registerCommands } from "./commands.ts";
import { Content } from "./content.ts";
import { answerDiagnostics } from "./diagnostics.ts";
import { answerPermissions } from "./permission.ts";
import { Pickers } from "./pickers.ts";
import { Reports } from "./reports.ts";
import { ReviewActions } from "./review/actions.ts";
import { ReviewPainter } from "./review/painter.ts";
import { ReviewStore } from "./review/store.ts";
import { ReviewSurface } from "./review/surface.ts";
import { answerSaves } from "./save.ts";
import { SessionStore } from "./session/store.ts";
import { SessionView } from "./session/view.ts";
import { Sessions } from "./sessions.ts";
import { StatusItem } from "./status.ts";
import { followTrust } from "./trust.ts";

let client: Client | undefined;

export function activate(context: vscode.ExtensionContext): void {
  const output = vscode.window.createOutputChannel("Kit", { log: true });
  client = new Client(context, output);
  const started = client;
  const cards = new Cards();
  const review = new ReviewStore(started);
  const content = new Content(started, review);
  const store = new SessionStore(started, context.workspaceState);
  const view = new SessionView(context.extensionUri, started, store, cards, review);
  const sessions = new Sessions(started, store, content, () => view.reveal());
  const status = new StatusItem(started);
  const current = () => store.current;
  answerSaves(started);
  answerDiagnostics(started);
  context.subscriptions.push(
    output, cards, review, content, store, view, sessions, status,
    new ReviewSurface(review),
    new ReviewPainter(review),
    answerPermissions(started, cards),
    answerQuestions(started, cards),
    followTrust(started),
    registerCommands({
      client: started, output, cards, review, actions: new ReviewActions(review), view, sessions, status,
      pickers: new Pickers(started, () => status.last, current),
      reports: new Reports(started, content, current),
    }),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration("kit.server")) void started.restart();
      else if (event.affectsConfiguration("kit") && !event.affectsConfiguration("kit.trace")) started.settingsChanged();
    }),
  );
  void started.start();
}

export async function deactivate(): Promise<void> {
  await client?.dispose();
}
