// What the generated types leave out: which command takes and gives what, and a name for events that does
// not collide with the browser's.

import type * as kit from "./protocol.gen.ts";

export type * from "./protocol.gen.ts";
export { protocolVersion } from "./protocol.gen.ts";

/** One entry of the ordered stream of a session. */
export type KitEvent = kit.Event;

type Empty = Record<string, never>;

/** The commands of `workspace/executeCommand` that this client sends, with argument and answer. */
export interface Commands {
  "kit.session.prompt": { argument: kit.PromptArguments; answer: kit.PromptAnswer };
  "kit.session.cancel": { argument: kit.CancelArguments; answer: kit.CancelAnswer };
  "kit.session.new": { argument: kit.SessionArguments; answer: kit.SessionAnswer };
  "kit.session.open": { argument: kit.SessionArguments; answer: kit.SessionAnswer };
  "kit.session.fork": { argument: kit.SessionArguments; answer: kit.SessionAnswer };
  "kit.session.branch": { argument: kit.SessionArguments; answer: kit.SessionAnswer };
  "kit.session.rename": { argument: kit.SessionArguments; answer: kit.SessionAnswer };
  "kit.session.delete": { argument: kit.SessionArguments; answer: kit.SessionDeleteAnswer };
  "kit.session.export": { argument: kit.SessionArguments; answer: kit.SessionAnswer };
  "kit.session.import": { argument: kit.SessionArguments; answer: kit.SessionAnswer };
  "kit.session.compact": { argument: kit.SessionArguments; answer: kit.SessionAnswer };
  "kit.session.label": { argument: kit.LabelArguments; answer: kit.SessionAnswer };
  "kit.session.retry": { argument: kit.SessionArguments; answer: kit.PromptAnswer };
  "kit.session.list": { argument: kit.SessionListArguments; answer: kit.SessionListAnswer };
  "kit.session.tree": { argument: kit.SessionOnly; answer: kit.SessionTreeAnswer };
  "kit.session.transcript": { argument: kit.TranscriptArguments; answer: kit.TranscriptAnswer };
  "kit.queue.list": { argument: kit.QueueArguments; answer: kit.QueueAnswer };
  "kit.queue.remove": { argument: kit.QueueRemoveArguments; answer: kit.QueueAnswer };
  "kit.queue.clear": { argument: kit.QueueArguments; answer: kit.QueueAnswer };
  "kit.review.list": { argument: kit.ReviewListArguments; answer: kit.ReviewState };
  "kit.review.keep": { argument: kit.ReviewArguments; answer: kit.ReviewAnswer };
  "kit.review.undo": { argument: kit.ReviewArguments; answer: kit.ReviewAnswer };
  "kit.review.revert": { argument: Empty; answer: kit.ReviewAnswer };
  "kit.review.rewind": { argument: kit.RewindArguments; answer: kit.RewindAnswer };
  "kit.model.list": { argument: kit.ModelListArguments; answer: kit.ModelListAnswer };
  "kit.model.set": { argument: kit.ModelSetArguments; answer: kit.ModelSetAnswer };
  "kit.thinking.set": { argument: kit.ThinkingSetArguments; answer: kit.ThinkingSetAnswer };
  "kit.mode.set": { argument: kit.ModeSetArguments; answer: kit.ModeSetAnswer };
  "kit.agent.list": { argument: kit.AgentListArguments; answer: kit.AgentListAnswer };
  "kit.usage.get": { argument: kit.UsageArguments; answer: kit.UsageAnswer };
  "kit.command.list": { argument: kit.CommandListArguments; answer: kit.CommandListAnswer };
  "kit.command.run": { argument: kit.CommandRunArguments; answer: kit.CommandRunAnswer };
  "kit.prompt.complete": { argument: kit.CompleteArguments; answer: kit.CompleteAnswer };
  "kit.auth.status": { argument: kit.AuthArguments; answer: kit.AuthAnswer };
  "kit.auth.login": { argument: kit.AuthArguments; answer: kit.AuthAnswer };
  "kit.auth.logout": { argument: kit.AuthArguments; answer: kit.AuthAnswer };
  "kit.extension.list": { argument: kit.ExtensionArguments; answer: kit.ExtensionListAnswer };
  "kit.extension.reload": { argument: kit.ExtensionArguments; answer: kit.ExtensionListAnswer };
  "kit.extension.shortcut": { argument: kit.ExtensionShortcutArguments; answer: kit.ExtensionShortcutAnswer };
  "kit.mcp.list": { argument: kit.McpListArguments; answer: kit.McpListAnswer };
  "kit.mcp.reconnect": { argument: kit.McpNameArguments; answer: kit.McpListAnswer };
  "kit.mcp.login": { argument: kit.McpNameArguments; answer: kit.McpListAnswer };
  "kit.mcp.logout": { argument: kit.McpNameArguments; answer: kit.McpListAnswer };
  "kit.extension.grant": { argument: kit.ExtensionGrantArguments; answer: kit.ExtensionListAnswer };
  "kit.trust.set": { argument: kit.Trust; answer: kit.Trust };
  "kit.doctor": { argument: Empty; answer: kit.DoctorAnswer };
}
