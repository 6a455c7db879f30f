// The table of commands: each id and what it calls. `kit.session.prompt`, `kit.session.ask` and `kit.command.run` have
// no title: code actions of the server carry them, and here the session view follows the turn that they start.

import * as vscode from "vscode";
import type { Agents } from "./agents.ts";
import type { Cards } from "./cards.ts";
import type { Client } from "./client.ts";
import { report } from "./errors.ts";
import type { Extensions } from "./extensions.ts";
import type { Logins } from "./logins.ts";
import type { McpServers } from "./mcp.ts";
import { showApprovals, showMenu } from "./menu.ts";
import type { Pickers } from "./pickers.ts";
import type { CommandRunArguments, PromptArguments, SessionSummary } from "./protocol.ts";
import type { Queue } from "./queue.ts";
import type { Reports } from "./reports.ts";
import type { ReviewActions } from "./review/actions.ts";
import type { LineChange } from "./review/hunks.ts";
import type { ReviewStore } from "./review/store.ts";
import { openAll } from "./review/surface.ts";
import type { Rewinder } from "./rewind.ts";
import type { CommandRunner } from "./runCommand.ts";
import type { SessionView } from "./session/view.ts";
import type { Sessions } from "./sessions.ts";
import type { SessionTree } from "./sessionTree.ts";
import type { StatusItem } from "./status.ts";

export interface Parts {
  client: Client;
  output: vscode.LogOutputChannel;
  cards: Cards;
  review: ReviewStore;
  actions: ReviewActions;
  view: SessionView;
  sessions: Sessions;
  tree: SessionTree;
  rewinder: Rewinder;
  status: StatusItem;
  agents: Agents;
  extensions: Extensions;
  logins: Logins;
  mcp: McpServers;
  pickers: Pickers;
  queue: Queue;
  reports: Reports;
  runner: CommandRunner;
}

// The arguments come from VS Code's menus, lenses and keys; each menu passes its own.
type Handler = (...args: any[]) => unknown;

export function registerCommands(parts: Parts): vscode.Disposable {
  const { client, output, cards, review, actions, view, sessions, tree, rewinder, status, agents, extensions, logins, mcp, pickers, queue, reports, runner } = parts;
  const { prompter } = view;
  const handlers: Record<string, Handler> = {
    "kit.ask": () => prompter.ask(undefined),
    "kit.actions": () => vscode.commands.executeCommand("editor.action.codeAction", { kind: "source.kit", apply: "never" }),
    "kit.attach": () => view.focus(),
    "kit.session.prompt": (prompt: PromptArguments) => prompter.send(prompt),
    "kit.session.ask": (prompt: PromptArguments) => prompter.ask(prompt.context),
    "kit.steer": () => prompter.steer(),
    "kit.runCommand": () => runner.pick(),
    "kit.command.run": (command: CommandRunArguments) => runner.start(command),
    "kit.stop": () => prompter.stop(),
    "kit.menu": () => showMenu(status.last, cards),
    "kit.showSession": () => view.focus(),
    "kit.approvals": () => showApprovals(cards),
    "kit.permission.allow": () => cards.answerFirst("allowOnce"),
    "kit.permission.reject": () => cards.answerFirst("rejectOnce"),

    "kit.review.open": () => openAll(review),
    "kit.review.openFile": (uri?: vscode.Uri) => actions.openFile(uri),
    "kit.review.next": () => actions.go("next"),
    "kit.review.previous": () => actions.go("previous"),
    "kit.review.keepHunk": (uri?: vscode.Uri | string, id?: string) => actions.hunk("keep", ...lensTarget(uri, id)),
    "kit.review.undoHunk": (uri?: vscode.Uri | string, id?: string) => actions.hunk("undo", ...lensTarget(uri, id)),
    "kit.review.rejectHunk": () => actions.rejectHunk(),
    "kit.review.keepLines": () => actions.lines("keep"),
    "kit.review.undoLines": () => actions.lines("undo"),
    "kit.review.keepFile": (uri?: vscode.Uri) => actions.file("keep", uri),
    "kit.review.undoFile": (uri?: vscode.Uri) => actions.file("undo", uri),
    "kit.review.keepAll": () => actions.all("keep"),
    "kit.review.undoAll": () => actions.all("undo"),
    "kit.review.revertLast": () => review.revertLast(),
    "kit.review.keepChange": (uri: vscode.Uri, changes: LineChange[], index: number) => actions.change("keep", uri, changes, index),
    "kit.review.undoChange": (uri: vscode.Uri, changes: LineChange[], index: number) => actions.change("undo", uri, changes, index),
    "kit.review.keepResource": (...states: vscode.SourceControlResourceState[]) => actions.resources("keep", states),
    "kit.review.undoResource": (...states: vscode.SourceControlResourceState[]) => actions.resources("undo", states),
    "kit.review.openResource": (state: vscode.SourceControlResourceState) =>
      vscode.commands.executeCommand("vscode.open", state.resourceUri, { preview: true, preserveFocus: true }),

    "kit.selectModel": () => pickers.model(),
    "kit.selectMode": () => pickers.mode(),
    "kit.selectThinking": () => pickers.thinking(),

    "kit.sessions": () => sessions.pick(),
    "kit.newSession": () => sessions.create(),
    "kit.openSession": (session: SessionSummary) => sessions.open(session),
    "kit.renameSession": (session?: SessionSummary) => sessions.rename(session),
    "kit.deleteSession": (session?: SessionSummary) => sessions.remove(session),
    "kit.forkSession": (session?: SessionSummary) => sessions.fork(session),
    "kit.openTranscript": (session?: SessionSummary) => sessions.openTranscript(session),
    "kit.refreshSessions": () => sessions.refresh(),
    "kit.retry": () => sessions.retry(),
    "kit.exportSession": (session?: SessionSummary) => sessions.export(session),
    "kit.importSession": () => sessions.import(),
    "kit.compact": () => sessions.compact(),
    "kit.queue": () => queue.pick(),
    "kit.clearQueue": () => queue.clear(),

    "kit.tree": () => tree.show(),
    "kit.showTurn": (turn: string) => view.scrollTo(turn),
    "kit.refreshTree": () => tree.refresh(),
    "kit.branch": (entry) => tree.branch(entry, false),
    "kit.branchWithSummary": (entry) => tree.branch(entry, true),
    "kit.forkEntry": (entry) => tree.fork(entry),
    "kit.labelEntry": (entry) => tree.label(entry),
    "kit.rewindEntry": (entry) => tree.rewind(entry),
    "kit.rewind": (target?: { turn?: string }) => rewinder.rewind(target?.turn),

    "kit.agents": () => agents.pick(),
    "kit.openAgent": (session: string) => agents.open(session),
    "kit.stopAgent": (session: string) => agents.stop(session),
    "kit.extensions": () => extensions.pick(),
    "kit.extension.shortcut": (target?: { key?: string }) => extensions.shortcut(target?.key),
    "kit.mcpServers": () => mcp.pick(),
    "kit.reloadExtensions": () => extensions.reload(),
    "kit.login": () => logins.logIn(),
    "kit.logout": () => logins.logOut(),

    "kit.usage": () => reports.usage(),
    "kit.doctor": () => reports.doctor(),
    "kit.log": () => output.show(true),
    "kit.settings": () => vscode.commands.executeCommand("workbench.action.openSettings", "@ext:kit.kit"),
    "kit.restart": () => client.restart(),
  };
  return vscode.Disposable.from(...Object.entries(handlers).map(([id, handler]) =>
    vscode.commands.registerCommand(id, async (...args: unknown[]) => {
      try {
        return await handler(...args);
      } catch (error) {
        report(error);
        return undefined;
      }
    })));
}

/** Menus pass arguments of their own to commands that need none; a lens passes a hunk. */
function lensTarget(uri: vscode.Uri | string | undefined, id: unknown): [target?: vscode.Uri | string, id?: string] {
  return uri !== undefined && typeof id === "string" ? [uri, id] : [];
}
