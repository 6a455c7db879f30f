// Starts turns: takes the text, adds the selection or the file as context, sends it to the session that is shown.

import * as vscode from "vscode";
import type { Client } from "./client.ts";
import { attempt } from "./errors.ts";
import { baseName } from "./format.ts";
import type { ContextItem, PromptArguments } from "./protocol.ts";
import { selectedLines } from "./review/hunks.ts";
import type { SessionStore } from "./session/store.ts";

export interface EditorContext {
  item: ContextItem;
  /** `main.rs:3-9`, or the bare name for the whole file. */
  label: string;
}

/** The selection of the active editor, or its file; nothing for documents that the server does not see. */
export function editorContext(client: Client): EditorContext | undefined {
  const editor = vscode.window.activeTextEditor;
  if (!editor || !["file", "untitled"].includes(editor.document.uri.scheme)) return undefined;
  const { document, selection } = editor;
  const item: ContextItem = { uri: client.toProtocol(document.uri), version: document.version };
  const name = baseName(document.uri.path);
  if (selection.isEmpty) return { item, label: name };
  const [start, end] = selectedLines(selection);
  const { line, character } = selection.start;
  return {
    item: { ...item, range: { start: { line, character }, end: { line: selection.end.line, character: selection.end.character } } },
    label: end - start > 1 ? `${name}:${start + 1}-${end}` : `${name}:${start + 1}`,
  };
}

export class Prompter {
  constructor(
    private readonly client: Client,
    private readonly sessions: SessionStore,
    private readonly showSession: () => Promise<void>,
  ) {}

  /** Asks for the text in an input box; what the editor shows goes along, unless a code action brings its own. */
  async ask(given: ContextItem[] | undefined): Promise<void> {
    const context = editorContext(this.client);
    const text = await vscode.window.showInputBox({
      title: context ? `Kit: Ask about ${context.label}` : "Kit: Ask",
      placeHolder: this.sessions.model?.running ? "Waits for the running turn" : "What should be done?",
    });
    const items = given ?? (context ? [context.item] : []);
    if (text?.trim()) await this.send({ text, context: items });
  }

  /** Tells the running turn something that it reads before its next model call. */
  async steer(): Promise<void> {
    const text = await vscode.window.showInputBox({ title: "Kit: Steer the running turn", placeHolder: "Read before the next model call" });
    if (text?.trim()) await this.send({ text, delivery: "steer" });
  }

  /** Hands a prompt over; a command of an extension is run instead. */
  async send(prompt: PromptArguments): Promise<boolean> {
    const session = prompt.session ?? this.sessions.current;
    const [, name, args] = /^\s*\/([^\s/]+)\s*([^]*?)\s*$/.exec(prompt.text) ?? [];
    if (name !== undefined && (await this.isOfExtension(name, session))) {
      const { context, attachments } = prompt;
      const command = { name, ...(args ? { args } : {}), ...(context ? { context } : {}), ...(attachments ? { attachments } : {}), ...(session ? { session } : {}) };
      await vscode.commands.executeCommand("kit.command.run", command);
      return true;
    }
    const started = await attempt(async () => {
      await this.showSession();
      return this.client.call("kit.session.prompt", { ...prompt, ...(session ? { session } : {}) });
    });
    if (started) this.sessions.show(started.session);
    return started !== undefined;
  }

  /** Whether an extension has a command. Templates, skills and prompts of MCP servers are filled in by the server. */
  private async isOfExtension(name: string, session: string | undefined): Promise<boolean> {
    const answer = await attempt(() => this.client.call("kit.command.list", session ? { session } : {}));
    return answer?.commands.some((command) => command.name === name && command.kind === "extension") ?? false;
  }

  async stop(): Promise<void> {
    await attempt(() => this.client.call("kit.session.cancel", {}));
  }
}
