// @ts-check
// Usage budget: shows what the session has cost, warns at a share of the budget, and stops new prompts behind it.

export const description = "A budget in dollars for each session";

/** @type {import("../sdk/js/kit-extension").Extension} */
export default function (kit) {
  kit.registerOption({ name: "budget-usd", description: "What a session may cost; 0 for no limit", default: "5" });
  kit.registerOption({ name: "budget-warn-at", description: "The share of the budget at which to warn", default: "0.8" });

  // What the session spent is the host's to know: it counts subagents and completions of extensions, too.
  const spent = async (/** @type {any} */ ctx) => (await ctx.getSessionUsage()).totalCost;
  const budget = (/** @type {any} */ ctx) => Number(ctx.getState("budget") ?? ctx.getOption("budget-usd")) || 0;
  const dollars = (/** @type {number} */ value) => `$${value.toFixed(value < 1 ? 3 : 2)}`;

  const show = (/** @type {any} */ ctx, /** @type {number} */ now) => {
    const limit = budget(ctx);
    ctx.setStatus("budget", limit > 0 ? `${dollars(now)} of ${dollars(limit)}` : dollars(now), 50);
  };

  kit.onSessionStart(async (_, ctx) => show(ctx, await spent(ctx)));

  kit.onLLMUsage(async (event, ctx) => {
    const [now, limit] = [await spent(ctx), budget(ctx)];
    show(ctx, now);
    if (limit <= 0) return;
    const before = now - event.cost;
    const warnAt = limit * Number(ctx.getOption("budget-warn-at"));
    if (before < warnAt && now >= warnAt && now < limit) {
      ctx.printInfo(`${dollars(now)} of the ${dollars(limit)} for this session are spent.`);
    }
    if (before < limit && now >= limit) {
      ctx.printError(`The budget of ${dollars(limit)} is spent; the turn is stopped. \`/budget ${Math.ceil(limit * 2)}\` allows more.`);
      ctx.abort();
    }
  });

  kit.onInput(async (event, ctx) => {
    const limit = budget(ctx);
    if (limit <= 0 || event.text.startsWith("/") || (await spent(ctx)) < limit) return;
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
      }
      const [now, limit] = [await spent(ctx), budget(ctx)];
      show(ctx, now);
      return limit > 0 ? `${dollars(now)} of ${dollars(limit)} spent.` : `${dollars(now)} spent, no limit.`;
    },
  });
}
