import { test } from "kit:test";

/** A model call that brings the session's cost to this. */
const paid = (t, cost, total) => {
  t.given("getSessionUsage", { totalCost: total });
  return t.emit("llm_usage", { cost });
};

test("what the session cost is shown after every model call", async (t) => {
  await paid(t, 0.25, 0.25);
  t.hasStatus("budget", "$0.250 of $5.00");
  await paid(t, 0.5, 0.75);
  t.hasStatus("budget", "$0.750 of $5.00");
});

test("it warns once, then stops the turn and takes no further prompt", async (t) => {
  t.option("budget-usd", "1");
  await paid(t, 0.85, 0.85);
  await paid(t, 0.05, 0.9);
  t.equal(t.printed.length, 1);
  t.hasPrinted("$0.850 of the $1.00");
  t.equal(await t.emit("input", { text: "go on" }), undefined);
  await paid(t, 0.2, 1.1);
  t.hasPrinted("the turn is stopped");
  t.equal(t.asked("abort").length, 1);
  t.handled(await t.emit("input", { text: "go on" }), "/budget");
});

test("the budget can be raised, also to no limit", async (t) => {
  await paid(t, 6, 6);
  t.handled(await t.emit("input", { text: "go on" }));
  t.match(await t.command("budget", "$10"), "$6.00 of $10.00");
  t.equal(await t.emit("input", { text: "go on" }), undefined);
  t.match(await t.command("budget", "0"), "no limit");
  await t.rejects(t.command("budget", "much"), "no amount");
});
