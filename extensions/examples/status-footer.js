// @ts-check
// Status footer: one line with the model, the fill of the context, the cost of the turn and the git branch.

export const description = "A footer with model, context, cost and branch";
export const permissions = { exec: ["git branch *"] };

/** @type {import("../sdk/js/kit-extension").Extension} */
export default function (kit) {
  kit.registerOption({ name: "footer-parts", description: "What the footer shows", default: "model, context, cost, branch" });

  let cost = 0;
  let branch = "";

  const bar = (/** @type {number} */ share) => "▰".repeat(Math.round(share * 10)).padEnd(10, "▱");
  const parts = (/** @type {any} */ ctx) => {
    const { usagePercent = 0, estimatedTokens = 0 } = ctx.getContextStats() ?? {};
    return {
      model: ctx.getCurrentModelId() || ctx.model,
      context: `${bar(usagePercent)} ${Math.round(usagePercent * 100)} % (${Math.round(estimatedTokens / 1000)}k)`,
      cost: cost > 0 ? `$${cost.toFixed(3)}` : "",
      branch: branch && `⎇ ${branch}`,
    };
  };
  const draw = (/** @type {any} */ ctx) => {
    const wanted = ctx.getOption("footer-parts").split(",").map((/** @type {string} */ part) => part.trim());
    const all = /** @type {Record<string, string>} */ (parts(ctx));
    const text = wanted.map((/** @type {string} */ part) => all[part] ?? "").filter(Boolean).join("  ·  ");
    ctx.setFooter({ content: { text } });
  };

  kit.onSessionStart(async (_, ctx) => {
    cost = 0;
    draw(ctx);
    try {
      branch = (await ctx.exec.run({ command: "git branch --show-current" })).stdout.trim();
    } catch {
      // Without the permission, or without git, there is no branch to show.
    }
    draw(ctx);
  });
  kit.onAgentStart((_, ctx) => {
    cost = 0;
    draw(ctx);
  });
  kit.onLLMUsage((event, ctx) => {
    cost += event.cost;
    draw(ctx);
  });
  kit.onModelChange((_, ctx) => draw(ctx));

  kit.registerCommand({
    name: "footer",
    description: "PART, PART…  chooses what the footer shows: model, context, cost, branch; nothing hides it",
    execute(args, ctx) {
      if (args.trim() === "") {
        ctx.removeFooter();
        return;
      }
      ctx.setOption("footer-parts", args);
      draw(ctx);
    },
  });
}
