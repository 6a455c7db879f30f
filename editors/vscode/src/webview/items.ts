// Draws the items of a session: each item has one element, which is updated in place while it streams.

import { runLine } from "../runText.ts";
import type { DiffBlock, FileDiff, ToolDisplay } from "../protocol.ts";
import type { Item, NoticeItem, TextItem, ToolItem, UserItem } from "../session/items.ts";
import { element } from "./dom.ts";
import { colour, drawPrint } from "./extras.ts";
import { drawMarkdown, MarkdownStream } from "./markdown.ts";

export interface Drawn {
  root: HTMLElement;
  /** Where the items inside this one go. */
  inner?: HTMLElement;
  update(item: Item): void;
}

const toolWords: Record<ToolItem["status"], string> = { pending: "waiting", running: "running", done: "done", failed: "failed" };
const toolMarks: Record<ToolItem["status"], string> = { pending: "○", running: "◐", done: "✓", failed: "✗" };

export function drawItem(item: Item): Drawn {
  switch (item.kind) {
    case "user":
      return still(drawUser(item));
    case "text":
      return drawText();
    case "reasoning":
      return drawReasoning();
    case "tool":
      return drawTool();
    case "notice":
      return still(drawNotice(item));
    case "print":
      return still(drawPrint(item));
    case "turnEnd":
      return still(element("div", { class: `item turn-end${item.failed ? " failed" : ""}`, "data-turn": item.turn }, element("span", {}, item.text),
        element("span", { class: "turn-acts" },
          element("button", { class: "link", "data-turn-act": "keep", title: "Keep all changes of this turn" }, "Keep turn"),
          element("button", { class: "link", "data-turn-act": "undo", title: "Undo all changes of this turn" }, "Undo turn"))));
  }
}

function drawUser(item: UserItem): HTMLElement {
  if (item.within !== undefined) return element("div", { class: "item user task", "aria-label": "Task" }, drawMarkdown(item.text));
  return element("div", { class: "item user", "aria-label": "You", "data-turn": item.turn || undefined }, drawMarkdown(item.text),
    item.turn !== "" && element("button", { class: "link rewind", "data-turn-act": "rewind", title: "Go back to before this prompt: its files, the conversation, or both" }, "Rewind…"));
}

function drawNotice(item: NoticeItem): HTMLElement {
  const role = item.level === "error" ? "alert" : "note";
  if (!item.details) return element("div", { class: `item notice ${item.level}`, role }, item.text);
  return element("details", { class: `item notice ${item.level}`, role }, element("summary", {}, item.text), drawMarkdown(item.details));
}

function still(root: HTMLElement): Drawn {
  return { root, update: () => undefined };
}

function drawText(): Drawn {
  const stream = new MarkdownStream();
  const root = element("div", { class: "item text", "aria-label": "Kit" }, stream.root);
  return {
    root,
    update(item) {
      if (item.kind !== "text") return;
      stream.update(item.text);
      root.classList.toggle("streaming", !(item as TextItem).done);
    },
  };
}

function drawReasoning(): Drawn {
  const stream = new MarkdownStream();
  const title = element("span", {}, "Thinking…");
  const root = element("details", { class: "item reasoning" }, element("summary", {}, title), stream.root);
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
  const runText = element("span", { class: "run" });
  const summary = element("summary", {}, element("span", { class: "head" }, mark, title, stats, word), runText);
  const acts = element("div", { class: "run-acts" });
  const shown = element("div");
  const diffs = element("div");
  // Several subagents may talk at once: they are read on demand, not announced.
  const inner = element("div", { class: "nested", role: "group", "aria-live": "off" });
  const output = element("pre", { class: "output", tabindex: "0" });
  const root = element("details", { class: "item tool" }, summary, element("div", { class: "body" }, acts, inner, shown, diffs, output));
  let drawnDiffs: FileDiff[] | undefined;
  let drawnDisplay: ToolDisplay | undefined;
  let drawnActs = "";
  /** Whether the user has folded or unfolded it: from then on nobody else does. */
  let touched = false;
  summary.addEventListener("click", () => (touched = true));
  return {
    root,
    inner,
    update(item) {
      if (item.kind !== "tool") return;
      const { run } = item;
      const status = run?.state === "running" && item.status !== "failed" ? "running" : item.status;
      root.dataset["status"] = status;
      root.dataset["kind"] = item.toolKind;
      mark.textContent = toolMarks[status];
      title.replaceChildren(...(item.display ? [displayTitle(item.display, item.title)] : linkedTitle(item)));
      word.textContent = status === "done" || run ? "" : toolWords[status];
      runText.textContent = run ? runLine(run) : "";
      runText.hidden = !run;
      summary.setAttribute("aria-label", `${title.textContent}, ${run ? runLine(run) : toolWords[status]}`);
      stats.replaceChildren(...item.diffs.flatMap((diff) => [
        ...(named(item, diff) ? [] : [fileLink(diff)]),
        element("span", { class: "added" }, `+${diff.additions}`),
        element("span", { class: "deleted" }, `−${diff.deletions}`),
      ]));
      if (run && !touched) root.open = run.state === "running";
      inner.setAttribute("aria-label", run ? `What ${run.name} did` : "");
      const session = run?.id ?? item.session;
      const wanted = session === undefined ? "" : `${session} ${run?.state}`;
      if (wanted !== drawnActs) {
        drawnActs = wanted;
        acts.replaceChildren(...(session === undefined ? [] : agentActs(session, run?.state === "running")));
      }
      if (item.display !== drawnDisplay) {
        drawnDisplay = item.display;
        root.classList.toggle("framed", item.display?.borderColor !== undefined);
        colour(root, { ...item.display });
        const { body, markdown } = item.display ?? {};
        shown.replaceChildren(...(body === undefined ? [] : [markdown ? drawMarkdown(body) : element("pre", { class: "output", tabindex: "0" }, body)]));
      }
      // The result of an edit repeats its diff, and that of a subagent what it said.
      const repeats = item.diffs.length > 0 || item.display?.body !== undefined || inner.querySelector(":scope > .text") !== null;
      output.textContent = (repeats && item.status === "done" ? "" : item.output) || (item.status === "pending" && !run ? item.arguments : "");
      output.hidden = output.textContent === "";
      if (item.diffs !== drawnDiffs) {
        drawnDiffs = item.diffs;
        diffs.replaceChildren(...item.diffs.map((diff) => drawBlocks(diff.diffBlocks)));
      }
    },
  };
}

/** What an extension calls the tool and this call. */
function displayTitle({ name, header }: ToolDisplay, title: string): string {
  return name && header ? `${name} ${header}` : (header ?? name ?? title);
}

function agentActs(session: string, running: boolean): HTMLElement[] {
  const act = (name: string, text: string, title: string) => element("button", { class: "link", type: "button", "data-agent-act": name, "data-session": session, title }, text);
  return [act("open", "Open transcript", "Open what this subagent did as a document"), ...(running ? [act("stop", "Stop", "Stop this subagent alone")] : [])];
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
