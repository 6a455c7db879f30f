// @ts-check
// Usage budget: shows what the session has cost, warns at a share of the budget, and stops new prompts behind it.

export const description = "A budget in dollars for each session";

/** @type {import("../sdk/js/kit-extension").Extension} */
export default function (kit) {
  kit.registerOption({ name: "budget-usd", description: "What a session may cost; 0 for no limit", default: "5" });
  kit.registerOption({ name: "budget-warn-at", description: "The share of the budget at which to warn", default: "0.8" });

  const spent = (/** @type {any} */ ctx) => Number(ctx.getState("spent") ?? 0);
  const budget = (/** @type {any} */ ctx) => Number(ctx.getState("budget") ?? ctx.getOption("budget-usd")) || 0;
  const dollars = (/** @type {number} */ value) => `$${value.toFixed(value < 1 ? 3 : 2)}`;

  const show = (/** @type {any} */ ctx) => {
    const limit = budget(ctx);
    ctx.setStatus("budget", limit > 0 ? `${dollars(spent(ctx))} of ${dollars(limit)}` : dollars(spent(ctx)), 50);
  };

  // Writes go one after another, so that two calls that end together are both counted.
  let saving = Promise.resolve();
  const add = (/** @type {any} */ ctx, /** @type {number} */ cost) =>
    (saving = saving.then(() => ctx.setState("spent", String(spent(ctx) + cost))));

  kit.onSessionStart((_, ctx) => show(ctx));

  kit.onLLMUsage(async (event, ctx) => {
    const before = spent(ctx);
    await add(ctx, event.cost);
    const [now, limit] = [spent(ctx), budget(ctx)];
    show(ctx);
    const warnAt = limit * Number(ctx.getOption("budget-warn-at"));
    if (limit > 0 && before < warnAt && now >= warnAt && now < limit) {
      ctx.printInfo(`${dollars(now)} of the ${dollars(limit)} for this session are spent.`);
    }
    if (limit > 0 && before < limit && now >= limit) {
      ctx.printError(`The budget of ${dollars(limit)} is spent; the turn is stopped. \`/budget ${Math.ceil(limit * 2)}\` allows more.`);
      ctx.abort();
    }
  });

  kit.onInput((event, ctx) => {
    const limit = budget(ctx);
    if (limit <= 0 || spent(ctx) < limit || event.text.startsWith("/")) return;
    return { action: "handled", text: `The budget of ${dollars(limit)} for this session is spent. \`/budget AMOUNT\` allows more.` };
  });

  kit.registerCommand({
    name: "budget",
    description: "Shows the budget of this session, or sets it in dollars",
    async execute(args, ctx) {
      const text = args.trim().replace(/^\$/, "");
      if (text !== "") {
        const amount = Number(text);
        if (!Number.isFinite(amount) || amount < 0) throw new Error(`${text} is no amount of dollars`);
        await ctx.setState("budget", String(amount));
        show(ctx);
      }
      const limit = budget(ctx);
      return limit > 0 ? `${dollars(spent(ctx))} of ${dollars(limit)} spent.` : `${dollars(spent(ctx))} spent, no limit.`;
    },
  });
}
