import { test } from "kit:test";

test("every model call is counted and shown", async (t) => {
  await t.emit("llm_usage", { cost: 0.25 });
  await t.emit("llm_usage", { cost: 0.5 });
  await t.until((t) => t.state("spent") === "0.75", "the sum");
  t.hasStatus("budget", "$0.750 of $5.00");
});

test("it warns once, then stops the turn and takes no further prompt", async (t) => {
  t.option("budget-usd", "1");
  await t.emit("llm_usage", { cost: 0.85 });
  await t.emit("llm_usage", { cost: 0.05 });
  t.equal(t.printed.length, 1);
  t.hasPrinted("$0.850 of the $1.00");
  t.equal(await t.emit("input", { text: "go on" }), undefined);
  await t.emit("llm_usage", { cost: 0.2 });
  t.hasPrinted("the turn is stopped");
  t.equal(t.asked("abort").length, 1);
  t.handled(await t.emit("input", { text: "go on" }), "/budget");
});

test("the budget can be raised, also to no limit", async (t) => {
  await t.emit("llm_usage", { cost: 6 });
  t.handled(await t.emit("input", { text: "go on" }));
  t.match(await t.command("budget", "$10"), "$6.00 of $10.00");
  t.equal(await t.emit("input", { text: "go on" }), undefined);
  t.match(await t.command("budget", "0"), "no limit");
  await t.rejects(t.command("budget", "much"), "no amount");
});
