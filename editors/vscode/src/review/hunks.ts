// Where a position, a selection or an editor's own change meets the hunks of a file. Pure; no diffing.

import type { ReviewHunk, LineSpan } from "../protocol.ts";

/** The editor's description of one change, one-based; an end of 0 means that the side is empty after the start line. */
export interface LineChange {
  originalStartLineNumber: number;
  originalEndLineNumber: number;
  modifiedStartLineNumber: number;
  modifiedEndLineNumber: number;
}

/** Two ranges meet if they share a line, or if one is empty and lies inside the other or on its edge. */
export function meet(left: LineSpan, right: LineSpan): boolean {
  const empty = left[0] === left[1] || right[0] === right[1];
  return empty ? left[0] <= right[1] && right[0] <= left[1] : left[0] < right[1] && right[0] < left[1];
}

/**
 * The hunks that a change in the editor's peek stands for.
 * The editor diffs on its own and may join or split where the server does not: both sides decide, the current one first.
 */
export function hunksOfChange(hunks: readonly ReviewHunk[], change: LineChange): ReviewHunk[] {
  const lines = toLines(change.modifiedStartLineNumber, change.modifiedEndLineNumber);
  const baseLines = toLines(change.originalStartLineNumber, change.originalEndLineNumber);
  const both = hunks.filter((hunk) => meet(hunk.lines, lines) && meet(hunk.baseLines, baseLines));
  return both.length > 0 ? both : hunks.filter((hunk) => meet(hunk.lines, lines));
}

function toLines(start: number, end: number): LineSpan {
  return end === 0 ? [start, start] : [start - 1, end];
}

/** The lines that belong to a hunk on the screen: a deletion owns the lines on both of its sides. */
export function shownLines(hunk: ReviewHunk): LineSpan {
  const [start, end] = hunk.lines;
  return start === end ? [Math.max(start - 1, 0), start + 1] : [start, end];
}

export function hunkAt(hunks: readonly ReviewHunk[], line: number): ReviewHunk | undefined {
  const inside = (lines: LineSpan) => line >= lines[0] && line < lines[1];
  return hunks.find((hunk) => inside(hunk.lines)) ?? hunks.find((hunk) => inside(shownLines(hunk)));
}

export type Direction = "next" | "previous";

/** The nearest hunk that starts behind or before a line. */
export function hunkFrom(hunks: readonly ReviewHunk[], line: number, direction: Direction): ReviewHunk | undefined {
  return direction === "next"
    ? hunks.find((hunk) => hunk.lines[0] > line)
    : hunks.findLast((hunk) => hunk.lines[0] < line && !(line < hunk.lines[1]));
}

/** The lines of a selection; one that ends at the start of a line does not include it. */
export function selectedLines(selection: { start: { line: number }; end: { line: number; character: number } }): LineSpan {
  const { start, end } = selection;
  return [start.line, end.character === 0 && end.line > start.line ? end.line : end.line + 1];
}

export function countLines(text: string): number {
  if (text === "") return 0;
  const breaks = text.match(/\r\n|\n|\r/g)?.length ?? 0;
  return /[\r\n]$/.test(text) ? breaks : breaks + 1;
}
