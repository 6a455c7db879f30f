// Subagents in a real VS Code: nested under the call that started them, in the status bar, in the pick list, stopped
// alone, and a budget that they spend together with their parent.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Editor } from "./editor.mjs";

const price = { input: 1_000_000, output: 5_000_000 };
const subagent = (id, task, agent) => ({ tool: { name: "subagent", id, input: { task, model: "scripted/helper", ...(agent ? { agent } : {}) } } });
const plan = { tool: { name: "update_plan", id: "p1", input: { entries: [
  { content: "Read the file", status: "completed" }, { content: "Ask two helpers", status: "in_progress" }, { content: "Answer", status: "pending" },
] } } };
const scripts = {
  main: [
    { script: { name: "Main", count: "prompt", price } },
    [{ text: "Two helpers look around." }, plan, subagent("a1", "Find the callers of total.", "explore"), subagent("a2", "Read the file.")],
    [{ text: "Nobody else calls it." }],
  ],
  helper: [
    { script: { name: "Helper", count: "prompt", price } },
    [{ text: "I look for it." }, { tool: { name: "grep", input: { pattern: "total" } } }, { usage: { input: 1200, output: 40 } }],
    [{ gate: "go" }, { text: "It is called **once**." }, { usage: { input: 1500, output: 30 } }],
  ],
};

test("subagents work inside the calls that started them and can be stopped alone", { timeout: 240_000 }, async (t) => {
  const editor = await Editor.start({
    files: { "a.js": "export const total = 1;\n" }, scripts, settings: { "kit.budget": { session: { usd: 0.5 } } }, environment: { KIT_MODEL: "scripted/main" },
  });
  t.after(() => editor.close());
  const { session, page } = editor;
  await editor.open("a.js");
  await editor.command("Kit: Show Session");
  await session.locator("textarea").fill("who calls total?");
  await session.locator("textarea").press("Enter");

  const rows = session.locator(".log > .tool[data-kind=agent]");
  const explore = rows.filter({ hasText: "explore: Find the callers" });
  await explore.locator(".nested .tool[data-status=done]").waitFor();
  assert.match(await explore.locator(".nested").first().innerText(), /Find the callers of total\.\s+I look for it\./);
  assert.match(await explore.locator(".run").first().innerText(), /running · 1 tool · 1\.2k tokens · \$0\.00/);
  assert.equal(await session.locator(".log > .item.text").count(), 1, "what subagents say is not mixed with what their parent says");
  await editor.statusWith(/2 agents · \$[\d.]+\/\$0\.50/).waitFor();

  const shown = session.locator(".plan");
  await shown.locator("summary", { hasText: "Plan 1/3 · Ask two helpers" }).waitFor();
  assert.deepEqual(await shown.locator("li").allInnerTexts().then((texts) => texts.map((text) => text.replace(/\s+/g, " "))), ["✓ Read the file", "● Ask two helpers", "○ Answer"]);

  await editor.command("Kit: Agents…");
  await editor.pickRow("Find the callers of total.").waitFor();
  await editor.pickRow("Named agents").first().waitFor();
  const reading = editor.pickRow("Read the file.");
  await reading.hover();
  await reading.locator(".action-label").first().click();
  await reading.waitFor({ state: "detached" });
  await page.keyboard.press("Escape");
  const stopped = rows.filter({ hasText: "general: Read the file" });
  await stopped.locator(".run", { hasText: "stopped" }).waitFor();
  assert.equal(await explore.locator(".run", { hasText: "running" }).count(), 1, "the other one goes on");

  await editor.openGate("go");
  await session.locator(".turn-end").first().waitFor();
  await explore.locator(".run", { hasText: "done in" }).waitFor();
  assert.equal(await explore.getAttribute("open"), null, "a row folds when its subagent is done");
  await editor.statusWith(/ · \$[\d.]+\/\$0\.50/).waitFor();
  await explore.locator("summary").first().click();
  await explore.locator(".nested", { hasText: "It is called once." }).waitFor();
  await explore.locator("button", { hasText: "Open transcript" }).click();
  await page.locator(".tab", { hasText: "Subagent" }).waitFor();
});

test("a budget that is used up asks with a card, and its answer is taken", { timeout: 240_000 }, async (t) => {
  const editor = await Editor.start({
    files: { "a.js": "1;\n" }, environment: { KIT_MODEL: "scripted/dear" }, settings: { "kit.budget": { session: { usd: 0.02 } } },
    scripts: { dear: [{ script: { count: "conversation", price } }, [{ text: "One." }, { usage: { input: 30_000, output: 10 } }], [{ text: "Two." }, { usage: { input: 30_000, output: 10 } }]] },
  });
  t.after(() => editor.close());
  const { session, page } = editor;
  await editor.open("a.js");
  await editor.ask("first");
  await editor.statusWith("$0.03/$0.02").waitFor();
  const input = session.locator("textarea");
  await input.fill("second");
  await input.press("Enter");
  const card = session.locator(".card");
  await card.waitFor();
  assert.match(await card.innerText(), /Kit paused: .*budget.*\?\s+Go on this once\s+Raise the session's budget to \$0\.0\d\s+Stop/s);
  await editor.statusWith("1 question").waitFor();
  await card.locator("button", { hasText: "Go on this once" }).click();
  await session.locator(".item.text", { hasText: "Two." }).waitFor();
  await card.waitFor({ state: "detached" });

  // While nobody sees the card, a notification asks; both go away with the turn.
  await input.fill("third");
  await input.press("Enter");
  await card.waitFor();
  const question = page.locator(".notification-toast", { hasText: "budget" });
  assert.equal(await question.count(), 0);
  await page.keyboard.press("Control+Alt+B");
  await question.locator("a", { hasText: "Go on this once" }).waitFor();
  await editor.statusWith("1 question").click();
  await editor.pickRow("Stop").first().click();
  await question.waitFor({ state: "detached" });
  await page.keyboard.press("Control+Alt+B");
  await session.locator(".turn-end").nth(2).waitFor();
  assert.equal(await card.count(), 0);
});
