// The words of a plan. Pure: steps in, text out.

import type { PlanEntry, StatusPlan } from "./protocol.ts";

/** `Plan 2/5 · mend the parser`: what is done, and what is worked on or comes next. */
export function planLine(entries: readonly PlanEntry[]): string {
  const having = (status: PlanEntry["status"]) => entries.filter((entry) => entry.status === status);
  const current = having("in_progress")[0] ?? having("pending")[0];
  return `Plan ${having("completed").length}/${entries.length}${current ? ` · ${current.content}` : ""}`;
}

/** The same for the tooltip of the status bar. */
export function planCell(plan: StatusPlan): string {
  return `${plan.completed}/${plan.total}${plan.current === undefined ? " done" : ` ${plan.current}`}`;
}
