// What a file is given, and what it may hand over. The types of events, methods and results are generated beside this
// file; here is what JavaScript adds to them: functions.

import type {
  CodeAction,
  CompleteParameters,
  CompleteResult,
  Content,
  Context,
  EventMethods,
  Events,
  OptionDefinition,
  RunParameters,
  RunResult,
  SpawnSubagentParameters,
  SubagentEvent,
  SubagentResult,
  ToolRenderer,
  WidgetParameters,
} from "./kit-extension";

/** The default export of a file: called once, when the file is loaded. */
export type Extension = (kit: Kit) => void | Promise<void>;

/** A handler of an event. It may be asynchronous; other events are served meanwhile. */
export type Handler<Name extends keyof Events> = (
  event: Events[Name]["payload"],
  ctx: Context,
) => Events[Name]["answer"] | void | Promise<Events[Name]["answer"] | void>;

/** How a handler is treated. */
export interface HandlerSettings {
  /** What follows when the handler throws, runs too long or crashes: `"block"` for gates, `"pass"` otherwise. */
  onError?: "pass" | "block";
}

/** What a file registers with, while it is loaded. */
export interface Kit extends EventMethods {
  /** The version of the contract. */
  readonly api: number;
  /** The extension's name as the host knows it. */
  readonly name: string;
  /** Its file. */
  readonly path: string;
  /** The methods that the host has. */
  readonly methods: string[];
  /** The events that the host has. */
  readonly events: string[];
  /** Options that were set, by name; `ctx.getOption` knows defaults as well. */
  readonly options: Record<string, string>;

  /** Handles an event by its name. */
  on<Name extends keyof Events>(name: Name, handler: Handler<Name>, settings?: HandlerSettings): void;
  /** Handles an event that an extension sent with `ctx.emitCustomEvent(name, data)`. */
  onCustomEvent(name: string, handler: (data: string, ctx: Context) => unknown, settings?: HandlerSettings): void;

  /** Offers a tool to the model. */
  registerTool(tool: Tool): void;
  /** Offers a command to people. */
  registerCommand(command: Command): void;
  /** Binds a key where an editor can; the text that the handler returns is shown. */
  registerShortcut(shortcut: { key: string; description?: string }, handler: (ctx: Context) => unknown): void;
  /** Declares an option. */
  registerOption(option: Partial<OptionDefinition> & { name: string }): void;
  /** Shows the calls of a tool in its own way. */
  registerToolRenderer(
    renderer: Partial<Omit<ToolRenderer, "header" | "body">> & {
      toolName: string;
      /** The header; empty for the usual one. */
      renderHeader?(toolArgs: string, width: number): string;
      /** The body; empty for the usual one. */
      renderBody?(result: string, isError: boolean, width: number): string;
    },
  ): void;
  /** Names a way to show messages, for `ctx.renderMessage`. */
  registerMessageRenderer(renderer: { name: string; render(content: string, width: number): string }): void;
}

/** A tool that models may call. */
export interface Tool {
  /** Up to 64 letters, digits, `_` and `-`. */
  name: string;
  /** What the model reads about it. */
  description: string;
  /** JSON schema of the input, as an object or as JSON text. */
  parameters?: object | string;
  /** What it does, for permissions: `read`, `search`, `edit`, `execute`, `agent` or `other` (otherwise). */
  kind?: string;
  /** Whether calls may run beside other calls. */
  parallel?: boolean;
  /** Does the work: a text, a `ToolResult`, or anything else, which becomes JSON. An `Error` that it throws is told to the model. */
  execute(input: any, ctx: ToolContext): unknown;
}

/** What a tool answers with, where it is more than a text. */
export interface ToolResult {
  /** What the model reads. */
  content?: string;
  /** Images, PDFs and sounds that models see as well, as far as they take them. */
  files?: ToolFile[];
  /** Whether the call failed. */
  isError?: boolean;
}

/** A file that a tool answers with. What it is, its first bytes say. */
export interface ToolFile {
  /** Its name. */
  filename: string;
  /** Its bytes, or the same in base64. */
  data: Uint8Array | ArrayBuffer | string;
  /** Its media type, for example `image/png`; named where a model cannot be shown the file. */
  mediaType?: string;
}

/** The context of a tool call. */
export interface ToolContext extends Context {
  /** The call. */
  readonly toolCallId: string;
  /** Aborted when the call is no longer wanted. */
  readonly signal: AbortSignal;
  /** Shows progress. */
  progress(text: string): void;
  /** Shows progress; upstream's name. */
  onProgress(text: string): void;
  /** Whether the call is no longer wanted. */
  isCancelled(): boolean;
}

/** A command that people may run. */
export interface Command {
  /** Its name, with or without a leading slash. */
  name: string;
  /** One sentence about it. */
  description?: string;
  /** Shows it as a code action as well. */
  codeAction?: CodeAction;
  /** Does the work; the text that it returns is shown. */
  execute(args: string, ctx: Context): unknown;
  /** Completes the argument. */
  complete?(prefix: string, ctx: Context): string[] | Promise<string[]>;
}

/** A subagent that was spawned. */
export interface Subagent {
  /** Its id. */
  readonly id: string;
  /** How it ended, once that is known. */
  readonly result?: SubagentResult;
  /** Waits for its end. */
  wait(): Promise<SubagentResult>;
  /** Ends it; without effect after its end. */
  kill(): void;
}

/** A response over HTTP. */
export interface HttpResponse {
  readonly status: number;
  readonly ok: boolean;
  readonly url: string;
  readonly headers: Map<string, string>;
  text(): Promise<string>;
  json(): Promise<any>;
  bytes(): Promise<Uint8Array>;
  arrayBuffer(): Promise<ArrayBuffer>;
}

/** What is sent over HTTP. */
export interface HttpRequest {
  method?: string;
  headers?: Record<string, string | number> | Iterable<[string, string]>;
  body?: string | Uint8Array | ArrayBuffer | URLSearchParams;
  timeoutMs?: number;
  signal?: AbortSignal;
}

declare module "./kit-extension" {
  interface Context {
    /** Sends a request over HTTP to a host that the user granted; also there as the global `fetch`. */
    fetch(url: string | URL, request?: HttpRequest): Promise<HttpResponse>;
    /** One call of a model, without tools; with `onChunk` its text comes in pieces as well; `reset` voids those before. */
    complete(
      options: Partial<CompleteParameters> & { onChunk?(text: string, reset: boolean): void; signal?: AbortSignal },
    ): Promise<CompleteResult>;
    /** Spawns a subagent and tells what it does. */
    spawnSubagent(
      options: Partial<SpawnSubagentParameters> & {
        prompt: string;
        onOutput?(text: string): void;
        onEvent?(event: SubagentEvent): void;
        onComplete?(result: SubagentResult): void;
        signal?: AbortSignal;
      },
    ): Promise<Subagent>;
    /** Runs the function: editors have no terminal to give away. */
    suspendTUI<Result>(run: () => Result): Result;
    /** Shows or replaces a widget; `content.render` may be a function of the width. */
    setWidget(
      options: Partial<Omit<WidgetParameters, "content">> & {
        id: string;
        content: Partial<Omit<Content, "render">> & { render?: boolean | ((width: number) => string) };
      },
    ): void;
  }

  interface ExecMethods {
    /** Runs a command that the user granted; with `onOutput` its output comes in pieces as well. */
    run(
      options: Partial<RunParameters> & { command: string; onOutput?(text: string): void; signal?: AbortSignal },
    ): Promise<RunResult>;
  }
}

/** An error of the host: `code` says which. */
declare global {
  class HostError extends Error {
    readonly code:
      | "denied" | "cancelled" | "timeout" | "not-found" | "invalid" | "unavailable" | "internal" | "rate-limited";
    readonly data?: unknown;
  }
}
