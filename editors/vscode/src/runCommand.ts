// Runs what the user, the project, extensions and MCP servers offer by name: a pick list, its arguments, then a turn or
// an answer.

import * as vscode from "vscode";
import type { Client } from "./client.ts";
import { attempt } from "./errors.ts";
import type { ExtensionUi } from "./extensionUi.ts";
import { editorContext } from "./prompt.ts";
import type { CommandKind, CommandListAnswer, CommandRunArguments, NamedCommand } from "./protocol.ts";
import type { SessionStore } from "./session/store.ts";
import type { SessionView } from "./session/view.ts";

const groups: Record<CommandKind, string> = { template: "Prompts", skill: "Skills", extension: "Extensions", mcp: "MCP servers" };

const argumentsButton: vscode.QuickInputButton = { iconPath: new vscode.ThemeIcon("edit"), tooltip: "Run with Arguments…" };

interface Entry extends vscode.QuickPickItem {
  command?: NamedCommand;
}

export class CommandRunner {
  constructor(
    private readonly client: Client,
    private readonly store: SessionStore,
    private readonly view: SessionView,
    private readonly ui: ExtensionUi,
  ) {}

  async pick(): Promise<void> {
    const session = this.store.current;
    const answer = await attempt(() => this.client.call("kit.command.list", session ? { session } : {}));
    if (!answer) return;
    tellWhatIsMissing(answer);
    const pick = vscode.window.createQuickPick<Entry>();
    pick.title = "Kit: Run Command";
    pick.placeholder = answer.commands.length > 0 ? "Prompts, skills and commands" : "There are no commands yet; a file in .kit/prompts is one";
    pick.matchOnDescription = true;
    pick.matchOnDetail = true;
    pick.items = entries(answer.commands);
    const run = (command: NamedCommand | undefined, asks: boolean) => {
      pick.hide();
      if (command) void this.run(command, asks);
    };
    pick.onDidAccept(() => run(pick.selectedItems[0]?.command, pick.selectedItems[0]?.command?.arguments !== undefined));
    pick.onDidTriggerItemButton(({ item }) => run(item.command, true));
    pick.onDidHide(() => pick.dispose());
    pick.show();
  }

  private async run(command: NamedCommand, asks: boolean): Promise<void> {
    const args = !asks ? "" : await vscode.window.showInputBox({
      title: `Kit: /${command.name}`, placeHolder: command.arguments ?? "Arguments", ...(command.description ? { prompt: command.description } : {}),
      validateInput: (text) => (command.required && text.trim() === "" ? `/${command.name} needs ${command.arguments ?? "arguments"}.` : undefined),
    });
    if (args === undefined) return;
    const context = editorContext(this.client);
    await this.start({ name: command.name, ...(args.trim() ? { args } : {}), ...(context ? { context: [context.item] } : {}) });
  }

  /** Runs a command as it is given, such as by a code action, and shows what comes of it. */
  async start(command: CommandRunArguments): Promise<void> {
    const session = this.store.current;
    const answer = await attempt(() => this.client.call("kit.command.run", { ...(session ? { session } : {}), ...command }));
    if (!answer) return;
    if (answer.session && answer.turn) this.store.show(answer.session);
    if (answer.output) this.ui.print(`/${command.name}`, answer.output, true, true);
    await this.view.reveal();
  }
}

function entries(commands: NamedCommand[]): Entry[] {
  return (Object.keys(groups) as CommandKind[]).flatMap((kind) => {
    const ofKind = commands.filter((command) => command.kind === kind);
    return ofKind.length === 0 ? [] : [
      { label: groups[kind], kind: vscode.QuickPickItemKind.Separator },
      ...ofKind.map((command): Entry => ({
        label: `/${command.name}`, description: command.arguments ?? "", ...(command.description ? { detail: command.description } : {}), command,
        // What does not say that it takes arguments may take them all the same.
        buttons: command.arguments === undefined ? [argumentsButton] : [],
      })),
    ];
  });
}

function tellWhatIsMissing({ problems = [], withheld = [] }: CommandListAnswer): void {
  const [problem] = problems;
  if (problem) {
    const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : "";
    void vscode.window.showWarningMessage(`Kit: ${problem.path}:${problem.line + 1}: ${problem.message}${more}`, "Open File").then((choice) => {
      const at = new vscode.Position(problem.line, 0);
      if (choice) void vscode.window.showTextDocument(vscode.Uri.file(problem.path), { selection: new vscode.Range(at, at) });
    });
  }
  if (withheld.length > 0) {
    void vscode.window.showInformationMessage(`Kit: Not loaded, because the workspace is not trusted: ${withheld.join(", ")}.`, "Manage Trust").then((choice) => {
      if (choice) void vscode.commands.executeCommand("workbench.trust.manage");
    });
  }
}
