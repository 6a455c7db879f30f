import assert from "node:assert/strict";
import { test } from "node:test";
import type { Item, PrintItem } from "../src/session/items.ts";
import { withPrinted } from "../src/session/printed.ts";

let rows = 0;
const id = () => `e${++rows}`;
const user = (turn: string): Item => ({ kind: "user", id: id(), text: `prompt of ${turn}`, turn });
const text = (words: string): Item => ({ kind: "text", id: id(), agent: "", text: words, done: true });
const tool = (call: string, within?: string): Item => ({
  kind: "tool", id: id(), call, agent: "", toolKind: "read", title: "", arguments: "{}", status: "done", output: "", diffs: [], ...(within ? { within } : {}),
});
const end = (turn: string): Item => ({ kind: "turnEnd", id: id(), turn, text: "Done", failed: false });
const notice = (words: string): Item => ({ kind: "notice", id: id(), level: "info", text: words });
const print = (words: string): PrintItem => ({ kind: "print", id: `p${++rows}`, source: "x", text: words, markdown: false, framed: false, style: {} });

const shown = (items: Item[]) => items.map((item) => (item.kind === "print" || item.kind === "text" ? item.text : item.kind === "user" ? item.turn : item.kind));

test("what was printed stands where it stood, though the rows have other numbers", () => {
  const before = [
    print("first"), user("a"), print("in a"), text("yes"), tool("c1"), print("after the call"), print("and more"), end("a"), print("between"), user("b"), text("yes"), print("in b"), end("b"), print("last"),
  ];
  const told = [user("a"), text("yes"), tool("c1"), end("a"), user("b"), text("yes"), end("b")];
  assert.deepEqual(shown(withPrinted(before, told)), [
    "first", "a", "in a", "yes", "tool", "after the call", "and more", "turnEnd", "between", "b", "yes", "in b", "turnEnd", "last",
  ]);
});

test("where its place was taken back, it stands behind what is left before it", () => {
  const before = [user("a"), text("yes"), end("a"), user("b"), print("in b"), text("no"), end("b"), print("last")];
  assert.deepEqual(shown(withPrinted(before, [user("a"), text("yes"), end("a")])), ["a", "yes", "turnEnd", "in b", "last"]);
  assert.deepEqual(shown(withPrinted(before, [user("a"), text("yes"), end("a"), user("c"), text("no"), end("c")])), [
    "a", "yes", "turnEnd", "in b", "last", "c", "no", "turnEnd",
  ]);
  assert.deepEqual(shown(withPrinted(before, [])), ["in b", "last"]);
});

test("rows that are not told again, and those of subagents, are no place", () => {
  const child = tool("c1");
  const before = [user("a"), notice("retry"), print("after a retry"), child, tool("c2", child.id), print("at work"), end("a")];
  const again = tool("c1");
  assert.deepEqual(shown(withPrinted(before, [user("a"), again, tool("c2", again.id), end("a")])), ["a", "after a retry", "tool", "at work", "tool", "turnEnd"]);
});

test("a text that is said twice in a turn is two places", () => {
  const before = [user("a"), text("ok"), print("one"), text("ok"), print("two")];
  assert.deepEqual(shown(withPrinted(before, [user("a"), text("ok"), text("ok")])), ["a", "ok", "one", "ok", "two"]);
});
