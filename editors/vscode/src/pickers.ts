// Quick picks for model, mode and thinking level. What is chosen holds for the session that is shown.

import * as vscode from "vscode";
import type { Client } from "./client.ts";
import { attempt } from "./errors.ts";
import { count } from "./format.ts";
import type { Mode, Status, ThinkingLevel } from "./protocol.ts";

const modes: { mode: Mode; label: string; detail: string }[] = [
  { mode: "plan", label: "Plan", detail: "Reads and answers, changes nothing." },
  { mode: "ask", label: "Ask", detail: "Asks before every change." },
  { mode: "edit", label: "Edit", detail: "Edits inside the workspace go ahead and can be reviewed; commands and everything else ask." },
  { mode: "auto", label: "Auto", detail: "Everything inside the sandbox goes ahead." },
];

const levels: ThinkingLevel[] = ["off", "minimal", "low", "medium", "high"];

export class Pickers {
  constructor(
    private readonly client: Client,
    private readonly status: () => Status | undefined,
    private readonly session: () => string | undefined,
  ) {}

  async model(): Promise<void> {
    await attempt(async () => {
      const current = this.status()?.model;
      const { models } = await this.client.call("kit.model.list", {});
      const currentFirst = models.toSorted((left, right) => Number(right.id === current) - Number(left.id === current));
      const choice = await vscode.window.showQuickPick(
        currentFirst.map((model) => ({
          label: `${model.id === current ? "$(check) " : ""}${model.name}`,
          description: model.id,
          detail: [model.contextWindow ? `${count(model.contextWindow)} context` : "", model.reasoning ? "thinks" : ""].filter(Boolean).join(" · "),
          id: model.id,
        })),
        { title: "Kit: Model", placeHolder: current ?? "Choose a model", matchOnDescription: true });
      if (choice) await this.client.call("kit.model.set", { model: choice.id, ...this.reference() });
    });
  }

  async mode(): Promise<void> {
    const current = this.status()?.mode;
    const choice = await vscode.window.showQuickPick(
      modes.map(({ mode, label, detail }) => ({ label: `${mode === current ? "$(check) " : ""}${label}`, detail, mode })),
      { title: "Kit: Mode", placeHolder: "What may the agent do without asking?" });
    if (choice) await attempt(() => this.client.call("kit.mode.set", { mode: choice.mode, ...this.reference() }));
  }

  async thinking(): Promise<void> {
    const choice = await vscode.window.showQuickPick(levels.map((level) => ({ label: level, level })), { title: "Kit: Thinking level", placeHolder: "How long may the model think?" });
    if (choice) await attempt(() => this.client.call("kit.thinking.set", { level: choice.level, ...this.reference() }));
  }

  private reference(): { session?: string } {
    const session = this.session();
    return session ? { session } : {};
  }
}
