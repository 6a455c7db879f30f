import assert from "node:assert/strict";
import { test } from "node:test";
import type { SessionNode } from "../src/protocol.ts";
import { size, treeRows, type TreeRow } from "../src/treeRows.ts";

const node = (id: string, parent: string | undefined, fields: Partial<SessionNode> = {}): SessionNode =>
  ({ id, ...(parent ? { parent } : {}), type: "message", role: "user", text: id, at: "", current: true, ...fields });

const shape = (rows: TreeRow[]): unknown[] => rows.map((row) => {
  const name = `${row.node.id}${row.leaf ? "*" : ""}`;
  return row.branches.length > 0 ? [name, ...row.branches.map(shape)] : name;
});

test("a session without branches is a plain list that marks where it goes on", () => {
  assert.deepEqual(shape(treeRows([node("a", undefined), node("b", "a", { role: "assistant" }), node("c", "b")])), ["a", "b", "c*"]);
  assert.deepEqual(treeRows([]), []);
});

test("another branch hangs on the entry that it leaves, with branches of its own", () => {
  const side = { current: false };
  const rows = treeRows([
    node("a", undefined), node("b", "a", side), node("c", "b", side), node("d", "b", side), node("e", "a"), node("f", "e"),
  ]);
  assert.deepEqual(shape(rows), [["a", [["b", ["c"]], "d"]], "e", "f*"]);
  assert.equal(size(rows), 6);
});

test("another beginning hangs on the first entry", () => {
  assert.deepEqual(shape(treeRows([node("a", undefined, { current: false }), node("b", undefined)])), [["b*", ["a"]]]);
});

test("the model that a session begins with is no row, a change of it is", () => {
  const model = { type: "model_change", text: "p/m" };
  assert.deepEqual(shape(treeRows([{ ...node("m", undefined), ...model }, node("a", "m"), { ...node("n", "a"), ...model }])), ["a", "n*"]);
});

test("results of tools and labels are left out, and what follows them is not", () => {
  const rows = treeRows([
    node("a", undefined), node("r", "a", { role: "tool" }), node("l", "r", { type: "label" }), node("b", "l", { current: false }), node("c", "l"),
    node("t", "c", { role: "tool" }),
  ]);
  assert.deepEqual(shape(rows), [["a", ["b"]], "c*"]);
  assert.deepEqual(shape(treeRows([node("a", undefined), node("r", "a", { role: "tool", label: "here" })])), ["a", "r*"]);
});
