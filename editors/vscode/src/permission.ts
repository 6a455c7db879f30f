// Answers `kit/permission`: shows the question as a card. A question that is withdrawn counts as a no.

import * as vscode from "vscode";
import type { Card, Cards } from "./cards.ts";
import type { Client } from "./client.ts";
import { asSentence } from "./format.ts";
import type { AgentRef, PermissionAnswer, PermissionOption, PermissionRequest } from "./protocol.ts";

export function answerPermissions(client: Client, cards: Cards): vscode.Disposable {
  client.answer<PermissionRequest, PermissionAnswer>("kit/permission", async (request, token) => {
    const answer = await cards.ask(toCard(request), token);
    const refusal = request.options.find((option) => option.kind === "rejectOnce") ?? request.options.at(-1);
    return { option: answer?.option ?? refusal?.id ?? "", ...(answer?.feedback ? { feedback: answer.feedback } : {}) };
  });
  return vscode.Disposable.from(
    client.onWithdraw((id) => cards.withdraw((card) => card.id === id)),
    client.onState((state) => {
      if (state !== "running") cards.withdraw(() => true);
    }),
  );
}

function toCard(request: PermissionRequest): Card {
  const { subject, agent } = request;
  return {
    id: request.id,
    session: request.session,
    title: subject.command && request.title.includes(subject.command) ? "Run this command?" : request.title,
    agent: agentPath(agent),
    text: request.why ? asSentence(request.why) : "",
    code: subject.command ?? (subject.args !== undefined && !subject.diffBlocks?.length ? pretty(subject.args) : ""),
    place: subject.command && subject.cwd ? folderName(subject.cwd) : "",
    copy: "",
    uri: subject.uri,
    blocks: subject.diffBlocks ?? [],
    options: request.options.map(toOption),
  };
}

/** `main ▸ explore`; nothing for the session's own agent, whose question needs no name. */
function agentPath({ id, name, path }: AgentRef): string {
  if (id === "main") return "";
  return path.length > 0 ? path.join(" ▸ ") : (name ?? id);
}

/** The folder relative to the workspace; its root goes without saying. */
function folderName(folder: string): string {
  const roots = vscode.workspace.workspaceFolders ?? [];
  return roots.some((root) => root.uri.fsPath === folder) ? "" : vscode.workspace.asRelativePath(folder);
}

/** An answer that writes a rule gets a short button, and the rule with its place beside it. */
function toOption({ id, label, kind, rule, scope }: PermissionOption): Card["options"][number] {
  if (!rule) return { id, label, kind, rule: "" };
  const always = kind.startsWith("allow") ? "Always allow" : "Always reject";
  return { id, kind, label: scope ? `${always} (${scope})` : always, rule: label.includes(rule) ? label : `\`${rule}\`` };
}

function pretty(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}
