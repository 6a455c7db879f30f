import assert from "node:assert/strict";
import { test } from "node:test";
import type { Status, UsageTotals } from "../src/protocol.ts";
import { spoken, statusText, tooltip, type StatusField } from "../src/statusText.ts";

const tokens: UsageTotals = { inputTokens: 1200, outputTokens: 310, cacheReadTokens: 8000, cacheWriteTokens: 0, costMicros: 430_000, costKind: "priced" };
const none: UsageTotals = { inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0, costKind: "priced" };
const all: StatusField[] = ["context", "cost", "hunks"];

const status = (fields: Partial<Status>): Status => ({
  state: "idle", label: "idle", mode: "edit", model: "anthropic/large",
  usage: { contextUsed: 68_000, contextWindow: 200_000, turn: none, session: tokens, today: tokens },
  review: { files: 0, hunks: 0 }, pending: { permissions: 0, questions: 0 }, agents: [], ...fields,
});

function check(fields: Partial<Status>, text: string, severity: "none" | "warning" | "error" = "none", items = all): void {
  assert.deepEqual(statusText(status(fields), "running", items), { text, severity });
}

test("idle shows context and cost", () => check({}, "$(sparkle) 34% · $0.43"));
test("idle without a session shows the name", () =>
  check({ usage: { contextUsed: 0, contextWindow: 200_000, turn: none, session: none, today: none } }, "$(sparkle) Kit"));
test("hunks come first", () => check({ review: { files: 2, hunks: 7 } }, "$(diff) 7 hunks · 34% · $0.43"));
test("one hunk is singular", () => check({ review: { files: 1, hunks: 1 } }, "$(diff) 1 hunk · 34% · $0.43"));
test("what the user does not want is left out", () => check({ review: { files: 1, hunks: 1 } }, "$(sparkle) 34%", "none", ["context"]));
test("running shows the tool and the cost", () => check({ state: "running", label: "edit parser.rs" }, "$(loading~spin) edit parser.rs · $0.43"));
test("a long label loses its middle", () =>
  check({ state: "running", label: "edit a_file_with_quite_a_long_name.rs" }, "$(loading~spin) edit a_file_wi…_long_name.rs · $0.43"));
test("waiting counts what waits", () => {
  check({ state: "waiting", pending: { permissions: 2, questions: 0 } }, "$(bell-dot) 2 approvals", "warning");
  check({ state: "waiting", pending: { permissions: 1, questions: 1 } }, "$(bell-dot) 1 approval, 1 question", "warning");
});
test("a little context is not none", () => check({ usage: { ...status({}).usage, contextUsed: 300 } }, "$(sparkle) <1% · $0.43"));
test("a full context warns", () =>
  check({ usage: { ...status({}).usage, contextUsed: 186_000 } }, "$(warning) 93% · $0.43", "warning"));
test("a budget nearly spent warns with its limit", () =>
  check({ usage: { ...status({}).usage, budget: { limitMicros: 5_000_000, usedMicros: 4_610_000, scope: "day" } } }, "$(warning) 34% · $4.61/$5.00", "warning"));

test("a budget in tokens is shown in tokens", () =>
  check({ usage: { ...status({}).usage, budget: { limitTokens: 500_000, usedTokens: 480_000, scope: "turn" } } }, "$(warning) 34% · 480k/500k tokens", "warning"));
test("a budget stands where the cost would", () =>
  check({ usage: { ...status({}).usage, budget: { limitMicros: 5_000_000, usedMicros: 610_000, scope: "session" } } }, "$(sparkle) 34% · $0.61/$5.00"));
test("what nobody counted is marked", () => check({ usage: { ...status({}).usage, contextEstimated: true } }, "$(sparkle) ~34% · $0.43"));
test("agents at work are counted, also those that go on when the turn is over", () => {
  const agents = [{ id: "a", name: "explore", state: "running" as const, label: "grep foo", task: "find foo", session: "s" }];
  check({ state: "running", label: "explore", agents }, "$(loading~spin) explore · 1 agent · $0.43");
  check({ agents }, "$(sparkle) 34% · 1 agent · $0.43");
  assert.match(tooltip(status({ agents })), /\| Agent \| explore: grep foo \(find foo\) \|/);
});
test("the tooltip tells how far the plan is", () => {
  assert.match(tooltip(status({ plan: { completed: 2, total: 5, current: "mend the parser" } })), /\| Plan \| 2\/5 mend the parser \|/);
  assert.match(tooltip(status({ plan: { completed: 5, total: 5 } })), /\| Plan \| 5\/5 done \|/);
});
test("the tooltip tells the budget, and how to log in", () => {
  const budget = { limitMicros: 5_000_000, usedMicros: 2_500_000, scope: "day" };
  assert.match(tooltip(status({ usage: { ...status({}).usage, budget } })), /\| Budget \| █████░░░░░ \\\$2\.50\/\\\$5\.00 per day \|/);
  assert.match(tooltip(status({ state: "signedOut", label: "signed out" })), /run Kit: Log In….*\(command:kit\.login\)/s);
});

test("without a price the tokens are shown", () =>
  check({ usage: { ...status({}).usage, session: { ...tokens, costKind: "unknown" } } }, "$(sparkle) 34% · 9.5k tokens"));
test("signed out and errors stand out", () => {
  check({ state: "signedOut" }, "$(error) Kit: log in", "error");
  check({ state: "error", label: "no route to host" }, "$(error) no route to host", "error");
});

test("a lost server stands out whatever it said last", () => {
  assert.deepEqual(statusText(status({}), "stopped", all), { text: "$(error) Kit: server down", severity: "error" });
  assert.deepEqual(statusText(undefined, "missing", all), { text: "$(error) Kit: no server", severity: "error" });
  assert.deepEqual(statusText(undefined, "starting", all), { text: "$(sparkle) Kit", severity: "none" });
});

test("screen readers hear no icon names", () => {
  assert.equal(spoken("$(diff) 7 hunks · $0.43"), "Kit: 7 hunks · $0.43");
  assert.equal(spoken("$(sparkle) Kit"), "Kit");
  assert.equal(spoken("$(error) Kit: log in"), "Kit: log in");
});

test("the tooltip is a table whose cells cannot break out of it", () => {
  const text = tooltip(status({ model: "a|b", review: { files: 1, hunks: 2 }, state: "running", label: "[x](y)" }));
  assert.equal(text, [
    "| **Kit** | \\[x\\](y) |",
    "|:--|:--|",
    "| Model | a\\|b |",
    "| Mode | edit |",
    "| Context | ███░░░░░░░ 34% (68k of 200k) |",
    "| Session | \\$0.43 (9.2k in / 310 out) |",
    "| Today | \\$0.43 (9.2k in / 310 out) |",
    "| Cache hits | 87% |",
    "| To review | 2 hunks in 1 file |",
    "",
    "[$(debug-stop) Stop](command:kit.stop) · [$(diff-multiple) Review](command:kit.review.open) · [Usage](command:kit.usage) · [Log](command:kit.log)",
  ].join("\n"));
});
