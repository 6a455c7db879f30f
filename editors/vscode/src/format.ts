// Numbers and names as the user reads them. Pure, shared by the status bar, the session view and the reports.

import type { UsageTotals } from "./protocol.ts";

/** Dollars of an amount in micro-USD: cents from one cent up, more digits below. */
export function money(micros: number): string {
  const dollars = micros / 1_000_000;
  return `$${dollars >= 0.01 || dollars === 0 ? dollars.toFixed(2) : dollars.toFixed(4)}`;
}

/** What was paid, if anything was; a subscription, an unknown price and a free model are never shown as zero. */
export function cost(usage: UsageTotals | undefined): string | undefined {
  if (usage?.costKind !== "priced" || !usage.costMicros) return undefined;
  return money(usage.costMicros);
}

export function count(tokens: number): string {
  if (tokens < 1000) return String(tokens);
  if (tokens < 999_500) return `${trim(tokens / 1000)}k`;
  return `${trim(tokens / 1_000_000)}M`;
}

function trim(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toFixed(1).replace(/\.0$/, "");
}

export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return ms < 10_000 ? `${(ms / 1000).toFixed(1)} s` : `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m${String(seconds % 60).padStart(2, "0")}s`;
  return `${Math.floor(minutes / 60)}h${String(minutes % 60).padStart(2, "0")}m`;
}

/** Everything that was sent to the model: fresh, read from the cache and written to it. */
export function sentTokens(usage: UsageTotals): number {
  return usage.inputTokens + usage.cacheReadTokens + usage.cacheWriteTokens;
}

/** Share of the sent tokens that came from the cache, in whole percent. */
export function cachedPercent(usage: UsageTotals): number | undefined {
  const sent = sentTokens(usage);
  return sent > 0 ? Math.round((100 * usage.cacheReadTokens) / sent) : undefined;
}

/** `18.2k in (91% cached) / 2.1k out · $0.06` */
export function usageLine(usage: UsageTotals): string {
  const cached = cachedPercent(usage);
  const tokens = `${count(sentTokens(usage))} in${cached ? ` (${cached}% cached)` : ""} / ${count(usage.outputTokens)} out`;
  const price = cost(usage);
  return price ? `${tokens} · ${price}` : tokens;
}

/** A phrase as a sentence. */
export function asSentence(phrase: string): string {
  const text = `${phrase.charAt(0).toUpperCase()}${phrase.slice(1)}`;
  return /[.!?…]$/.test(text) ? text : `${text}.`;
}

export function plural(amount: number, noun: string, several = `${noun}s`): string {
  return `${amount} ${amount === 1 ? noun : several}`;
}

/** Cuts the middle out of a long text, so that both the start and the extension of a file name stay. */
export function elideMiddle(text: string, limit: number): string {
  const characters = [...text];
  if (characters.length <= limit) return text;
  const tail = Math.floor((limit - 1) / 2);
  return `${characters.slice(0, limit - 1 - tail).join("")}…${characters.slice(characters.length - tail).join("")}`;
}

export function baseName(uri: string): string {
  const last = uri.slice(uri.lastIndexOf("/") + 1);
  try {
    return decodeURIComponent(last);
  } catch {
    return last;
  }
}

/** Notifications turn `[text](command:…)` into links that run commands: what a model wrote must not become one. */
export function withoutLinks(text: string): string {
  return text.replace(/\]\(/g, "]\u200b(");
}
