// Completes the prompt while it is written: a command behind `/` at its start and `@` anywhere ask the server, which decides what fits.
// The list never takes the keyboard from the input: arrows move in it, Tab and Enter accept, Escape closes.

import type { PromptCompletion, WirePosition } from "../protocol.ts";
import { element } from "./dom.ts";

const listId = "completions";
/** How long typing has to pause. */
const pauseMs = 60;

export class Completion {
  readonly list = element("ul", { class: "completions", role: "listbox", id: listId, "aria-label": "Completions", hidden: true });
  private items: PromptCompletion[] = [];
  private chosen = 0;
  /** Whether the user chose in the list. */
  private moved = false;
  private request = 0;
  private timer: number | undefined;

  constructor(
    private readonly input: HTMLTextAreaElement,
    private readonly ask: (request: number, text: string, position: WirePosition) => void,
    private readonly changed: () => void,
  ) {
    input.setAttribute("role", "combobox");
    input.setAttribute("aria-autocomplete", "list");
    input.setAttribute("aria-controls", listId);
    input.setAttribute("aria-expanded", "false");
    input.addEventListener("input", () => this.typed());
    input.addEventListener("blur", () => this.close());
    // A click must not take the focus from the input.
    this.list.addEventListener("mousedown", (event) => event.preventDefault());
  }

  show(request: number, items: PromptCompletion[]): void {
    if (request !== this.request) return;
    this.items = items;
    this.chosen = 0;
    this.moved = false;
    this.draw();
  }

  /** Whether the key was meant for the list. */
  key(event: KeyboardEvent): boolean {
    if (this.list.hidden || event.isComposing) return false;
    switch (event.key) {
      case "ArrowDown":
      case "ArrowUp":
        this.moved = true;
        this.chosen = (this.chosen + (event.key === "ArrowDown" ? 1 : -1) + this.items.length) % this.items.length;
        this.draw();
        break;
      case "Tab":
        this.accept(this.chosen);
        break;
      case "Enter":
        // A command that is typed whole is sent, not completed to itself, and so are arguments that nobody looked for.
        if (event.shiftKey || this.isWhole() || (!this.moved && this.items[this.chosen]?.kind === "argument")) return false;
        this.accept(this.chosen);
        break;
      case "Escape":
        this.close();
        break;
      default:
        return false;
    }
    event.preventDefault();
    return true;
  }

  close(): void {
    this.request++;
    window.clearTimeout(this.timer);
    this.items = [];
    this.draw();
  }

  private typed(): void {
    window.clearTimeout(this.timer);
    const before = this.input.value.slice(0, this.input.selectionStart);
    if (!/^\s*\/[^\n]*$/.test(before) && !/@[^\n]*$/.test(before)) return this.close();
    const request = ++this.request;
    this.timer = window.setTimeout(() => this.ask(request, this.input.value, positionAt(this.input.value, this.input.selectionStart)), pauseMs);
  }

  private isWhole(): boolean {
    const item = this.items[this.chosen];
    if (!item) return true;
    const { start, end } = this.place(item);
    return this.input.value.slice(start, end) === item.insertText.trimEnd();
  }

  private accept(index: number): void {
    const item = this.items[index];
    if (!item) return;
    const { start, end } = this.place(item);
    this.input.setRangeText(item.insertText, start, end, "end");
    this.close();
    this.changed();
    // A folder leads on, and so do the arguments of a command.
    if (item.kind === "folder" || item.kind === "command") this.typed();
  }

  private place(item: PromptCompletion): { start: number; end: number } {
    return { start: offsetAt(this.input.value, item.range.start), end: offsetAt(this.input.value, item.range.end) };
  }

  private draw(): void {
    const open = this.items.length > 0;
    this.list.hidden = !open;
    this.input.setAttribute("aria-expanded", String(open));
    if (open) this.input.setAttribute("aria-activedescendant", `${listId}-${this.chosen}`);
    else this.input.removeAttribute("aria-activedescendant");
    this.list.replaceChildren(...this.items.map((item, index) =>
      element("li", { id: `${listId}-${index}`, role: "option", "aria-selected": String(index === this.chosen), class: item.kind, click: () => this.accept(index) },
        element("span", { class: "label" }, item.label), item.detail ? element("span", { class: "detail" }, item.detail) : undefined)));
    this.list.children[this.chosen]?.scrollIntoView({ block: "nearest" });
  }
}

export function positionAt(text: string, offset: number): WirePosition {
  const before = text.slice(0, offset).split("\n");
  return { line: before.length - 1, character: before.at(-1)?.length ?? 0 };
}

export function offsetAt(text: string, { line, character }: WirePosition): number {
  return text.split("\n").slice(0, line).reduce((sum, each) => sum + each.length + 1, 0) + character;
}
