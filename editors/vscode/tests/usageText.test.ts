import assert from "node:assert/strict";
import { test } from "node:test";
import type { Status, UsageAnswer } from "../src/protocol.ts";
import { usageReport } from "../src/usageText.ts";

const tokens = { inputTokens: 1200, outputTokens: 310, cacheReadTokens: 8000, cacheWriteTokens: 0, costMicros: 430_000, costKind: "priced" } as const;
const call = { call: 1, step: 0, provider: "p", model: "m|x", ...tokens };

test("the report tells the context, the budget, the sums and each call", () => {
  const usage: UsageAnswer = { today: tokens, session: tokens, context: { used: 17_900, window: 200_000, estimated: true }, calls: [call] };
  const status = { usage: { budget: { limitMicros: 5_000_000, usedMicros: 860_000, scope: "day" } } } as Status;
  assert.equal(usageReport(usage, status), `# Kit Usage

- Context: about 17.9k of 200k tokens (9%)
- Budget: \\$0.86/\\$5.00 per day

| Total | Sent | Cached | Answered | Cost |
|:--|--:|--:|--:|--:|
| Session | 9.2k | 87% | 310 | \\$0.43 |
| Today | 9.2k | 87% | 310 | \\$0.43 |

## Calls of this session, those of its subagents included

| Call and model | Sent | Cached | Answered | Cost |
|:--|--:|--:|--:|--:|
| 1. p/m\\|x | 9.2k | 87% | 310 | \\$0.43 |
`);
});

test("what has no price says so and is not shown as zero", () => {
  const report = usageReport({ today: { ...tokens, costKind: "subscription" }, calls: [] }, undefined);
  assert.match(report, /\| Today \|.*\| subscription \|/);
  assert.doesNotMatch(report, /Calls of this session|Budget|Context/);
});
