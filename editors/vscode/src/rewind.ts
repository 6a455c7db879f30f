// Goes back to before a turn: files, conversation or both, after showing what that would restore and what it would not.

import * as vscode from "vscode";
import type { Client } from "./client.ts";
import { attempt } from "./errors.ts";
import { plural } from "./format.ts";
import type { RewindAnswer, RewindMode } from "./protocol.ts";
import type { UserItem } from "./session/items.ts";
import type { SessionStore } from "./session/store.ts";
import type { SessionView } from "./session/view.ts";

export class Rewinder {
  constructor(
    private readonly client: Client,
    private readonly store: SessionStore,
    private readonly view: SessionView,
  ) {}

  /** Back to before a turn, or before the one that the user picks. */
  async rewind(turn: string | undefined): Promise<void> {
    const session = this.store.current;
    const prompts = (this.store.model?.items ?? []).filter((item): item is UserItem => item.kind === "user" && item.within === undefined && item.turn !== "");
    if (!session || prompts.length === 0) {
      void vscode.window.showInformationMessage("Kit: There is no turn to go back to in this session.");
      return;
    }
    const prompt = turn === undefined
      ? (await vscode.window.showQuickPick(prompts.toReversed().map((item) => ({ label: item.text.split("\n", 1)[0] ?? "", item })), { title: "Kit: Rewind", placeHolder: "To before which prompt?" }))?.item
      : prompts.find((item) => item.turn === turn);
    if (!prompt) return;
    const preview = await attempt(() => this.client.call("kit.review.rewind", { session, turn: prompt.turn, mode: "both", preview: true }));
    const mode = preview && (await this.choose(preview, prompt.text));
    if (!mode) return;
    const done = await attempt(() => this.client.call("kit.review.rewind", { session, turn: prompt.turn, mode }));
    if (!done) return;
    if (mode !== "files") {
      this.store.reload();
      this.view.write(prompt.text);
    }
    if (mode === "conversation") return;
    const skipped = done.skip.map(({ uri, why }) => `${name(uri)}: ${why}`).join(" ");
    const told = `Kit: ${plural(done.restore.length, "file")} restored.${skipped ? ` Left alone: ${skipped}` : ""}`;
    if (skipped) void vscode.window.showWarningMessage(told);
    else void vscode.window.showInformationMessage(told);
  }

  /** What goes back, with the files that each choice concerns. */
  private async choose({ restore, skip }: RewindAnswer, prompt: string): Promise<RewindMode | undefined> {
    const files = restore.map(name).join(", ");
    const left = skip.map(({ uri, why }) => `${name(uri)} stays: ${why}`).join(" ");
    const detail = [files ? `Restores ${files}.` : "No file changes.", left].filter(Boolean).join(" ");
    const modes: (vscode.QuickPickItem & { mode: RewindMode })[] = [
      ...(restore.length > 0 ? [{ mode: "both" as const, label: "$(history) Files and conversation", detail }, { mode: "files" as const, label: "$(files) Files only", detail }] : []),
      { mode: "conversation", label: "$(comment-discussion) Conversation only", detail: restore.length > 0 ? "Files stay as they are." : detail },
    ];
    return (await vscode.window.showQuickPick(modes, { title: `Kit: Rewind to before “${prompt.split("\n", 1)[0] ?? ""}”`, placeHolder: "What should go back?" }))?.mode;
  }
}

function name(uri: string): string {
  return vscode.workspace.asRelativePath(vscode.Uri.parse(uri));
}
