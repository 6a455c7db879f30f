// @ts-check
// Plan mode: the agent reads and plans until the user approves; only then may it change anything.

export const description = "Read-only planning, with an approval before the work begins";

const READ_ONLY = ["read", "search", "agent"];
const INSTRUCTIONS =
  "You are in plan mode. Read and search as much as you need, change nothing, and end with a numbered plan: " +
  "each step with the files that it touches and how you will know that it worked. Ask where something is not clear.";

/** @type {import("../sdk/js/kit-extension").Extension} */
export default function (kit) {
  const on = (/** @type {any} */ ctx) => ctx.getState("plan") === "on";

  const show = (/** @type {any} */ ctx) => {
    if (on(ctx)) ctx.setStatus("plan", "plan mode", 10);
    else ctx.removeStatus("plan");
  };

  kit.onSessionStart((_, ctx) => show(ctx));

  kit.registerCommand({
    name: "plan",
    description: "Turns plan mode on or off; with a text, turns it on and sends the text",
    complete: (prefix) => ["on", "off"].filter((word) => word.startsWith(prefix)),
    async execute(args, ctx) {
      const text = args.trim();
      const next = text === "off" || (text === "" && on(ctx)) ? "off" : "on";
      await ctx.setState("plan", next);
      show(ctx);
      if (text !== "" && text !== "on" && text !== "off") ctx.sendMessage(text);
      return next === "on" ? "Plan mode: nothing is changed until you approve a plan." : "Plan mode is off.";
    },
  });
  kit.registerShortcut({ key: "ctrl+alt+p", description: "Plan mode" }, async (ctx) => {
    await ctx.setState("plan", on(ctx) ? "off" : "on");
    show(ctx);
    return `Plan mode is ${on(ctx) ? "on" : "off"}.`;
  });

  kit.onBeforeAgentStart((_, ctx) => (on(ctx) ? { systemPrompt: INSTRUCTIONS } : undefined));

  kit.onToolCall((event, ctx) => {
    if (!on(ctx) || READ_ONLY.includes(event.toolKind)) return;
    return { block: true, reason: `plan mode is on: ${event.toolName} would change something. Finish the plan first.` };
  }, { onError: "block" });

  // A turn that ends in a plan asks what to do with it. The turn itself is over and waits for nobody.
  kit.onAgentEnd(async (event, ctx) => {
    if (!on(ctx) || !ctx.interactive || event.stopReason === "error" || !/^\s*1[.)]\s/m.test(event.response)) return;
    const answer = await ctx.promptSelect({ message: "The plan is ready.", options: ["Carry it out", "Refine it", "Leave it"] });
    if (answer.cancelled || answer.index === 2) return;
    if (answer.index === 1) {
      const change = await ctx.promptInput({ message: "What should be different?" });
      if (!change.cancelled && change.value) ctx.sendMessage(change.value);
      return;
    }
    await ctx.setState("plan", "off");
    show(ctx);
    ctx.sendMessage("The plan is approved. Carry it out step by step.");
  });
}
