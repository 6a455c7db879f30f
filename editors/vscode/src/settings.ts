// What the user set under `kit.*`, in the shape the server takes it.
// Defaults are left out: they would override `.kit.yml`, because these options rank above every file.
// The sections `server`, `review`, `statusBar`, `notifications` and `trace` are this client's own.

import * as vscode from "vscode";

const own = new Set(["server", "statusBar", "notifications", "trace"]);
const ownReview = new Set(["codeLens", "jumpToNext"]);

export function setting<T>(name: string, fallback: T): T {
  return vscode.workspace.getConfiguration("kit").get<T>(name, fallback);
}

/** The settings object of `initializationOptions`: only what was set by hand. */
export function serverSettings(): Record<string, unknown> {
  const configuration = vscode.workspace.getConfiguration("kit");
  return collect(configuration, "", configuration) ?? {};
}

function collect(
  configuration: vscode.WorkspaceConfiguration,
  path: string,
  values: object,
): Record<string, unknown> | undefined {
  const found: [string, unknown][] = [];
  for (const [key, value] of Object.entries(values)) {
    const name = path ? `${path}.${key}` : key;
    if (typeof value === "function" || (path === "" && own.has(key)) || (path === "review" && ownReview.has(key))) continue;
    const inspected = configuration.inspect(name);
    const declared = inspected?.defaultValue !== undefined;
    const chosen = inspected?.workspaceFolderValue ?? inspected?.workspaceValue ?? inspected?.globalValue;
    if (declared) {
      if (chosen !== undefined) found.push([key, chosen]);
    } else if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      const inner = collect(configuration, name, value);
      if (inner) found.push([key, inner]);
    } else if (chosen !== undefined) {
      found.push([key, chosen]);
    }
  }
  return found.length > 0 ? Object.fromEntries(found) : undefined;
}
