import assert from "node:assert/strict";
import { test } from "node:test";
import type { ReviewHunk, LineSpan } from "../src/protocol.ts";
import { countLines, hunkAt, hunkFrom, hunksOfChange, selectedLines, type LineChange } from "../src/review/hunks.ts";

const hunk = (id: string, baseLines: LineSpan, lines: LineSpan): ReviewHunk => ({
  id, baseLines, lines, kind: "change", oldText: "", newText: "", mixed: false, turn: "t", agent: "main", toolCallId: "c", title: "",
});
// Lines 0 removed, 2 replaced, 5 and 6 added.
const hunks = [hunk("removed", [0, 1], [0, 0]), hunk("replaced", [3, 4], [2, 3]), hunk("added", [6, 6], [5, 7])];
const change = (original: [number, number], modified: [number, number]): LineChange => ({
  originalStartLineNumber: original[0], originalEndLineNumber: original[1], modifiedStartLineNumber: modified[0], modifiedEndLineNumber: modified[1],
});

function checkChange(given: LineChange, expected: string[]): void {
  assert.deepEqual(hunksOfChange(hunks, given).map(({ id }) => id), expected);
}

test("a deletion in the peek is the hunk without current lines", () => checkChange(change([1, 1], [0, 0]), ["removed"]));
test("a replacement is found by its lines", () => checkChange(change([4, 4], [3, 3]), ["replaced"]));
test("an addition has no original lines", () => checkChange(change([6, 0], [6, 7]), ["added"]));
test("a change that joins what the server keeps apart means both", () => checkChange(change([4, 7], [3, 7]), ["replaced", "added"]));
test("a part of an addition means the whole hunk", () => checkChange(change([6, 0], [7, 7]), ["added"]));
test("lines without a hunk mean none", () => checkChange(change([8, 8], [9, 9]), []));

test("the cursor finds the hunk that it stands in, and a deletion from both of its sides", () => {
  assert.deepEqual([0, 1, 2, 3, 5, 6, 7].map((line) => hunkAt(hunks, line)?.id), ["removed", undefined, "replaced", undefined, "added", "added", undefined]);
  const gap = [hunk("gap", [4, 6], [4, 4])];
  assert.deepEqual([2, 3, 4, 5].map((line) => hunkAt(gap, line)?.id), [undefined, "gap", "gap", undefined]);
});

test("next and previous skip the hunk at the cursor", () => {
  assert.deepEqual([0, 2, 5, 9].map((line) => hunkFrom(hunks, line, "next")?.id), ["replaced", "added", undefined, undefined]);
  assert.deepEqual([0, 2, 6, 9].map((line) => hunkFrom(hunks, line, "previous")?.id), [undefined, "removed", "replaced", "added"]);
});

test("a selection that ends at a line's start leaves that line out", () => {
  const at = (line: number, character: number) => ({ line, character });
  assert.deepEqual(selectedLines({ start: at(2, 4), end: at(5, 0) }), [2, 5]);
  assert.deepEqual(selectedLines({ start: at(2, 0), end: at(2, 0) }), [2, 3]);
  assert.deepEqual(selectedLines({ start: at(2, 0), end: at(4, 1) }), [2, 5]);
});

test("lines are counted with every kind of line end", () => {
  assert.deepEqual(["", "a", "a\n", "a\r\nb", "a\rb\n"].map(countLines), [0, 1, 1, 2, 2]);
});
