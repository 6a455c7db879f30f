import assert from "node:assert/strict";
import { test } from "node:test";
import { splitBlocks } from "../src/webview/markdown.ts";

function check(text: string, blocks: string[]): void {
  assert.deepEqual(splitBlocks(text), blocks);
  assert.equal(splitBlocks(text).join(""), text);
}

test("paragraphs end at blank lines", () => check("one\ntwo\n\nthree", ["one\ntwo\n\n", "three"]));
test("a fence keeps its blank lines", () => check("```js\na\n\nb\n```\nafter", ["```js\na\n\nb\n```\n", "after"]));
test("an open fence takes the rest", () => check("text\n```js\na\n\nb", ["text\n", "```js\na\n\nb"]));
test("a longer fence holds a shorter one", () => check("````\n```\nx\n```\n````\nend", ["````\n```\nx\n```\n````\n", "end"]));
test("a loose list is one block", () => check("1. one\n\n2. two\n\n   more\n\nafter", ["1. one\n\n2. two\n\n   more\n\n", "after"]));
