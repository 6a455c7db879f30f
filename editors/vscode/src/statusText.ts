// The words of the status bar item and its tooltip. Pure: a status in, text out.

import type { ConnectionState } from "./client.ts";
import { cachedPercent, cost, count, elideMiddle, money, plural, sentTokens } from "./format.ts";
import { planCell } from "./planText.ts";
import type { Status, UsageTotals } from "./protocol.ts";

export interface StatusText {
  text: string;
  severity: "none" | "warning" | "error";
}

export type StatusField = "context" | "cost" | "hunks";

/** The status bar is shared with everybody else: longer labels lose their middle. */
const labelLimit = 28;
const alarmPercent = 90;

export function statusText(status: Status | undefined, connection: ConnectionState, fields: readonly StatusField[]): StatusText {
  if (connection === "missing") return { text: "$(error) Kit: no server", severity: "error" };
  if (connection === "stopped") return { text: "$(error) Kit: server down", severity: "error" };
  if (connection === "starting" || !status) return { text: "$(sparkle) Kit", severity: "none" };
  const spent = fields.includes("cost") ? (budgetText(status) ?? spend(status.usage.session)) : undefined;
  const context = contextPercent(status);
  switch (status.state) {
    case "signedOut":
      return { text: "$(error) Kit: log in", severity: "error" };
    case "error":
      return { text: `$(error) ${elideMiddle(status.label || "Kit: error", labelLimit)}`, severity: "error" };
    case "waiting":
      return { text: `$(bell-dot) ${waitingFor(status)}`, severity: "warning" };
    case "running":
      return { text: line("$(loading~spin)", elideMiddle(status.label || "working", labelLimit), agents(status), spent), severity: "none" };
    case "idle": {
      const budget = budgetPercent(status);
      if ((context ?? 0) >= alarmPercent || (budget ?? 0) >= alarmPercent) {
        return { text: line("$(warning)", contextText(status), budgetText(status) ?? spent), severity: "warning" };
      }
      const hunks = fields.includes("hunks") && status.review.hunks > 0 ? plural(status.review.hunks, "hunk") : undefined;
      const parts = [hunks, fields.includes("context") ? contextText(status) : undefined, agents(status), spent];
      return { text: line(hunks ? "$(diff)" : "$(sparkle)", ...(parts.some(Boolean) ? parts : ["Kit"])), severity: "none" };
    }
  }
}

function line(icon: string, ...parts: (string | undefined)[]): string {
  return `${icon} ${parts.filter(Boolean).join(" · ")}`;
}

function percent(value: number | undefined): string | undefined {
  return value === undefined ? undefined : value === 0 ? "<1%" : `${value}%`;
}

/** Agents in the background go on while nothing else runs. */
function agents(status: Status): string | undefined {
  return status.agents.length > 0 ? plural(status.agents.length, "agent") : undefined;
}

/** A tilde marks what nobody has counted. */
function contextText(status: Status): string | undefined {
  const text = percent(contextPercent(status));
  return text && status.usage.contextEstimated ? `~${text}` : text;
}

/** Without a price the tokens tell what was spent; nothing spent yet is not worth a word. */
function spend(usage: UsageTotals | undefined): string | undefined {
  if (!usage) return undefined;
  const tokens = sentTokens(usage) + usage.outputTokens;
  return cost(usage) ?? (tokens > 0 ? `${count(tokens)} tokens` : undefined);
}

export function contextPercent(status: Status): number | undefined {
  const { contextUsed, contextWindow } = status.usage;
  return contextUsed && contextWindow ? Math.round((100 * contextUsed) / contextWindow) : undefined;
}

function budgetPercent(status: Status): number | undefined {
  const budget = status.usage.budget;
  const limit = budget?.limitMicros ?? budget?.limitTokens ?? 0;
  return budget && limit > 0 ? (100 * (budget.usedMicros ?? budget.usedTokens ?? 0)) / limit : undefined;
}

export function budgetText(status: Status): string | undefined {
  const budget = status.usage.budget;
  if (budget?.limitMicros !== undefined) return `${money(budget.usedMicros ?? 0)}/${money(budget.limitMicros)}`;
  return budget?.limitTokens !== undefined ? `${count(budget.usedTokens ?? 0)}/${count(budget.limitTokens)} tokens` : undefined;
}

function waitingFor(status: Status): string {
  const { permissions, questions } = status.pending;
  const parts = [
    ...(permissions > 0 ? [plural(permissions, "approval")] : []),
    ...(questions > 0 ? [plural(questions, "question")] : []),
  ];
  return parts.join(", ") || "waiting for you";
}

/** The same without icons, for screen readers. */
export function spoken(text: string): string {
  return `Kit: ${text.replace(/\$\([^)]*\)\s*/g, "").replace(/^Kit:? ?/, "")}`.replace(/: $/, "");
}

/** A two-column table: what is on, what is used, what it costs. */
export function tooltip(status: Status): string {
  const { usage } = status;
  const used = usage.contextUsed ?? 0;
  const context = contextPercent(status);
  const cached = usage.session && cachedPercent(usage.session);
  const budget = usage.budget;
  const rows: [string, string | undefined][] = [
    ["Model", status.model],
    ["Mode", status.mode],
    ["Plan", status.plan && planCell(status.plan)],
    ["Context", context === undefined ? undefined : `${bar(context)} ${percent(context)} (${usage.contextEstimated ? "about " : ""}${count(used)} of ${count(usage.contextWindow ?? 0)})`],
    ["Turn", spent(usage.turn)],
    ["Session", spent(usage.session)],
    ["Today", spent(usage.today)],
    ["Cache hits", cached === undefined ? undefined : `${cached}%`],
    ["Budget", budget && `${bar(budgetPercent(status) ?? 0)} ${budgetText(status)} per ${budget.scope}`],
    ["Login", status.state === "signedOut" ? "signed out: run Kit: Log In…" : undefined],
    ["To review", status.review.hunks > 0 ? `${plural(status.review.hunks, "hunk")} in ${plural(status.review.files, "file")}` : undefined],
    ...status.agents.map((agent): [string, string] => ["Agent", `${agent.name}: ${agent.label || agent.state} (${agent.task})`]),
  ];
  const table = rows.filter((row): row is [string, string] => Boolean(row[1])).map(([name, value]) => `| ${name} | ${escapeCell(value)} |`);
  const links = [
    ...(status.state === "running" || status.state === "waiting" ? ["[$(debug-stop) Stop](command:kit.stop)"] : []),
    ...(status.state === "signedOut" ? ["[$(key) Log In](command:kit.login)"] : []),
    ...(status.agents.length > 0 ? ["[$(organization) Agents](command:kit.agents)"] : []),
    ...(status.review.hunks > 0 ? ["[$(diff-multiple) Review](command:kit.review.open)"] : []),
    "[Usage](command:kit.usage)",
    "[Log](command:kit.log)",
  ];
  return `| **Kit** | ${escapeCell(status.label)} |\n|:--|:--|\n${table.join("\n")}\n\n${links.join(" · ")}`;
}

function spent(usage: UsageTotals | undefined): string | undefined {
  if (!usage || sentTokens(usage) + usage.outputTokens === 0) return undefined;
  const tokens = `${count(sentTokens(usage))} in / ${count(usage.outputTokens)} out`;
  const price = cost(usage);
  return price ? `${price} (${tokens})` : tokens;
}

function bar(value: number): string {
  const filled = Math.min(10, Math.round(value / 10));
  return "█".repeat(filled) + "░".repeat(10 - filled);
}

export function escapeCell(text: string): string {
  return text.replace(/[\\|<>`*_[\]$]/g, "\\$&").replace(/\r?\n/g, " ");
}
