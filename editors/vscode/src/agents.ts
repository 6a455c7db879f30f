// Subagents: those at work, with what can be done to them, and the named ones that a subagent can run as.

import * as vscode from "vscode";
import type { Client } from "./client.ts";
import type { Content } from "./content.ts";
import { attempt } from "./errors.ts";
import type { AgentInfo, Status, StatusAgent } from "./protocol.ts";
import type { SessionView } from "./session/view.ts";

interface Entry extends vscode.QuickPickItem {
  running?: StatusAgent;
  named?: AgentInfo;
}

const stopButton: vscode.QuickInputButton = { iconPath: new vscode.ThemeIcon("debug-stop"), tooltip: "Stop" };
const fileButton: vscode.QuickInputButton = { iconPath: new vscode.ThemeIcon("go-to-file"), tooltip: "Open File" };

export class Agents {
  constructor(
    private readonly client: Client,
    private readonly content: Content,
    private readonly view: SessionView,
    private readonly status: () => Status | undefined,
    private readonly session: () => string | undefined,
  ) {}

  async pick(): Promise<void> {
    const session = this.session();
    const answer = await attempt(() => this.client.call("kit.agent.list", session ? { session } : {}));
    if (!answer) return;
    const pick = vscode.window.createQuickPick<Entry>();
    const draw = () => (pick.items = [...runningEntries(this.status()), ...namedEntries(answer.agents)]);
    pick.title = "Kit: Agents";
    pick.placeholder = "Open the transcript of a running agent, or ask one to do something";
    pick.matchOnDescription = true;
    pick.matchOnDetail = true;
    draw();
    const following = this.client.onStatus(draw);
    pick.onDidTriggerItemButton(({ item, button }) => {
      if (item.running && button === stopButton) void this.stop(item.running.id);
      if (item.named && button === fileButton) void vscode.window.showTextDocument(vscode.Uri.file(item.named.source));
    });
    pick.onDidAccept(() => {
      const item = pick.selectedItems[0];
      pick.hide();
      if (item?.running) void this.open(item.running.id);
      else if (item?.named) void this.give(item.named);
    });
    pick.onDidHide(() => {
      following.dispose();
      pick.dispose();
    });
    pick.show();
    for (const problem of answer.problems ?? []) void vscode.window.showWarningMessage(`Kit: ${problem.path}:${problem.line + 1}: ${problem.message}`);
  }

  /** The transcript of a subagent, while it works and after. */
  async open(session: string): Promise<void> {
    const running = this.status()?.agents.find((agent) => agent.id === session);
    await attempt(() => this.content.showTranscript(session, running ? `${running.name} ${running.task}` : "Subagent"));
  }

  async stop(session: string): Promise<void> {
    await attempt(() => this.client.call("kit.session.cancel", { session }));
  }

  /** A task for a named agent is a prompt like any other: the model passes it on. */
  private async give(agent: AgentInfo): Promise<void> {
    await this.view.focus();
    this.view.write(`Use the ${agent.name} agent to `);
  }
}

function runningEntries(status: Status | undefined): Entry[] {
  const running = status?.agents ?? [];
  return running.length === 0 ? [] : [
    { label: "Running", kind: vscode.QuickPickItemKind.Separator },
    ...running.map((agent): Entry => ({
      label: `${agent.state === "waiting" ? "$(bell-dot)" : "$(loading~spin)"} ${agent.name}`, description: agent.label, detail: agent.task, buttons: [stopButton], running: agent,
    })),
  ];
}

function namedEntries(agents: AgentInfo[]): Entry[] {
  return [
    { label: "Named agents", kind: vscode.QuickPickItemKind.Separator },
    ...agents.map((agent): Entry => ({
      label: agent.name,
      description: [agent.source === "built-in" ? "built in" : "", agent.model ?? "", agent.hidden ? "not offered to models" : ""].filter(Boolean).join(" · "),
      detail: agent.tools ? `${agent.description} (tools: ${agent.tools.join(", ")})` : agent.description,
      buttons: agent.source === "built-in" ? [] : [fileButton],
      named: agent,
    })),
  ];
}
