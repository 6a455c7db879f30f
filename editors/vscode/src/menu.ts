// The quick pick behind the status bar item: what can be done now, the urgent first.

import * as vscode from "vscode";
import type { Cards } from "./cards.ts";
import { plural } from "./format.ts";
import type { Status } from "./protocol.ts";

interface Entry extends vscode.QuickPickItem {
  command: string;
}

export async function showMenu(status: Status | undefined, cards: Cards): Promise<void> {
  const running = status?.state === "running" || status?.state === "waiting";
  const hunks = status?.review.hunks ?? 0;
  const agents = status?.agents.length ?? 0;
  const approvals = cards.list().length;
  const entries: Entry[] = [
    ...(running ? [{ label: "$(debug-stop) Stop", description: status?.label ?? "", command: "kit.stop" }] : []),
    ...(approvals > 0 ? [{ label: `$(bell-dot) Approvals (${approvals})`, command: "kit.approvals" }] : []),
    ...(hunks > 0 ? [{ label: `$(diff-multiple) Review ${plural(hunks, "hunk")}`, command: "kit.review.open" }] : []),
    ...(agents > 0 ? [{ label: `$(organization) Agents (${agents})`, command: "kit.agents" }] : []),
    ...(status?.state === "signedOut" ? [{ label: "$(key) Log In…", command: "kit.login" }] : []),
    { label: "$(sparkle) Ask…", command: "kit.ask" },
    { label: "$(terminal) Run Command…", command: "kit.runCommand" },
    { label: "$(comment-discussion) Session", command: "kit.showSession" },
    { label: "$(list-unordered) Sessions…", command: "kit.sessions" },
    { label: "$(list-tree) Session Tree", command: "kit.tree" },
    { label: "$(server) Model…", description: status?.model ?? "", command: "kit.selectModel" },
    { label: "$(shield) Mode…", description: status?.mode ?? "", command: "kit.selectMode" },
    { label: "$(lightbulb) Thinking…", command: "kit.selectThinking" },
    ...(agents === 0 ? [{ label: "$(organization) Agents…", command: "kit.agents" }] : []),
    { label: "$(extensions) Extensions…", command: "kit.extensions" },
    { label: "$(plug) MCP Servers…", command: "kit.mcpServers" },
    { label: "$(graph) Usage and Cost", command: "kit.usage" },
    { label: "$(pulse) Doctor", command: "kit.doctor" },
    ...(status?.state === "signedOut" ? [] : [{ label: "$(key) Log In…", command: "kit.login" }]),
    { label: "$(output) Log", command: "kit.log" },
  ];
  const choice = await vscode.window.showQuickPick(entries, { title: "Kit", placeHolder: status?.label ?? "Not connected" });
  if (choice) await vscode.commands.executeCommand(choice.command);
}

/** Answers one waiting question from the keyboard. */
export async function showApprovals(cards: Cards): Promise<void> {
  const waiting = cards.list();
  const card = waiting.length > 1
    ? (await vscode.window.showQuickPick(waiting.map((each) => ({ label: each.title || each.text, description: each.agent, detail: each.code || (each.uri ?? ""), each })), { title: "Kit: Approvals" }))?.each
    : waiting[0];
  if (!card) {
    if (waiting.length === 0) void vscode.window.showInformationMessage("Kit: Nothing waits for approval.");
    return;
  }
  const option = await vscode.window.showQuickPick(
    card.options.map((choice) => ({ label: choice.label, description: choice.rule, choice })),
    { title: `Kit: ${card.agent ? `${card.agent}: ` : ""}${card.title || card.text}`, placeHolder: card.code || (card.uri ?? "") });
  if (!option) return;
  const reason = option.choice.kind.startsWith("reject")
    ? await vscode.window.showInputBox({ title: `Kit: ${option.label}`, prompt: "Why? The agent is told. Empty: no reason." })
    : "";
  if (reason !== undefined) cards.settle(card.id, { option: option.choice.id, feedback: reason });
}
