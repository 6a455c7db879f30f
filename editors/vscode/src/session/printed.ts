// What was printed keeps its place when the log is told anew, as it is after a rewind or on another branch.
// Rows have other numbers then, so a place is named by what stands before it; where that is gone, by what stands before that.

import type { Item, PrintItem } from "./items.ts";

/** The rows of a log that was told anew, with what was printed among the rows before. */
export function withPrinted(before: readonly Item[], told: readonly Item[]): Item[] {
  const known = new Set(names(told).values());
  const behind = new Map<string, PrintItem[]>();
  let place = "";
  const earlier = names(before);
  for (const item of before) {
    const name = earlier.get(item.id);
    if (name !== undefined && known.has(name)) place = name;
    if (item.kind === "print") behind.set(place, [...(behind.get(place) ?? []), item]);
  }
  const rows = names(told);
  return [...(behind.get("") ?? []), ...told.flatMap((item) => [item, ...(behind.get(rows.get(item.id) ?? item.id) ?? [])])];
}

/** By id, what a row of the session's own agent is called in every telling of it. */
function names(items: readonly Item[]): Map<string, string> {
  const found = new Map<string, string>();
  const seen = new Map<string, number>();
  let turn = "";
  for (const item of items) {
    if (item.within !== undefined || item.kind === "print") continue;
    if (item.kind === "user") turn = item.turn;
    const name = JSON.stringify([turn, item.kind, item.kind === "tool" ? item.call : item.kind === "user" || item.kind === "turnEnd" ? "" : item.text]);
    const count = (seen.get(name) ?? 0) + 1;
    seen.set(name, count);
    found.set(item.id, `${name}${count}`);
  }
  return found;
}
