// Logs in and out at providers. Accounts log in through the browser, where the server asks on cards and shows progress.
// A key is typed into a terminal: what goes through the editor may be recorded.

import * as vscode from "vscode";
import type { Client } from "./client.ts";
import { attempt } from "./errors.ts";
import type { AuthProvider, AuthState } from "./protocol.ts";

const marks: Record<AuthState, string> = { signedIn: "$(pass)", signedOut: "$(circle-outline)", refused: "$(warning)", pending: "$(loading~spin)" };
const keyButton: vscode.QuickInputButton = { iconPath: new vscode.ThemeIcon("key"), tooltip: "Store a Key in a Terminal" };
const logOutButton: vscode.QuickInputButton = { iconPath: new vscode.ThemeIcon("sign-out"), tooltip: "Log Out" };

type Entry = vscode.QuickPickItem & { provider: AuthProvider };

export class Logins {
  constructor(private readonly client: Client) {}

  async logIn(): Promise<void> {
    const chosen = await this.choose("Log In", "With which provider?", () => true);
    if (!chosen) return;
    const { provider, button } = chosen;
    if (button === logOutButton) return this.forget(provider);
    const way = button === keyButton ? "key" : await wayOf(provider);
    if (way === "key") this.storeKey(provider.id);
    else if (way === "account") await attempt(() => this.client.call("kit.auth.login", { provider: provider.id }));
  }

  async logOut(): Promise<void> {
    const chosen = await this.choose("Log Out", "Which stored login should be forgotten?", (provider) => provider.source === "stored" || provider.state === "refused");
    if (chosen) await this.forget(chosen.provider);
  }

  /** `kit-ls auth login` in a terminal of its own asks for the key without showing it. */
  private storeKey(provider: string): void {
    const { program } = this.client;
    if (program === undefined) return;
    const terminal = vscode.window.createTerminal({ name: `Kit: key for ${provider}`, shellPath: program, shellArgs: ["auth", "login", provider, "--key"], iconPath: new vscode.ThemeIcon("key") });
    terminal.show();
    const closing = vscode.window.onDidCloseTerminal(async (closed) => {
      if (closed !== terminal) return;
      closing.dispose();
      // The server looks at the stored logins again, so that the status bar tells how it is now.
      const answer = await attempt(() => this.client.call("kit.auth.status", { provider }));
      const [status] = answer?.providers ?? [];
      if (status && closed.exitStatus?.code === 0) void vscode.window.showInformationMessage(`Kit: ${provider}: ${status.detail}.`);
    });
  }

  private async forget(provider: AuthProvider): Promise<void> {
    const choice = await vscode.window.showWarningMessage(`Forget the login at ${provider.id}?`, { modal: true, detail: provider.detail }, "Log Out");
    if (choice) await attempt(() => this.client.call("kit.auth.logout", { provider: provider.id }));
  }

  private async choose(title: string, placeHolder: string, fits: (provider: AuthProvider) => boolean): Promise<{ provider: AuthProvider; button?: vscode.QuickInputButton } | undefined> {
    const answer = await attempt(() => this.client.call("kit.auth.status", {}));
    if (!answer) return undefined;
    const providers = answer.providers.filter(fits);
    if (providers.length === 0) {
      void vscode.window.showInformationMessage("Kit: There is no stored login.");
      return undefined;
    }
    const pick = vscode.window.createQuickPick<Entry>();
    pick.title = `Kit: ${title}`;
    pick.placeholder = placeHolder;
    pick.matchOnDetail = true;
    pick.items = providers.map((provider) => ({
      label: `${marks[provider.state]} ${provider.id}`, detail: provider.detail, ...(provider.account ? { description: provider.account } : {}),
      buttons: [...(provider.takesKey ? [keyButton] : []), ...(provider.source === "stored" ? [logOutButton] : [])], provider,
    }));
    return new Promise((resolve) => {
      const settle = (item: Entry | undefined, button?: vscode.QuickInputButton) => {
        resolve(item && { provider: item.provider, ...(button ? { button } : {}) });
        pick.hide();
      };
      pick.onDidAccept(() => settle(pick.selectedItems[0]));
      pick.onDidTriggerItemButton(({ item, button }) => settle(item, button));
      pick.onDidHide(() => {
        resolve(undefined);
        pick.dispose();
      });
      pick.show();
    });
  }
}

/** With the account or with a key; the user decides where there are both. */
async function wayOf(provider: AuthProvider): Promise<"account" | "key" | undefined> {
  if (provider.login === undefined) return "key";
  if (!provider.takesKey) return "account";
  const ways = [
    { way: "account" as const, label: `$(account) Log in with ${provider.login}`, detail: "In the browser" },
    { way: "key" as const, label: "$(key) Store a key", detail: "Typed into a terminal, so that no editor and no log sees it" },
  ];
  return (await vscode.window.showQuickPick(ways, { title: `Kit: Log in at ${provider.id}`, placeHolder: provider.detail }))?.way;
}
