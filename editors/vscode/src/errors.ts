// Turns whatever a call of the server threw into one sentence for the user. Never a stack.

import * as vscode from "vscode";
import { asSentence, withoutLinks } from "./format.ts";

interface KitErrorData {
  kind?: string;
  retryAfterMs?: number;
  detail?: string;
}

/** What went wrong in one sentence, with what mends it where the server says so. */
export function sentence(error: unknown): string {
  const message = error instanceof Error ? error.message : typeof error === "string" ? error : "Something went wrong";
  const line = (message.split("\n", 1)[0] ?? "").replace(/^Request \S+ failed with message: /, "").trim();
  const wait = dataOf(error).retryAfterMs;
  return withoutLinks(wait ? `${asSentence(line)} Try again in ${Math.ceil(wait / 1000)} s.` : asSentence(line));
}

export function errorKind(error: unknown): string | undefined {
  return dataOf(error).kind;
}

function dataOf(error: unknown): KitErrorData {
  const data = typeof error === "object" && error !== null && "data" in error ? error.data : undefined;
  return typeof data === "object" && data !== null ? data : {};
}

/** Shows the error once, with a way to the log; a cancelled call is no error. */
export function report(error: unknown): void {
  const kind = errorKind(error);
  if (kind === "cancelled" || error instanceof vscode.CancellationError) return;
  const [label, command] = kind === "auth" ? ["Log In…", "kit.login"] as const : ["Show Log", "kit.log"] as const;
  void vscode.window.showErrorMessage(`Kit: ${sentence(error)}`, label).then((choice) => {
    if (choice) void vscode.commands.executeCommand(command);
  });
}

/** Runs what a user asked for and reports its failure. */
export async function attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    report(error);
    return undefined;
  }
}
