// The same prompt from VS Code against a mock of the providers that others wrote, on both wires.
// KIT_AIMOCK is the program of tests/scripts/aimock.sh.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { test } from "node:test";

import { Editor } from "./editor.mjs";
import { startPeer } from "./peer.mjs";

const prompt = "rename one to two";
const edit = { path: "a.txt", edits: [{ old_text: "one", new_text: "two" }] };
const fixtures = {
  fixtures: [
    {
      match: { userMessage: prompt, hasToolResult: false },
      response: { content: "I will rename it.", toolCalls: [{ name: "edit", arguments: edit }] },
    },
    { match: { userMessage: prompt, hasToolResult: true }, response: { content: "Renamed it for you." } },
  ],
};

async function startMock(t) {
  const folder = await mkdtemp(path.join(os.tmpdir(), "kit-aimock-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await writeFile(path.join(folder, "fixtures.json"), JSON.stringify(fixtures));
  return startPeer(t, process.env.KIT_AIMOCK, ["--port", "0", "--strict", "--fixtures", path.join(folder, "fixtures.json")]);
}

const wires = [
  ["messages", (url) => ({ ANTHROPIC_BASE_URL: url, ANTHROPIC_API_KEY: "mock", KIT_MODEL: "anthropic/claude-sonnet-4-5" })],
  ["chat-completions", (url) => ({ OPENAI_BASE_URL: `${url}/v1`, OPENAI_API_KEY: "mock", KIT_MODEL: "openai/gpt-4o" })],
];
for (const [wire, environment] of wires) {
  test(`a prompt over the ${wire} wire becomes an edit`, { timeout: 240_000 }, async (t) => {
    const url = await startMock(t);
    const editor = await Editor.start({ files: { "a.txt": "one\n" }, environment: environment(url) });
    t.after(() => editor.close());
    await editor.open("a.txt");
    await editor.ask(prompt);
    const answer = await editor.session.locator("body").innerText();
    assert.match(answer, /Renamed it for you\./);
    await editor.lens("Keep").first().waitFor();
    assert.match(await editor.text(), /two/);
    assert.equal(await editor.onDisk("a.txt"), "two\n", "the document was clean, so it is saved after the edit");
  });
}
