// Puts the parts together: the connection, what answers the server, and what shows its notifications.

import * as vscode from "vscode";
import { Agents } from "./agents.ts";
import { answerQuestions } from "./ask.ts";
import { Cards } from "./cards.ts";
import { Client } from "./client.ts";
import { registerCommands } from "./commands.ts";
import { Content } from "./content.ts";
import { answerDiagnostics } from "./diagnostics.ts";
import { ExtensionUi } from "./extensionUi.ts";
import { Extensions } from "./extensions.ts";
import { Logins } from "./logins.ts";
import { McpServers } from "./mcp.ts";
import { answerPermissions } from "./permission.ts";
import { Pickers } from "./pickers.ts";
import { Queue } from "./queue.ts";
import { Reports } from "./reports.ts";
import { ReviewActions } from "./review/actions.ts";
import { ReviewPainter } from "./review/painter.ts";
import { ReviewStore } from "./review/store.ts";
import { ReviewSurface } from "./review/surface.ts";
import { Rewinder } from "./rewind.ts";
import { CommandRunner } from "./runCommand.ts";
import { answerSaves } from "./save.ts";
import { SessionStore } from "./session/store.ts";
import { SessionView } from "./session/view.ts";
import { Sessions } from "./sessions.ts";
import { SessionTree } from "./sessionTree.ts";
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
  const ui = new ExtensionUi(started, store);
  const view = new SessionView(context.extensionUri, started, store, cards, review, ui);
  const sessions = new Sessions(started, store, content, () => view.reveal());
  const status = new StatusItem(started);
  const current = () => store.current;
  const last = () => status.last;
  const rewinder = new Rewinder(started, store, view);
  const tree = new SessionTree(started, store, view, rewinder, () => sessions.refresh());
  answerSaves(started);
  answerDiagnostics(started);
  context.subscriptions.push(
    output, cards, review, content, store, ui, view, sessions, tree, status,
    new ReviewSurface(review),
    new ReviewPainter(review),
    answerPermissions(started, cards),
    answerQuestions(started, cards),
    followTrust(started),
    registerCommands({
      client: started, output, cards, review, actions: new ReviewActions(review), view, sessions, tree, rewinder, status,
      agents: new Agents(started, content, view, last, current),
      extensions: new Extensions(started, ui, current),
      logins: new Logins(started),
      mcp: new McpServers(started, content),
      pickers: new Pickers(started, last, current),
      queue: new Queue(started, current, (text) => view.write(text)),
      reports: new Reports(started, content, current, last),
      runner: new CommandRunner(started, store, view, ui),
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
