// Answers `kit/ask` with the editor's own pickers. A picker takes the keyboard, so it waits until typing pauses:
// a key meant for the file must not choose an option.

import * as vscode from "vscode";
import type { Cards } from "./cards.ts";
import type { Client } from "./client.ts";
import type { AskAnswer, AskRequest } from "./protocol.ts";

const pauseMs = 1500;
const cancelled: AskAnswer = { cancelled: true };

export function answerQuestions(client: Client, cards: Cards): vscode.Disposable {
  let lastKey = 0;
  client.answer<AskRequest, AskAnswer>("kit/ask", async (request, token) => {
    while (Date.now() - lastKey < pauseMs) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    return token.isCancellationRequested ? cancelled : ask(request, cards, token);
  });
  return vscode.workspace.onDidChangeTextDocument((event) => {
    const typed = event.contentChanges.some((change) => change.text.length <= 1);
    if (typed && event.document === vscode.window.activeTextEditor?.document) lastKey = Date.now();
  });
}

async function ask(request: AskRequest, cards: Cards, token: vscode.CancellationToken): Promise<AskAnswer> {
  const { message, placeholder } = request;
  const labels = (request.options ?? []).map((label) => ({ label }));
  const shared = { title: `Kit: ${message}`, ignoreFocusOut: true, ...(placeholder ? { placeHolder: placeholder } : {}) };
  switch (request.kind) {
    case "input": {
      const value = await vscode.window.showInputBox(
        { ...shared, password: request.masked ?? false, value: typeof request.default === "string" ? request.default : "" }, token);
      return value === undefined ? cancelled : { value, cancelled: false };
    }
    case "select": {
      const choice = await vscode.window.showQuickPick(labels.map((item, index) => ({ ...item, index })), shared, token);
      return choice ? { value: choice.label, index: choice.index, cancelled: false } : cancelled;
    }
    case "multiSelect": {
      const choice = await vscode.window.showQuickPick(labels.map((item, index) => ({ ...item, index })), { ...shared, canPickMany: true }, token);
      return choice ? { values: choice.map((item) => item.label), cancelled: false } : cancelled;
    }
    case "confirm": {
      const [yes = "Yes", no = "No"] = labels.map((item) => item.label);
      const choice = await vscode.window.showQuickPick(request.default === true ? [yes, no] : [no, yes], shared, token);
      return choice === undefined ? cancelled : { value: choice === yes, index: choice === yes ? 0 : 1, cancelled: false };
    }
    case "overlay": {
      const options = labels.length > 0 ? labels : [{ label: "Close" }];
      const answer = await cards.ask({
        id: request.id, session: undefined, title: "", agent: "", text: message, code: "", uri: undefined, blocks: [],
        options: options.map(({ label }, index) => ({ id: String(index), label, kind: "allowOnce", rule: "" })),
      }, token);
      const index = answer && Number(answer.option);
      return index === undefined ? cancelled : { value: options[index]?.label ?? "", index, cancelled: false };
    }
  }
}
