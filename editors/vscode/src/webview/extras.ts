// Draws what extensions show: bars around the log, lines and blocks in it. A colour that is none is left out.

import type { UiUpdate } from "../protocol.ts";
import type { PrintItem } from "../session/items.ts";
import { element } from "./dom.ts";
import { drawMarkdown } from "./markdown.ts";

interface Colours {
  borderColor?: string;
  background?: string;
}

/** Replaces what a place shows by the updates that belong there. */
export function drawBars(place: HTMLElement, updates: UiUpdate[]): void {
  place.replaceChildren(...updates.map((update) => {
    const root = element("div", { class: `bar-item${update.style?.["border"] === "none" ? " plain" : ""}`, role: "note", "aria-label": `From ${update.extension}`, title: update.extension },
      body(update.text ?? "", update.markdown ?? false));
    colour(root, update.style ?? {});
    return root;
  }));
}

export function drawPrint(item: PrintItem): HTMLElement {
  const kind = item.style["kind"] ?? "";
  const subtitle = item.style["subtitle"];
  const root = element("div", {
    class: `item print${item.framed ? " framed" : ""}${kind ? ` ${kind}` : ""}`, role: kind === "error" ? "alert" : "note", "aria-label": `From ${item.source}`, title: item.source,
  }, body(item.text, item.markdown), subtitle ? element("div", { class: "subtitle" }, subtitle) : undefined);
  colour(root, item.style);
  return root;
}

function body(text: string, markdown: boolean): HTMLElement {
  return markdown ? drawMarkdown(text) : element("div", { class: "plain-text" }, text);
}

/** Colours of extensions are written for a terminal: names and hexadecimal numbers. */
export function colour(root: HTMLElement, { borderColor, background }: Colours): void {
  if (borderColor && CSS.supports("color", borderColor)) root.style.setProperty("--frame", borderColor);
  if (background && CSS.supports("color", background)) root.style.setProperty("background-color", background);
}
