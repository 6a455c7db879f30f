// Answers `kit/ask`: short questions with the editor's own pickers, sentences and texts as a card in the session view.
// A picker takes the keyboard, so it waits until typing pauses: a key meant for the file must not choose an option.
// A question that nobody waits for any more is withdrawn by the server.

import * as vscode from "vscode";
import type { Cards } from "./cards.ts";
import type { Client } from "./client.ts";
import type { AskAnswer, AskRequest } from "./protocol.ts";

const pauseMs = 1500;
/** What fits into the title of a picker. */
const titleLimit = 60;
/** What fits into a card as buttons. */
const buttonLimit = 5;
const cancelled: AskAnswer = { cancelled: true };

export function answerQuestions(client: Client, cards: Cards): vscode.Disposable {
  let lastKey = 0;
  const asked = new Map<string, vscode.CancellationTokenSource>();
  client.answer<AskRequest, AskAnswer>("kit/ask", async (request, token) => {
    const source = new vscode.CancellationTokenSource();
    const cancellation = token.onCancellationRequested(() => source.cancel());
    asked.set(request.id, source);
    try {
      if (isCard(request)) return await askOnCard(request, cards, source.token);
      while (Date.now() - lastKey < pauseMs) await new Promise((resolve) => setTimeout(resolve, pauseMs));
      return source.token.isCancellationRequested ? cancelled : await askByPicker(request, source.token);
    } finally {
      asked.delete(request.id);
      cancellation.dispose();
      source.dispose();
    }
  });
  return vscode.Disposable.from(
    client.onWithdraw((id) => asked.get(id)?.cancel()),
    client.onState((state) => {
      if (state !== "running") for (const source of asked.values()) source.cancel();
    }),
    vscode.workspace.onDidChangeTextDocument((event) => {
      const typed = event.contentChanges.some((change) => change.text.length <= 1);
      if (typed && event.document === vscode.window.activeTextEditor?.document) lastKey = Date.now();
    }),
  );
}

/** A sentence such as that of a budget is cut in the title of a picker. */
function isCard({ kind, message, options = [] }: AskRequest): boolean {
  return kind === "overlay" || (kind === "select" && message.length > titleLimit && options.length <= buttonLimit);
}

async function askOnCard(request: AskRequest, cards: Cards, token: vscode.CancellationToken): Promise<AskAnswer> {
  const options = request.options?.length ? request.options : ["Close"];
  const answer = await cards.ask({
    id: request.id, session: undefined, title: "", agent: "", text: request.message, code: "", place: "", copy: request.copy ?? "", uri: undefined, blocks: [],
    options: options.map((label, index) => ({ id: String(index), label, kind: "choice", rule: "" })),
  }, token);
  if (!answer) return cancelled;
  const index = Number(answer.option);
  // Whoever goes to the page that wants it has it at hand.
  if (request.copy !== undefined && index === 0) await vscode.env.clipboard.writeText(request.copy);
  return { value: options[index] ?? "", index, cancelled: false };
}

async function askByPicker(request: AskRequest, token: vscode.CancellationToken): Promise<AskAnswer> {
  const { message, placeholder } = request;
  const items = (request.options ?? []).map((label, index) => ({ label, index }));
  const shared = { title: `Kit: ${message.replace(/^Kit:? /, "")}`, ignoreFocusOut: true, ...(placeholder ? { placeHolder: placeholder } : {}) };
  switch (request.kind) {
    case "input": {
      const value = await vscode.window.showInputBox(
        { ...shared, password: request.masked ?? false, value: typeof request.default === "string" ? request.default : "" }, token);
      return value === undefined ? cancelled : { value, cancelled: false };
    }
    case "multiSelect": {
      const offered: unknown[] = Array.isArray(request.default) ? request.default : [];
      const picked = items.map((item) => ({ ...item, picked: offered.includes(item.label) }));
      const choice = await vscode.window.showQuickPick(picked, { ...shared, canPickMany: true }, token);
      return choice ? { values: choice.map((item) => item.label), cancelled: false } : cancelled;
    }
    case "confirm": {
      const [yes = "Yes", no = "No"] = items.map((item) => item.label);
      const choice = await vscode.window.showQuickPick(request.default === true ? [yes, no] : [no, yes], shared, token);
      return choice === undefined ? cancelled : { value: choice === yes, index: choice === yes ? 0 : 1, cancelled: false };
    }
    case "select":
    case "overlay": {
      const choice = await vscode.window.showQuickPick(items, shared, token);
      return choice ? { value: choice.label, index: choice.index, cancelled: false } : cancelled;
    }
  }
}
