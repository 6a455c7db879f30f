// Draws the questions that wait for the user: what is asked, the buttons, and for each "always" the exact rule.

import type { Card } from "../cards.ts";
import { element } from "./dom.ts";
import { drawBlocks } from "./items.ts";
import { drawMarkdown } from "./markdown.ts";

export interface CardActs {
  answer(option: string, feedback: string): void;
  copy(text: string): void;
}

export function drawCard(card: Card, { answer, copy }: CardActs): HTMLElement {
  const reason = element("input", { type: "text", class: "reason", placeholder: "Reason for the agent, if you reject", "aria-label": "Reason for the agent" });
  const rejects = card.options.some((option) => option.kind.startsWith("reject"));
  const button = (option: Card["options"][number]) => {
    const reject = option.kind.startsWith("reject");
    const first = option.kind === "allowOnce" || (option.kind === "choice" && option === card.options[0]);
    return element("button", {
      type: "button", class: first ? "primary" : "secondary",
      click: () => answer(option.id, reject ? reason.value.trim() : ""),
    }, option.label);
  };
  const once = card.options.filter((option) => option.rule === "");
  const always = card.options.filter((option) => option.rule !== "");
  const refusal = card.options.find((option) => option.kind === "rejectOnce");
  reason.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.isComposing && refusal) answer(refusal.id, reason.value.trim());
  });
  return element("section", { class: "card", "aria-label": `Kit asks: ${card.title || card.text}`, "data-card": card.id },
    card.agent !== "" && element("div", { class: "agent" }, card.agent),
    card.title !== "" && element("div", { class: "card-title" }, card.title),
    card.text !== "" && drawMarkdown(card.text),
    card.uri !== undefined && card.code === "" && element("a", { href: "#", class: "file", "data-uri": card.uri, "data-line": "0" }, shortUri(card.uri)),
    card.code !== "" && element("pre", { class: "command", tabindex: "0" }, card.code),
    card.place !== "" && element("div", { class: "rule" }, `in ${card.place}`),
    card.copy !== "" && element("div", { class: "copy" }, element("code", {}, card.copy), element("button", { type: "button", class: "secondary", click: () => copy(card.copy) }, "Copy")),
    card.blocks.length > 0 && drawBlocks(card.blocks),
    element("div", { class: "buttons" }, ...once.map(button)),
    rejects && reason,
    ...always.map((option) => element("div", { class: "ruled" }, button(option), element("div", { class: "rule" }, drawMarkdown(option.rule)))));
}

function shortUri(uri: string): string {
  return decodeURIComponent(uri.split("/").slice(-2).join("/"));
}
