// The usage report as Markdown. Pure: what the server counted in, text out.

import { cachedPercent, cost, count, sentTokens } from "./format.ts";
import type { Status, UsageAnswer, UsageTotals } from "./protocol.ts";
import { budgetText, escapeCell } from "./statusText.ts";

/** Sums, the context, the budget, and the calls by model and one by one. */
export function usageReport(usage: UsageAnswer, status: Status | undefined): string {
  const sums = [["Turn", usage.turn], ["Session", usage.session], ["Today", usage.today]] as const;
  const { context } = usage;
  const budget = status && budgetText(status);
  const facts = [
    ...(context?.window ? [`Context: ${context.estimated ? "about " : ""}${count(context.used)} of ${count(context.window)} tokens (${Math.round((100 * context.used) / context.window)}%)`] : []),
    ...(budget ? [`Budget: ${budget} per ${status.usage.budget?.scope}`] : []),
  ];
  const calls = usage.calls.map((call) => row(`${call.call}. ${call.provider}/${call.model}`, call));
  return [
    "# Kit Usage\n", ...facts.map((fact) => `- ${escapeCell(fact)}`), "", head("Total"), ...sums.flatMap(([name, tokens]) => (tokens ? [row(name, tokens)] : [])),
    ...(calls.length > 0 ? ["\n## Calls of this session, those of its subagents included\n", head("Call and model"), ...calls] : []), "",
  ].join("\n");
}

function head(first: string): string {
  return `| ${first} | Sent | Cached | Answered | Cost |\n|:--|--:|--:|--:|--:|`;
}

function row(name: string, usage: UsageTotals): string {
  const cached = cachedPercent(usage);
  const price = cost(usage) ?? (usage.costKind === "priced" ? "free" : usage.costKind);
  return `| ${escapeCell(name)} | ${count(sentTokens(usage))} | ${cached === undefined ? "" : `${cached}%`} | ${count(usage.outputTokens)} | ${escapeCell(price)} |`;
}
