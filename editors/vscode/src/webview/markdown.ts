// Markdown of a streaming answer. The text is cut into blocks; a block that can no longer change keeps its element,
// so each chunk costs the size of the last block, and a selection in older text survives.
// Covers what models write: headings, paragraphs, lists, quotes, tables, rules, fenced code and inline marks.

import { element } from "./dom.ts";

/** Draws a growing text into one element. */
export class MarkdownStream {
  readonly root = element("div", { class: "markdown" });
  private settled = 0;
  private source = "";
  private open: Node[] = [];

  update(text: string): void {
    if (!text.startsWith(this.source.slice(0, this.settled))) {
      this.settled = 0;
      this.open = [];
      this.root.replaceChildren();
    }
    this.source = text;
    for (const node of this.open) node.parentNode?.removeChild(node);
    this.open = [];
    const blocks = splitBlocks(text.slice(this.settled));
    for (const [index, block] of blocks.entries()) {
      const drawn = drawBlock(block);
      this.root.append(drawn);
      if (index === blocks.length - 1) this.open = [drawn];
      else this.settled += block.length;
    }
  }
}

export function drawMarkdown(text: string): HTMLElement {
  const stream = new MarkdownStream();
  stream.update(text);
  return stream.root;
}

const fence = /^ {0,3}(`{3,}|~{3,})/;

/** Cuts at blank lines outside of fences; the parts joined give the text back. */
export function splitBlocks(text: string): string[] {
  const blocks: string[] = [];
  let block = "";
  let fenceMark: string | undefined;
  for (const line of text.match(/[^\n]*\n|[^\n]+$/g) ?? []) {
    const mark = fence.exec(line)?.[1];
    const blank = line.trim() === "";
    const startsBlock = fenceMark === undefined && mark !== undefined && block.trim() !== "";
    const afterBlank = fenceMark === undefined && !blank && /\n[ \t]*\n$/.test(block) && !continuesList(block, line);
    if (startsBlock || afterBlank) {
      blocks.push(block);
      block = "";
    }
    block += line;
    if (fenceMark === undefined) fenceMark = mark;
    else if (mark?.startsWith(fenceMark) && line.trim() === mark) {
      fenceMark = undefined;
      blocks.push(block);
      block = "";
    }
  }
  return block === "" ? blocks : [...blocks, block];
}

const listItem = /^(\s*)(?:[-*+]|(\d{1,9})[.)])\s+(.*)$/;

function continuesList(block: string, line: string): boolean {
  return listItem.test(block.split("\n", 1)[0] ?? "") && (listItem.test(line.trimEnd()) || /^\s{2,}\S/.test(line));
}

function drawBlock(block: string): HTMLElement {
  const lines = block.replace(/^\n+|\s+$/g, "").split("\n");
  const first = lines[0] ?? "";
  const opening = fence.exec(first)?.[1];
  if (opening) return drawCode(lines, opening);
  if (/^\s*([-*_])(\s*\1){2,}\s*$/.test(first) && lines.length === 1) return element("hr");
  const container = element("div", { class: "block" });
  let rest = lines;
  while (rest.length > 0) {
    const [drawn, used] = drawPart(rest);
    container.append(drawn);
    rest = rest.slice(used);
  }
  return container;
}

function drawCode(lines: string[], opening: string): HTMLElement {
  const language = (lines[0] ?? "").trim().slice(opening.length).trim().split(/\s/, 1)[0] ?? "";
  const closed = lines.length > 1 && (lines.at(-1) ?? "").trim().startsWith(opening);
  const code = lines.slice(1, closed ? -1 : undefined).join("\n");
  return element("pre", { "data-language": language || undefined, tabindex: "0" }, element("code", {}, code));
}

/** Draws what the lines start with and says how many lines that took. */
function drawPart(lines: string[]): [HTMLElement, number] {
  const first = lines[0] ?? "";
  const heading = /^(#{1,6})\s+(.*?)\s*#*$/.exec(first);
  if (heading) {
    const level = Math.min((heading[1] ?? "").length + 2, 6) as 3 | 4 | 5 | 6;
    return [element(`h${level}`, {}, ...inline(heading[2] ?? "")), 1];
  }
  const take = (belongs: (line: string) => boolean) => {
    const end = lines.findIndex((line, index) => index > 0 && !belongs(line));
    return end < 0 ? lines.length : end;
  };
  if (first.startsWith(">")) {
    const used = take((line) => line.startsWith(">"));
    return [element("blockquote", {}, drawBlock(lines.slice(0, used).map((line) => line.replace(/^> ?/, "")).join("\n"))), used];
  }
  if (listItem.test(first)) {
    const used = take((line) => line.trim() === "" || listItem.test(line) || /^\s+\S/.test(line));
    return [drawList(lines.slice(0, used)), used];
  }
  if (first.includes("|") && /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/.test(lines[1] ?? "")) {
    const used = take((line) => line.includes("|"));
    return [drawTable(lines.slice(0, used)), used];
  }
  const used = take((line) => line.trim() !== "" && !/^#{1,6}\s/.test(line) && !listItem.test(line) && !line.startsWith(">"));
  return [element("p", {}, ...inline(lines.slice(0, used).join("\n").trim())), used];
}

function drawList(lines: string[]): HTMLElement {
  const match = listItem.exec(lines[0] ?? "");
  const indent = (match?.[1] ?? "").length;
  const list = match?.[2] ? element("ol", { start: match[2] }) : element("ul");
  let index = 0;
  while (index < lines.length) {
    const item = listItem.exec(lines[index] ?? "");
    let end = index + 1;
    while (end < lines.length) {
      const next = listItem.exec(lines[end] ?? "");
      if (next && (next[1] ?? "").length <= indent) break;
      end++;
    }
    const inner = lines.slice(index + 1, end);
    const nested = inner.findIndex((line) => listItem.test(line));
    const own = [item?.[3] ?? lines[index] ?? "", ...inner.slice(0, nested < 0 ? undefined : nested).map((line) => line.trim())];
    const entry = element("li", {}, ...inline(own.join("\n").trim()));
    if (nested >= 0) entry.append(drawList(inner.slice(nested)));
    list.append(entry);
    index = end;
  }
  return list;
}

function drawTable(lines: string[]): HTMLElement {
  const cells = (line: string) => line.trim().replace(/^\||\|$/g, "").split(/(?<!\\)\|/).map((cell) => cell.trim().replace(/\\\|/g, "|"));
  const row = (tag: "th" | "td", line: string) => element("tr", {}, ...cells(line).map((cell) => element(tag, {}, ...inline(cell))));
  const [head = "", , ...body] = lines;
  return element("table", {}, element("thead", {}, row("th", head)), element("tbody", {}, ...body.map((line) => row("td", line))));
}

const marks = /(`+)([\s\S]*?[^`])\1(?!`)|\*\*(?=\S)([\s\S]*?\S)\*\*|~~(?=\S)([\s\S]*?\S)~~|(?<![\w*])\*(?=[^\s*])([^*]*?[^\s*])\*(?![\w*])|(?<!\w)_(?=\S)([^_]*?\S)_(?!\w)|\[([^\]]+)\]\(([^)\s]+)\)|<(https?:\/\/[^\s<>]+)>|(https?:\/\/[^\s<>)\]]*[^\s<>)\].,;:!?'"])/;

function inline(text: string): Node[] {
  const nodes: Node[] = [];
  let rest = text;
  for (;;) {
    const match = marks.exec(rest);
    if (!match) break;
    if (match.index > 0) nodes.push(document.createTextNode(rest.slice(0, match.index)));
    const [whole, , code, strong, deleted, starred, underlined, label, target, enclosed, bare] = match;
    const address = enclosed ?? bare;
    const emphasis = starred ?? underlined;
    if (code !== undefined) nodes.push(element("code", {}, code));
    else if (strong !== undefined) nodes.push(element("strong", {}, ...inline(strong)));
    else if (deleted !== undefined) nodes.push(element("del", {}, ...inline(deleted)));
    else if (emphasis !== undefined) nodes.push(element("em", {}, ...inline(emphasis)));
    else if (label !== undefined && target !== undefined) nodes.push(link(target, ...inline(label)));
    else if (address !== undefined) nodes.push(link(address, address));
    rest = rest.slice(match.index + whole.length);
  }
  if (rest !== "") nodes.push(document.createTextNode(rest));
  return nodes;
}

/** The target is data for the extension to judge; the page itself goes nowhere. */
function link(target: string, ...children: (Node | string)[]): HTMLElement {
  return element("a", { href: "#", "data-target": target, title: target }, ...children);
}
