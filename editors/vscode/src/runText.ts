// The one line about a subagent: state, tools, usage, and what it does right now. Pure.

import { cost, count, duration, plural, sentTokens } from "./format.ts";
import type { AgentRun } from "./session/items.ts";

const words: Record<AgentRun["state"], string> = { running: "running", done: "done", failed: "failed", stopped: "stopped" };

/** `running · 3 tools · 12.4k tokens · $0.02 · read main.rs` */
export function runLine(run: AgentRun): string {
  const tokens = sentTokens(run.usage) + run.usage.outputTokens;
  const price = cost(run.usage);
  return [
    run.durationMs > 0 ? `${words[run.state]} in ${duration(run.durationMs)}` : words[run.state],
    ...(run.tools > 0 ? [plural(run.tools, "tool")] : []),
    ...(tokens > 0 ? [`${count(tokens)} tokens`] : []),
    ...(price ? [price] : []),
    ...(run.state === "running" && run.activity ? [run.activity] : []),
  ].join(" · ");
}
