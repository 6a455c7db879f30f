// The connection to kit-ls: finds the server, starts it, sends commands, hands out notifications.
// Replaces three built-in features of the language client: the command feature (it would register every server
// command globally and collide with ours), progress (the status bar item shows it) and text document content
// (`content.ts` refreshes it from the review).

import * as fs from "node:fs";
import * as path from "node:path";
import * as vscode from "vscode";
import {
  CancellationToken,
  ExecuteCommandRequest,
  LanguageClient,
  RevealOutputChannelOn,
  State,
  TextDocumentEdit,
  type ApplyWorkspaceEditParams,
  type ClientCapabilities,
  type Diagnostic,
  type DynamicFeature,
  type FeatureState,
  type ServerCapabilities,
  type StaticFeature,
} from "vscode-languageclient/node";
import { report, sentence } from "./errors.ts";
import { showProgress } from "./progress.ts";
import { protocolVersion, type Commands, type KitEvent, type ReviewState, type ServerCapabilities as KitCapabilities, type Status, type UiUpdate, type Withdrawal } from "./protocol.ts";
import { serverSettings, setting } from "./settings.ts";

const replacedFeatures = new Set(["workspace/executeCommand", "workspace/textDocumentContent", "window/workDoneProgress/create"]);

/** Commands of ours without a title: code actions of the server carry them, people have `kit.ask`. */
export const untitledCommands = ["kit.session.prompt", "kit.session.ask", "kit.command.run"];

const experimental = {
  version: protocolVersion,
  events: true,
  status: true,
  review: true,
  permission: true,
  ask: true,
  save: true,
  diagnostics: true,
  ui: true,
};

export type ConnectionState = "starting" | "running" | "stopped" | "missing";

export class Client implements vscode.Disposable {
  private readonly eventEmitter = new vscode.EventEmitter<KitEvent>();
  private readonly statusEmitter = new vscode.EventEmitter<Status>();
  private readonly reviewEmitter = new vscode.EventEmitter<ReviewState>();
  private readonly withdrawEmitter = new vscode.EventEmitter<string>();
  private readonly uiEmitter = new vscode.EventEmitter<UiUpdate>();
  private readonly contentEmitter = new vscode.EventEmitter<vscode.Uri>();
  private readonly stateEmitter = new vscode.EventEmitter<ConnectionState>();

  readonly onEvent = this.eventEmitter.event;
  readonly onStatus = this.statusEmitter.event;
  readonly onReview = this.reviewEmitter.event;
  /** A question whose answer nobody waits for any more. */
  readonly onWithdraw = this.withdrawEmitter.event;
  /** Something that an extension shows or takes away. */
  readonly onUi = this.uiEmitter.event;
  /** A virtual document that the server says has changed. */
  readonly onContent = this.contentEmitter.event;
  readonly onState = this.stateEmitter.event;

  state: ConnectionState = "starting";
  private language: LanguageClient | undefined;
  private settings = "";
  private readonly requests: ((language: LanguageClient) => void)[] = [];

  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly output: vscode.LogOutputChannel,
  ) {}

  /** Answers requests of the server; call it before `start`. */
  answer<Parameters, Answer>(
    method: string,
    handler: (parameters: Parameters, token: vscode.CancellationToken) => Promise<Answer>,
  ): void {
    this.requests.push((language) => language.onRequest<unknown, unknown>(method, (parameters: Parameters, token) => handler(parameters, token)));
  }

  /** Where the server is started. While no folder is open it works there, and never where VS Code happens to have been started. */
  private async place(): Promise<{ cwd?: string }> {
    if (vscode.workspace.workspaceFolders?.length) return {};
    const file = vscode.window.activeTextEditor?.document.uri;
    if (file?.scheme === "file") return { cwd: path.dirname(file.fsPath) };
    await vscode.workspace.fs.createDirectory(this.context.globalStorageUri);
    return { cwd: this.context.globalStorageUri.fsPath };
  }

  async start(): Promise<void> {
    const command = findServer(this.context.extensionPath, setting("server.path", ""));
    if (command === undefined) {
      this.enter("missing");
      const choice = await vscode.window.showErrorMessage(
        "Kit: The server kit-ls was not found. Install it on PATH or set its path.", "Open Settings");
      if (choice) await vscode.commands.executeCommand("workbench.action.openSettings", "kit.server.path");
      return;
    }
    const settings = serverSettings();
    this.settings = JSON.stringify(settings);
    const args = ["--stdio", ...setting<string[]>("server.arguments", [])];
    const language = new KitLanguageClient("kit", "Kit", { command, args, options: await this.place() }, {
      documentSelector: [{ scheme: "file" }, { scheme: "untitled" }],
      initializationOptions: settings,
      outputChannel: this.output,
      revealOutputChannelOn: RevealOutputChannelOn.Never,
      markdown: { supportThemeIcons: true },
      middleware: {
        workspace: { handleApplyEdit: async (params, next) => (leavesOpen(params) ? next(params, CancellationToken.None) : notOpen) },
      },
    });
    this.language = language;
    language.registerFeature(new KitFeature(ownCommands(this.context), (command, argument) => this.forward(command, argument)));
    language.onNotification("kit/event", (event: KitEvent) => this.eventEmitter.fire(event));
    language.onNotification("kit/status", (status: Status) => this.statusEmitter.fire(status));
    language.onNotification("kit/review", (review: ReviewState) => this.reviewEmitter.fire(review));
    language.onNotification("kit/withdraw", ({ id }: Withdrawal) => this.withdrawEmitter.fire(id));
    language.onNotification("kit/ui", (update: UiUpdate) => this.uiEmitter.fire(update));
    language.onRequest("window/workDoneProgress/create", ({ token }: { token: string | number }) => {
      showProgress(language, token);
      return null;
    });
    language.onRequest("workspace/textDocumentContent/refresh", ({ uri }: { uri: string }) => {
      this.contentEmitter.fire(vscode.Uri.parse(uri));
      return null;
    });
    for (const register of this.requests) register(language);
    language.onDidChangeState(({ newState }) => {
      if (newState === State.Running) this.running();
      else this.enter(newState === State.Starting ? "starting" : "stopped");
    });
    try {
      await language.start();
    } catch (error) {
      this.output.error(String(error));
      this.enter("stopped");
    }
  }

  private running(): void {
    const server = this.language?.initializeResult?.capabilities.experimental?.kit as KitCapabilities | undefined;
    if (server && server.version !== protocolVersion) {
      report(new Error(`The server speaks protocol ${server.version}, this extension ${protocolVersion}: update the older one`));
    }
    this.enter("running");
  }

  private enter(state: ConnectionState): void {
    this.state = state;
    this.stateEmitter.fire(state);
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  private async stop(): Promise<void> {
    const language = this.language;
    this.language = undefined;
    // A server that is still starting or has crashed cannot be stopped; disposing of it ends the process all the same.
    await language?.dispose().catch((error: unknown) => this.output.warn(sentence(error)));
  }

  async call<Name extends keyof Commands>(name: Name, argument: Commands[Name]["argument"]): Promise<Commands[Name]["answer"]> {
    return (await this.forward(name, argument)) as Commands[Name]["answer"];
  }

  private async forward(command: string, argument: unknown): Promise<unknown> {
    // A client that is still starting sends the request when it is ready.
    if (!this.language || this.state === "stopped") throw new Error("The server is not running");
    return this.language.sendRequest(ExecuteCommandRequest.type, { command, arguments: [argument ?? {}] });
  }

  async content(uri: vscode.Uri, token: vscode.CancellationToken): Promise<string> {
    if (!this.language?.isRunning()) return "";
    // The server reads what is not a path, such as `kit-base:untitled:Untitled-1`, without decoding it.
    const address = uri.path.startsWith("/") ? this.toProtocol(uri) : uri.toString(true);
    const answer = await this.language.sendRequest<{ text: string }>("workspace/textDocumentContent", { uri: address }, token);
    return answer.text;
  }

  /** The server's program, for a terminal. */
  get program(): string | undefined {
    return findServer(this.context.extensionPath, setting("server.path", ""));
  }

  /** Tells the server its settings when they changed; they hold without a restart. */
  settingsChanged(): void {
    const settings = serverSettings();
    const text = JSON.stringify(settings);
    if (text === this.settings || !this.language?.isRunning()) return;
    this.settings = text;
    void this.language.sendNotification("workspace/didChangeConfiguration", { settings: { kit: settings } });
  }

  toProtocol(uri: vscode.Uri): string {
    return this.language?.code2ProtocolConverter.asUri(uri) ?? uri.toString();
  }

  async diagnosticsToProtocol(diagnostics: vscode.Diagnostic[]): Promise<Diagnostic[]> {
    return (await this.language?.code2ProtocolConverter.asDiagnostics(diagnostics)) ?? [];
  }

  async dispose(): Promise<void> {
    await this.stop();
    for (const emitter of [this.eventEmitter, this.statusEmitter, this.reviewEmitter, this.withdrawEmitter, this.uiEmitter, this.contentEmitter, this.stateEmitter]) {
      emitter.dispose();
    }
  }
}

class KitLanguageClient extends LanguageClient {
  override registerFeature(feature: StaticFeature | DynamicFeature<unknown>): void {
    if (!replacedFeatures.has(methodOf(feature))) super.registerFeature(feature);
  }
}

function methodOf(feature: StaticFeature | DynamicFeature<unknown>): string {
  if ("registrationType" in feature) return feature.registrationType.method;
  const state = feature.getState();
  return state.kind === "window" ? state.id : "";
}

/** Declares the Kit capabilities and makes the server's commands callable by code actions and other extensions. */
class KitFeature implements StaticFeature {
  private registered: vscode.Disposable[] = [];

  constructor(
    private readonly own: ReadonlySet<string>,
    private readonly forward: (command: string, argument: unknown) => Promise<unknown>,
  ) {}

  fillClientCapabilities(capabilities: ClientCapabilities): void {
    capabilities.window = { ...capabilities.window, workDoneProgress: true };
    capabilities.experimental = { ...(capabilities.experimental as object | undefined), kit: experimental };
  }

  initialize(capabilities: ServerCapabilities): void {
    for (const command of capabilities.executeCommandProvider?.commands ?? []) {
      // What the extension offers under the same id does more: it shows the session or the answer.
      if (this.own.has(command)) continue;
      this.registered.push(vscode.commands.registerCommand(command, (argument: unknown) => this.forward(command, argument)));
    }
  }

  getState(): FeatureState {
    return { kind: "static" };
  }

  clear(): void {
    for (const command of this.registered.splice(0)) command.dispose();
  }
}

function ownCommands(context: vscode.ExtensionContext): Set<string> {
  const manifest = context.extension.packageJSON as { contributes: { commands: { command: string }[] } };
  return new Set([...untitledCommands, ...manifest.contributes.commands.map(({ command }) => command)]);
}

const notOpen = { applied: false, failureReason: "The document is not open in the editor." };

/** An edit of a document that was closed meanwhile would open it unsaved and unseen; the server writes closed files itself. */
function leavesOpen(params: ApplyWorkspaceEditParams): boolean {
  const open = new Set(vscode.workspace.textDocuments.map((document) => document.uri.toString()));
  const changes = params.edit.documentChanges ?? [];
  const created = new Set(changes.filter((change) => "kind" in change && change.kind === "create").map((change) => normal(change.uri)));
  const edited = [
    ...changes.filter((change) => TextDocumentEdit.is(change)).map((change) => normal(change.textDocument.uri)),
    ...Object.keys(params.edit.changes ?? {}).map(normal),
  ];
  return edited.every((uri) => open.has(uri) || created.has(uri));
}

function normal(uri: string): string {
  return vscode.Uri.parse(uri).toString();
}

/** The configured server, else the bundled one, else the first on PATH. */
function findServer(extensionPath: string, configured: string): string | undefined {
  const name = process.platform === "win32" ? "kit-ls.exe" : "kit-ls";
  const home = process.env["HOME"] ?? process.env["USERPROFILE"] ?? "";
  const candidates = configured
    ? [configured.replace(/^~(?=[/\\])/, home)]
    : [
        path.join(extensionPath, "bin", name),
        ...(process.env["PATH"] ?? "").split(path.delimiter).filter(Boolean).map((folder) => path.join(folder, name)),
      ];
  return candidates.find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}
