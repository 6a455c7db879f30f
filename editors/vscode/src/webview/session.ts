// The page of the session view: folds the events into its model, draws what changed, sends what the user does.
// Follows the end of the log unless the user has scrolled up.

import type { Card } from "../cards.ts";
import type { UiUpdate } from "../protocol.ts";
import type { Item, SessionModel } from "../session/items.ts";
import type { FromView, ToView } from "../session/messages.ts";
import { apply } from "../session/model.ts";
import { drawCard } from "./cards.ts";
import { Completion } from "./completion.ts";
import { element } from "./dom.ts";
import { drawBars } from "./extras.ts";
import { drawItem, type Drawn } from "./items.ts";
import { PlanBar } from "./plan.ts";

declare function acquireVsCodeApi(): {
  postMessage(message: FromView): void;
  getState(): { draft?: string } | undefined;
  setState(state: { draft: string }): void;
};

const host = acquireVsCodeApi();
/** Distance from the end, in pixels, that still counts as reading along. */
const endSlack = 40;

const log = element("main", { class: "log", role: "log", "aria-live": "polite", "aria-label": "Kit session", tabindex: "0" });
const empty = element("div", { class: "empty" }, element("p", {}, "Say what should be done. Open files are read and edited as they are on the screen, saved or not."),
  element("p", {}, "Every change can be kept or undone, hunk by hunk."));
const cards = element("div", { class: "cards", role: "region", "aria-live": "assertive", "aria-label": "Waiting for you" });
const chip = element("button", { class: "chip", type: "button", "aria-pressed": "true" });
const input = element("textarea", { rows: "2", placeholder: "Ask Kit (Enter sends, Shift+Enter breaks the line)", "aria-label": "Prompt for Kit" });
const delivery = element("select", { title: "What a prompt does while a turn runs", "aria-label": "Delivery" },
  element("option", { value: "queue" }, "Queue"), element("option", { value: "steer" }, "Steer"));
const queued = element("button", { class: "link queued", type: "button", title: "Show the prompts that wait" });
const stop = element("button", { class: "secondary", type: "button", title: "Stop the turn" }, "Stop");
const send = element("button", { class: "primary", type: "button" }, "Send");
const completion = new Completion(input, (request, text, position) => host.postMessage({ type: "complete", request, text, position }), fitInput);
const plan = new PlanBar();
const bars = { header: element("div", { class: "bars header" }), above: element("div", { class: "bars" }), below: element("div", { class: "bars" }), footer: element("div", { class: "bars footer" }) };
const composer = element("form", { class: "composer" }, chip, completion.list, input, element("div", { class: "bar" }, delivery, queued, element("span", { class: "grow" }), stop, send));
document.body.append(bars.header, log, cards, plan.root, bars.above, composer, bars.below, bars.footer);

let model: SessionModel | undefined;
let drawn = new Map<string, Drawn>();
let reviewable = new Set<string>();
let contextLabel: string | undefined;
let withContext = true;
let sending = "";
/** Whether the user reads along at the end of the log. */
let atEnd = true;

input.value = host.getState()?.draft ?? "";
window.addEventListener("message", (event: MessageEvent<ToView>) => receive(event.data));
host.postMessage({ type: "ready" });
fitInput();

function receive(message: ToView): void {
  switch (message.type) {
    case "snapshot":
      model = message.model;
      redraw();
      return;
    case "events":
      follow(() => {
        for (const event of message.events) {
          if (!model || event.seq < model.nextSeq) continue;
          const change = apply(model, event);
          for (const id of change.removed) remove(id);
          for (const id of change.drawn) draw(id);
        }
      });
      drawState();
      return;
    case "print":
      model?.items.push(message.item);
      follow(() => draw(message.item.id, message.item));
      drawState();
      return;
    case "bars":
      follow(() => placeBars(message.bars));
      return;
    case "completions":
      completion.show(message.request, message.items);
      return;
    case "reveal":
      atEnd = false;
      log.querySelector(`.user[data-turn="${CSS.escape(message.turn)}"]`)?.scrollIntoView({ block: "start" });
      return;
    case "write":
      setInput(message.text);
      input.focus();
      return;
    case "cards":
      drawCards(message.cards);
      return;
    case "turns":
      reviewable = new Set(message.turns);
      markTurns();
      return;
    case "context":
      contextLabel = message.label;
      drawChip();
      return;
    case "sent":
      if (!message.accepted && input.value === "") setInput(sending);
      return;
    case "focus":
      input.focus();
      return;
  }
}

function redraw(): void {
  drawn = new Map();
  log.replaceChildren(empty);
  for (const item of model?.items ?? []) draw(item.id, item);
  drawState();
  atEnd = true;
  log.scrollTop = log.scrollHeight;
}

function draw(id: string, known?: Item): void {
  const item = known ?? model?.items.findLast((candidate) => candidate.id === id);
  if (!item) return;
  let entry = drawn.get(id);
  if (!entry) {
    entry = drawItem(item);
    drawn.set(id, entry);
    const outer = item.within === undefined ? undefined : drawn.get(item.within);
    (outer?.inner ?? log).append(entry.root);
    if (item.kind === "turnEnd") markTurns();
  }
  entry.update(item);
  followInside(item);
}

/** A subagent's own log stays at its end as long as nobody reads in it. */
function followInside(item: Item): void {
  const inner = item.within === undefined ? undefined : drawn.get(item.within)?.inner;
  if (inner && !inner.matches(":hover, :focus-within")) inner.scrollTop = inner.scrollHeight;
}

function placeBars(updates: UiUpdate[]): void {
  const of = (slot: UiUpdate["slot"], below?: boolean) =>
    updates.filter((update) => update.slot === slot && (below === undefined || (update.style?.["placement"] === "below") === below));
  drawBars(bars.header, of("header"));
  drawBars(bars.above, of("widget", false));
  drawBars(bars.below, of("widget", true));
  drawBars(bars.footer, of("footer"));
}

function remove(id: string): void {
  drawn.get(id)?.root.remove();
  drawn.delete(id);
}

/** Runs a change of the log and stays at its end if that is where the user was. */
function follow(change: () => void): void {
  change();
  if (atEnd) log.scrollTop = log.scrollHeight;
}

log.addEventListener("scroll", () => {
  atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < endSlack;
});
// A card or a longer prompt makes the log smaller.
new ResizeObserver(() => follow(() => undefined)).observe(log);

function drawState(): void {
  const running = model?.running !== undefined;
  empty.hidden = drawn.size > 0;
  stop.hidden = !running;
  delivery.hidden = !running;
  send.textContent = running ? (delivery.value === "steer" ? "Steer" : "Queue") : "Send";
  queued.textContent = model && model.queued > 0 ? `${model.queued} queued` : "";
  queued.hidden = queued.textContent === "";
  follow(() => plan.show(model?.plan ?? []));
}

function markTurns(): void {
  for (const row of log.querySelectorAll<HTMLElement>(".turn-end")) {
    row.classList.toggle("reviewable", reviewable.has(row.dataset["turn"] ?? ""));
  }
}

function drawCards(list: Card[]): void {
  const kept = new Map([...cards.querySelectorAll<HTMLElement>("[data-card]")].map((node) => [node.dataset["card"], node]));
  // A card that stays keeps its element: a reason that is being typed must not vanish when another question arrives.
  cards.replaceChildren(...list.map((card) =>
    kept.get(card.id) ?? drawCard(card, {
      answer: (option, feedback) => host.postMessage({ type: "card", id: card.id, option, feedback }),
      copy: (text) => host.postMessage({ type: "copy", text }),
    })));
}

function drawChip(): void {
  chip.hidden = contextLabel === undefined;
  chip.setAttribute("aria-pressed", String(withContext));
  chip.textContent = contextLabel ?? "";
  chip.title = withContext ? `${contextLabel} goes along with the prompt; click to leave it out` : `Click to send ${contextLabel} along`;
}

chip.addEventListener("click", () => {
  withContext = !withContext;
  drawChip();
});
delivery.addEventListener("change", drawState);
queued.addEventListener("click", () => host.postMessage({ type: "queue" }));
stop.addEventListener("click", () => host.postMessage({ type: "stop" }));
send.addEventListener("click", submit);
input.addEventListener("input", fitInput);
input.addEventListener("keydown", (event) => {
  if (completion.key(event)) return;
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  submit();
});
composer.addEventListener("submit", (event) => event.preventDefault());

document.addEventListener("click", (event) => {
  const target = event.target instanceof Element ? event.target : undefined;
  const anchor = target?.closest<HTMLElement>("a[data-target], a[data-uri]");
  if (anchor) {
    event.preventDefault();
    const { uri, line, target: address } = anchor.dataset;
    if (uri !== undefined) host.postMessage({ type: "open", uri, line: Number(line) });
    else if (address !== undefined) host.postMessage({ type: "link", target: address });
  }
  const act = target?.closest<HTMLElement>("[data-turn-act]");
  const turn = act?.closest<HTMLElement>("[data-turn]")?.dataset["turn"];
  const wanted = act?.dataset["turnAct"];
  if (turn && (wanted === "keep" || wanted === "undo" || wanted === "rewind")) host.postMessage({ type: "turn", act: wanted, turn });
  const agent = target?.closest<HTMLElement>("[data-agent-act]");
  const session = agent?.dataset["session"];
  if (session) host.postMessage({ type: "agent", act: agent?.dataset["agentAct"] === "stop" ? "stop" : "open", session });
});

function submit(): void {
  const text = input.value.trim();
  if (text === "") return;
  sending = input.value;
  completion.close();
  host.postMessage({ type: "prompt", text, withContext: withContext && contextLabel !== undefined, delivery: delivery.value === "steer" ? "steer" : "queue" });
  setInput("");
}

function setInput(text: string): void {
  input.value = text;
  fitInput();
}

/** The input grows with its text up to a third of the view, and what is typed survives a hidden view. */
function fitInput(): void {
  input.style.height = "auto";
  input.style.height = `${Math.min(input.scrollHeight + 2, window.innerHeight / 3)}px`;
  host.setState({ draft: input.value });
}
