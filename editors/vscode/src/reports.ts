// Doctor and usage as Markdown documents.

import * as vscode from "vscode";
import type { Client } from "./client.ts";
import type { Content } from "./content.ts";
import { attempt } from "./errors.ts";
import { cachedPercent, cost, count, sentTokens } from "./format.ts";
import type { Status, UsageAnswer, UsageTotals } from "./protocol.ts";
import { budgetText, escapeCell } from "./statusText.ts";

export class Reports {
  constructor(
    private readonly client: Client,
    private readonly content: Content,
    private readonly session: () => string | undefined,
    private readonly status: () => Status | undefined,
  ) {}

  async doctor(): Promise<void> {
    await attempt(async () => {
      const { checks } = await this.client.call("kit.doctor", {});
      const rows = checks.map((check) =>
        `| ${check.ok ? "✓" : "✗"} | ${escapeCell(check.name)} | ${escapeCell(check.detail)}${check.fix ? `<br>→ ${escapeCell(check.fix)}` : ""} |`);
      const failed = checks.filter((check) => !check.ok).length;
      const verdict = failed === 0 ? "Everything is in order." : `${failed} of ${checks.length} checks need attention.`;
      await this.content.showReport("Kit Doctor",
        `# Kit Doctor\n\n${verdict}\n\n|  | Check | Result |\n|:--|:--|:--|\n${rows.join("\n")}\n\nVS Code ${vscode.version}\n`);
    });
  }

  async usage(): Promise<void> {
    await attempt(async () => {
      const session = this.session();
      const usage = await this.client.call("kit.usage.get", session ? { session } : {});
      await this.content.showReport("Kit Usage", usageReport(usage, this.status()));
    });
  }
}

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
