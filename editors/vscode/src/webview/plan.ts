// The agent's plan above the input: one line that says how far it is, and the steps to unfold.

import type { PlanEntry } from "../protocol.ts";
import { planLine } from "../planText.ts";
import { element } from "./dom.ts";

const marks = { completed: "✓", in_progress: "●", pending: "○" } as const;
const words = { completed: "done", in_progress: "in progress", pending: "to do" } as const;

export class PlanBar {
  private readonly line = element("summary", {});
  private readonly steps = element("ol", {});
  readonly root = element("details", { class: "plan", hidden: true, open: true, "aria-label": "Plan of the agent" }, this.line, this.steps);
  private drawn: readonly PlanEntry[] = [];

  show(entries: readonly PlanEntry[]): void {
    if (entries === this.drawn) return;
    // A plan that is done folds itself away.
    const finished = entries.every((entry) => entry.status === "completed");
    if (finished !== this.drawn.every((entry) => entry.status === "completed")) this.root.open = !finished;
    this.drawn = entries;
    this.root.hidden = entries.length === 0;
    this.line.textContent = planLine(entries);
    this.steps.replaceChildren(...entries.map((entry) =>
      element("li", { class: entry.status, "aria-label": `${entry.content}, ${words[entry.status]}`, "aria-current": entry.status === "in_progress" && "step" },
        element("span", { class: "mark", "aria-hidden": "true" }, marks[entry.status]), element("span", {}, entry.content))));
  }
}
