// The extensions of the agent: what each does and may do, with reload and grants.

import * as vscode from "vscode";
import type { Client } from "./client.ts";
import { attempt } from "./errors.ts";
import { plural } from "./format.ts";
import type { ExtensionUi } from "./extensionUi.ts";
import { permissionLines } from "./permissionText.ts";
import type { ExtensionInfo, ExtensionState } from "./protocol.ts";

const marks: Record<ExtensionState, string> = { running: "$(pass)", disabled: "$(circle-slash)", broken: "$(error)" };
const reloadButton: vscode.QuickInputButton = { iconPath: new vscode.ThemeIcon("refresh"), tooltip: "Reload" };
const grantButton: vscode.QuickInputButton = { iconPath: new vscode.ThemeIcon("shield"), tooltip: "Grants…" };
const reloadAllButton: vscode.QuickInputButton = { iconPath: new vscode.ThemeIcon("refresh"), tooltip: "Reload All" };

type Entry = vscode.QuickPickItem & { extension: ExtensionInfo };

export class Extensions {
  constructor(
    private readonly client: Client,
    private readonly ui: ExtensionUi,
    private readonly session: () => string | undefined,
  ) {}

  async pick(): Promise<void> {
    const first = await attempt(() => this.client.call("kit.extension.list", {}));
    if (!first) return;
    const pick = vscode.window.createQuickPick<Entry>();
    const show = (extensions: ExtensionInfo[]) => (pick.items = extensions.map(entry));
    const reload = async (name: string | undefined) => {
      pick.busy = true;
      const answer = await attempt(() => this.client.call("kit.extension.reload", name === undefined ? {} : { name }));
      pick.busy = false;
      if (answer) show((await this.client.call("kit.extension.list", {})).extensions);
    };
    pick.title = "Kit: Extensions";
    pick.placeholder = first.extensions.length > 0 ? "Open the file of an extension" : "There are none; a .js file in .kit/extensions is one";
    pick.matchOnDetail = true;
    pick.buttons = [reloadAllButton];
    show(first.extensions);
    pick.onDidTriggerButton(() => reload(undefined));
    pick.onDidTriggerItemButton(({ item, button }) => {
      if (button === reloadButton) return void reload(item.extension.name);
      pick.hide();
      void this.grant(item.extension);
    });
    pick.onDidAccept(() => {
      const extension = pick.selectedItems[0]?.extension;
      pick.hide();
      if (!extension) return;
      // A component is no text.
      if (extension.path.endsWith(".wasm")) void this.grant(extension);
      else void vscode.window.showTextDocument(vscode.Uri.file(extension.path));
    });
    pick.onDidHide(() => pick.dispose());
    pick.show();
  }

  async reload(): Promise<void> {
    const answer = await attempt(() => this.client.call("kit.extension.reload", {}));
    if (!answer) return;
    const broken = answer.extensions.filter((extension) => extension.state === "broken");
    if (broken.length === 0) void vscode.window.showInformationMessage(`Kit: ${plural(answer.extensions.length, "extension")} loaded.`);
    else void vscode.window.showErrorMessage(`Kit: ${broken.map((extension) => `${extension.name}: ${extension.error ?? "broken"}`).join(" ")}`);
  }

  /** Does what an extension bound to a key: the one of a binding in keybindings.json, or the one that the user picks. */
  async shortcut(given: string | undefined): Promise<void> {
    const key = given ?? (await this.pickShortcut());
    const session = this.session();
    const answer = key === undefined ? undefined : await attempt(() => this.client.call("kit.extension.shortcut", { key, ...(session ? { session } : {}) }));
    if (key !== undefined && answer?.output) this.ui.print(key, answer.output, true, true);
  }

  private async pickShortcut(): Promise<string | undefined> {
    const listed = await attempt(() => this.client.call("kit.extension.list", {}));
    if (!listed) return undefined;
    const items = listed.extensions.flatMap(({ name, shortcuts = [] }) => shortcuts.map(({ key, description }) => ({ label: key, description: name, detail: description })));
    const placeHolder = items.length > 0 ? "Bind one to kit.extension.shortcut with { \"key\": … } in keybindings.json" : "No extension has a shortcut";
    return (await vscode.window.showQuickPick(items, { title: "Kit: Extension Shortcut", placeHolder, matchOnDetail: true }))?.label;
  }

  private async grant(extension: ExtensionInfo): Promise<void> {
    const asks = permissionLines(extension.asks);
    if (asks.length === 0) {
      void vscode.window.showInformationMessage(`Kit: ${extension.name} asks for nothing.`);
      return;
    }
    const granted = permissionLines(extension.grants);
    const detail = `It asks to:\n${asks.map((line) => `• ${line}`).join("\n")}\n\n${granted.length > 0 ? `Granted now:\n${granted.map((line) => `• ${line}`).join("\n")}` : "Nothing is granted now."}`;
    const choice = await vscode.window.showInformationMessage(`${extension.name}: what may it do?`, { modal: true, detail }, "Grant All", "Take Back All");
    if (choice) await attempt(() => this.client.call("kit.extension.grant", { name: extension.name, grants: choice === "Grant All" }));
  }
}

function entry(extension: ExtensionInfo): Entry {
  const { name, version, description, state, error, tools, commands, events } = extension;
  const parts = [
    ...(tools.length > 0 ? [plural(tools.length, "tool")] : []),
    ...(commands.length > 0 ? [commands.map((command) => `/${command}`).join(" ")] : []),
    ...(events.length > 0 ? [plural(events.length, "event")] : []),
  ];
  return {
    label: `${marks[state]} ${name}`,
    description: [version ?? "", state === "running" ? "" : state, ...parts].filter(Boolean).join(" · "),
    detail: error ?? description ?? extension.path,
    buttons: permissionLines(extension.asks).length > 0 ? [grantButton, reloadButton] : [reloadButton],
    extension,
  };
}
