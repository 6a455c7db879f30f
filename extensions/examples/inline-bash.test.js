import { test } from "kit:test";

const shell = (t, outputs) =>
  t.given("exec.run", ({ command }) => {
    if (!(command in outputs)) throw new Error(`not granted: ${command}`);
    return { stdout: "", stderr: "", exitCode: 0, timedOut: false, ...outputs[command] };
  });

test("commands in a prompt are replaced by their output", async (t) => {
  shell(t, { "git status -s": { stdout: " M a.js\n" }, "cat b": { stderr: "no b", exitCode: 1 } });
  t.equal(await t.emit("input", { text: "Commit !{git status -s} but not !{cat b}." }), {
    action: "transform", text: "Commit  M a.js but not no b\n[exit code 1].",
  });
});

test("a prompt that begins with ! never reaches the model", async (t) => {
  shell(t, { "git log -1": { stdout: "abc Fix" } });
  t.handled(await t.emit("input", { text: "! git log -1" }), "$ git log -1\nabc Fix");
  const turn = await t.turn("!git log -1");
  t.equal([turn.handled, turn.calls], [true, []]);
});

test("what may not run is said instead of its output", async (t) => {
  shell(t, {});
  t.rewritten(await t.emit("input", { text: "see !{rm -rf x}" }), "see [rm -rf x: exec.run is not granted");
  t.handled(await t.emit("input", { text: "!rm -rf x" }), "not granted");
});

test("ordinary prompts stay as they are, long outputs are cut", async (t) => {
  t.equal(await t.emit("input", { text: "Is this important!? a!={b}" }), undefined);
  shell(t, { "cat big": { stdout: "x".repeat(30_000) } });
  t.rewritten(await t.emit("input", { text: "!{cat big}" }), "10000 characters left out");
});
