import assert from "node:assert/strict";
import { test } from "node:test";
import { permissionLines } from "../src/permissionText.ts";
import { offsetAt, positionAt } from "../src/webview/completion.ts";

test("permissions read as sentences, and what is not known yet is shown as it is", () => {
  const lines = permissionLines({ http: ["example.com"], exec: [], fs: { read: ["docs"], write: [] }, camera: ["front"] });
  assert.deepEqual(lines, ["fetch from example.com", "read docs", "camera: front"]);
  assert.deepEqual([permissionLines(undefined), permissionLines("all")], [[], []]);
});

test("a place in the prompt is counted in lines, there and back", () => {
  const text = "one\nzwei 🦀 drei\n";
  for (let offset = 0; offset <= text.length; offset++) assert.equal(offsetAt(text, positionAt(text, offset)), offset);
  assert.deepEqual(positionAt(text, 9), { line: 1, character: 5 });
});
