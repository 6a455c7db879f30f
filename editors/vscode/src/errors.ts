// Turns whatever a call of the server threw into one sentence for the user. Never a stack.

import * as vscode from "vscode";
import { withoutLinks } from "./format.ts";

interface KitErrorData {
  kind?: string;
  retryAfterMs?: number;
  detail?: string;
}

/** The first sentence of an error, with what mends it where the server says so. */
export function sentence(error: unknown): string {
  const message = error instanceof Error ? error.message : typeof error === "string" ? error : "Something went wrong";
  const line = (message.split("\n", 1)[0] ?? "").trim();
  const text = `${line.charAt(0).toUpperCase()}${line.slice(1)}`.replace(/^Request \S+ failed with message: /, "");
  const wait = dataOf(error).retryAfterMs;
  const ended = /[.!?…]$/.test(text) ? text : `${text}.`;
  return wait ? `${ended} Try again in ${Math.ceil(wait / 1000)} s.` : ended;
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
  const [label, command] = kind === "auth" ? ["Doctor", "kit.doctor"] as const : ["Show Log", "kit.log"] as const;
  void vscode.window.showErrorMessage(`Kit: ${withoutLinks(sentence(error))}`, label).then((choice) => {
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
