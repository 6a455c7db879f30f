import assert from "node:assert/strict";
import { test } from "node:test";
import { baseName, cost, count, duration, elideMiddle, money, usageLine, withoutLinks } from "../src/format.ts";
import type { UsageTotals } from "../src/protocol.ts";

const usage = (fields: Partial<UsageTotals>): UsageTotals => ({
  inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0, costKind: "priced", ...fields,
});

test("money has cents, and more digits below one cent", () => {
  assert.deepEqual([0, 900, 10_000, 61_000, 4_610_000].map(money), ["$0.00", "$0.0009", "$0.01", "$0.06", "$4.61"]);
});

test("an unknown price, a subscription and a free model have no cost", () => {
  assert.equal(cost(usage({ costMicros: 61_000 })), "$0.06");
  assert.equal(cost(usage({ costMicros: 61_000, costKind: "subscription" })), undefined);
  assert.equal(cost(usage({ costKind: "unknown" })), undefined);
  assert.equal(cost(usage({ costMicros: 0 })), undefined);
  assert.equal(cost(undefined), undefined);
});

test("token counts are short", () => {
  assert.deepEqual([7, 999, 1000, 18_240, 200_000, 999_600, 1_000_000].map(count), ["7", "999", "1k", "18.2k", "200k", "1M", "1M"]);
});

test("durations name at most two units", () => {
  assert.deepEqual([12, 1400, 14_000, 72_000, 3_700_000].map(duration), ["12 ms", "1.4 s", "14 s", "1m12s", "1h01m"]);
});

test("the usage line tells the share that came from the cache", () => {
  assert.equal(usageLine(usage({ inputTokens: 1200, cacheReadTokens: 8000, outputTokens: 310, costMicros: 61_000 })), "9.2k in (87% cached) / 310 out · $0.06");
  assert.equal(usageLine(usage({ inputTokens: 40, outputTokens: 2, costKind: "unknown" })), "40 in / 2 out");
});

test("long names lose their middle, counted in characters", () => {
  assert.equal(elideMiddle("edit parser.rs", 28), "edit parser.rs");
  assert.equal(elideMiddle("edit a_very_long_file_name_indeed.rs", 20), "edit a_ver…indeed.rs");
  assert.equal(elideMiddle("😀".repeat(9), 5), "😀😀…😀😀");
});

test("a base name is decoded where it can be", () => {
  assert.equal(baseName("file:///a/with%20space.rs"), "with space.rs");
  assert.equal(baseName("file:///a/100%.rs"), "100%.rs");
});

test("a link to a command stays text", () => {
  assert.equal(withoutLinks("run [ok](command:evil)?"), "run [ok]\u200b(command:evil)?");
});
