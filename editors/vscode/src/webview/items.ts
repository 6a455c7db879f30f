// Draws the items of a session: each item has one element, which is updated in place while it streams.

import type { DiffBlock, FileDiff } from "../protocol.ts";
import type { Item, TextItem, ToolItem } from "../session/model.ts";
import { element } from "./dom.ts";
import { drawMarkdown, MarkdownStream } from "./markdown.ts";

export interface Drawn {
  root: HTMLElement;
  update(item: Item): void;
}

const toolWords: Record<ToolItem["status"], string> = { pending: "waiting", running: "running", done: "done", failed: "failed" };
const toolMarks: Record<ToolItem["status"], string> = { pending: "○", running: "◐", done: "✓", failed: "✗" };

export function drawItem(item: Item): Drawn {
  switch (item.kind) {
    case "user":
      return still(element("div", { class: "item user", "aria-label": "You" }, drawMarkdown(item.text)));
    case "text":
      return drawText(item);
    case "reasoning":
      return drawReasoning(item);
    case "tool":
      return drawTool();
    case "notice":
      return still(element("div", { class: `item notice ${item.level}`, role: item.level === "error" ? "alert" : "note" }, item.text));
    case "turnEnd":
      return still(element("div", { class: `item turn-end${item.failed ? " failed" : ""}`, "data-turn": item.turn }, element("span", {}, item.text),
        element("span", { class: "turn-acts" },
          element("button", { class: "link", "data-turn-act": "keep", title: "Keep all changes of this turn" }, "Keep turn"),
          element("button", { class: "link", "data-turn-act": "undo", title: "Undo all changes of this turn" }, "Undo turn"))));
  }
}

function still(root: HTMLElement): Drawn {
  return { root, update: () => undefined };
}

function drawText(first: TextItem): Drawn {
  const stream = new MarkdownStream();
  const root = element("div", { class: "item text", "aria-label": "Kit" }, first.agent ? element("div", { class: "agent" }, first.agent) : undefined, stream.root);
  return {
    root,
    update(item) {
      if (item.kind !== "text") return;
      stream.update(item.text);
      root.classList.toggle("streaming", !item.done);
    },
  };
}

function drawReasoning(first: TextItem): Drawn {
  const stream = new MarkdownStream();
  const title = element("span", {}, "Thinking…");
  const root = element("details", { class: "item reasoning" }, element("summary", {}, title, first.agent ? ` (${first.agent})` : ""), stream.root);
  return {
    root,
    update(item) {
      if (item.kind !== "reasoning") return;
      stream.update(item.text);
      title.textContent = item.done ? "Thought" : "Thinking…";
    },
  };
}

function drawTool(): Drawn {
  const mark = element("span", { class: "mark", "aria-hidden": "true" });
  const title = element("span", { class: "title" });
  const stats = element("span", { class: "stats" });
  const word = element("span", { class: "word" });
  const summary = element("summary", {}, mark, title, stats, word);
  const body = element("div", { class: "body" });
  const output = element("pre", { class: "output", tabindex: "0" });
  const root = element("details", { class: "item tool" }, summary, body);
  let drawnDiffs: FileDiff[] | undefined;
  return {
    root,
    update(item) {
      if (item.kind !== "tool") return;
      root.dataset["status"] = item.status;
      root.dataset["kind"] = item.toolKind;
      mark.textContent = toolMarks[item.status];
      title.replaceChildren(item.agent ? `${item.agent} ▸ ` : "", ...linkedTitle(item));
      word.textContent = item.status === "done" ? "" : toolWords[item.status];
      summary.setAttribute("aria-label", `${item.title}, ${toolWords[item.status]}`);
      stats.replaceChildren(...item.diffs.flatMap((diff) => [
        ...(named(item, diff) ? [] : [fileLink(diff)]),
        element("span", { class: "added" }, `+${diff.additions}`),
        element("span", { class: "deleted" }, `−${diff.deletions}`),
      ]));
      // The result of an edit repeats its diff.
      const shown = item.diffs.length > 0 && item.status === "done" ? "" : item.output;
      output.textContent = shown || (item.status === "pending" ? item.arguments : "");
      if (item.diffs !== drawnDiffs) {
        drawnDiffs = item.diffs;
        body.replaceChildren(...item.diffs.map((diff) => drawBlocks(diff.diffBlocks)));
      }
      output.hidden = output.textContent === "";
      if (!body.contains(output)) body.append(output);
    },
  };
}

/** Whether the title names the file that the tool changed, so that the name itself can be the link. */
function named(item: ToolItem, diff: FileDiff): boolean {
  return item.diffs.length === 1 && item.title.includes(fileName(diff.path));
}

function linkedTitle(item: ToolItem): (Node | string)[] {
  const diff = item.diffs[0];
  if (!diff || !named(item, diff)) return [item.title];
  const name = item.title.includes(diff.path) ? diff.path : fileName(diff.path);
  const start = item.title.lastIndexOf(name);
  return [item.title.slice(0, start), fileLink(diff, name), item.title.slice(start + name.length)];
}

function fileLink(diff: FileDiff, name = fileName(diff.path)): HTMLElement {
  const line = String(diff.diffBlocks[0]?.newRange[0] ?? 0);
  return element("a", { href: "#", class: "file", "data-uri": diff.uri, "data-line": line, title: `Open ${diff.path}` }, name);
}

function fileName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Old and new lines of an edit, one below the other. */
export function drawBlocks(blocks: readonly DiffBlock[]): HTMLElement {
  const lines = (text: string, mark: string, kind: string) =>
    text === "" ? [] : text.replace(/\r?\n$/, "").split(/\r?\n/).map((line) => element("span", { class: kind }, `${mark}${line}\n`));
  return element("pre", { class: "diff", tabindex: "0" },
    ...blocks.flatMap((block, index) => [
      ...(index > 0 ? [element("span", { class: "gap" }, "⋯\n")] : []),
      ...lines(block.oldText, "−", "deleted"),
      ...lines(block.newText, "+", "added"),
    ]));
}
