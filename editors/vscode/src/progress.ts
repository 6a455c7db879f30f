// Shows work of the server beside turns, such as a login, with a button that cancels it. Turns have the status bar item.

import * as vscode from "vscode";
import { WorkDoneProgress, WorkDoneProgressCancelNotification, type LanguageClient } from "vscode-languageclient/node";

const taskPrefix = "kit-task/";

export function showProgress(language: LanguageClient, token: string | number): void {
  if (!String(token).startsWith(taskPrefix)) return;
  let show: ((message: string) => void) | undefined;
  let end: () => void = () => undefined;
  const over = new Promise<void>((resolve) => (end = resolve));
  const state = language.onDidChangeState(() => end());
  const subscription = language.onProgress(WorkDoneProgress.type, token, (value) => {
    switch (value.kind) {
      case "begin":
        void vscode.window.withProgress({ location: vscode.ProgressLocation.Notification, title: value.title, cancellable: true }, async (progress, cancelled) => {
          show = (message) => progress.report({ message });
          if (value.message) show(value.message);
          cancelled.onCancellationRequested(() => void language.sendNotification(WorkDoneProgressCancelNotification.type, { token }));
          await over;
        });
        return;
      case "report":
        if (value.message) show?.(value.message);
        return;
      case "end":
        end();
        return;
    }
  });
  void over.then(() => {
    subscription.dispose();
    state.dispose();
  });
}
