// MCP servers: what each is up to, with its tools, prompts and resources; reconnect, log in, log out.

import * as vscode from "vscode";
import type { Client } from "./client.ts";
import type { Content } from "./content.ts";
import { attempt } from "./errors.ts";
import { plural } from "./format.ts";
import type { McpServerInfo, McpState } from "./protocol.ts";
import { escapeCell } from "./statusText.ts";

const marks: Record<McpState, string> = {
  disabled: "$(circle-slash)", idle: "$(circle-outline)", starting: "$(loading~spin)", ready: "$(pass)", needsLogin: "$(key)", reconnecting: "$(loading~spin)", failed: "$(error)",
};
const words: Record<McpState, string> = {
  disabled: "left out by the settings", idle: "not needed yet", starting: "connecting", ready: "", needsLogin: "wants a login", reconnecting: "connecting again", failed: "failed",
};
const reconnectButton: vscode.QuickInputButton = { iconPath: new vscode.ThemeIcon("refresh"), tooltip: "Reconnect" };
const logInButton: vscode.QuickInputButton = { iconPath: new vscode.ThemeIcon("key"), tooltip: "Log In" };
const logOutButton: vscode.QuickInputButton = { iconPath: new vscode.ThemeIcon("sign-out"), tooltip: "Log Out" };
/** How often the open list looks again while a server is on its way. */
const lookMs = 700;

type Entry = vscode.QuickPickItem & { server: McpServerInfo };

export class McpServers {
  constructor(
    private readonly client: Client,
    private readonly content: Content,
  ) {}

  async pick(): Promise<void> {
    const first = await attempt(() => this.client.call("kit.mcp.list", {}));
    if (!first) return;
    const pick = vscode.window.createQuickPick<Entry>();
    let timer: NodeJS.Timeout | undefined;
    const show = (servers: McpServerInfo[]) => {
      const active = pick.activeItems[0]?.server.name;
      pick.items = servers.map(entry);
      pick.activeItems = pick.items.filter(({ server }) => server.name === active);
      clearTimeout(timer);
      const moving = servers.some(({ state, login }) => state === "starting" || state === "reconnecting" || login === "pending");
      if (moving) timer = setTimeout(() => void look(), lookMs);
    };
    const look = async () => {
      const answer = await this.client.call("kit.mcp.list", {}).catch(() => undefined);
      if (answer) show(answer.servers);
    };
    pick.title = "Kit: MCP Servers";
    pick.placeholder = first.servers.length > 0 ? "Show what a server offers" : "There are none; the setting mcpServers of .kit.yml names them";
    pick.matchOnDetail = true;
    show(first.servers);
    pick.onDidTriggerItemButton(async ({ item, button }) => {
      const command = button === reconnectButton ? "kit.mcp.reconnect" : button === logInButton ? "kit.mcp.login" : "kit.mcp.logout";
      await attempt(() => this.client.call(command, { name: item.server.name }));
      await look();
    });
    pick.onDidAccept(() => {
      const server = pick.selectedItems[0]?.server;
      pick.hide();
      if (!server) return;
      if (server.state === "needsLogin") void attempt(() => this.client.call("kit.mcp.login", { name: server.name }));
      else void this.content.showReport(`MCP ${server.name}`, mcpReport(server));
    });
    pick.onDidHide(() => {
      clearTimeout(timer);
      pick.dispose();
    });
    pick.show();
  }
}

function entry(server: McpServerInfo): Entry {
  const { name, state, tools, prompts, resources, error, login } = server;
  const offers = [
    ...(tools.length > 0 ? [plural(tools.length, "tool")] : []),
    ...(prompts.length > 0 ? [plural(prompts.length, "prompt")] : []),
    ...(resources.length > 0 ? [plural(resources.length, "resource")] : []),
  ];
  return {
    label: `${marks[state]} ${name}`,
    description: [words[state], ...offers].filter(Boolean).join(" · "),
    detail: error ?? server.server ?? (server.transport === "stdio" ? "a program" : "an address"),
    buttons: [...(login === "signedOut" ? [logInButton] : login === "signedIn" ? [logOutButton] : []), ...(state === "disabled" ? [] : [reconnectButton])],
    server,
  };
}

function mcpReport({ name, server, state, error, tools, prompts, resources }: McpServerInfo): string {
  const list = (title: string, items: string[]) => (items.length > 0 ? [`\n## ${title}\n`, ...items.map((item) => `- \`${item}\``)] : []);
  return [
    `# ${name}\n`, [server ?? "", words[state], error ?? ""].filter(Boolean).map(escapeCell).join(" · "),
    ...(tools.length > 0 ? ["\n## Tools\n", "| Tool | What it does |\n|:--|:--|", ...tools.map((tool) => `| \`${tool.name}\` | ${escapeCell(tool.description ?? "")} |`)] : []),
    ...list("Prompts, behind `/`", prompts), ...list("Resources, behind `@`", resources), "",
  ].join("\n");
}
