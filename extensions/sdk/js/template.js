// @ts-check
// What this extension does, in one sentence.
//
// It is live as soon as it is saved, and live again after each change. `kit-ls extensions test` runs the test beside it.

export const description = "Says hello, and counts how often";
// What it may reach outside of the agent; the user is asked once. Nothing is needed here:
// export const permissions = { exec: ["git *"], http: ["api.github.com"], fs: { read: ["docs"], write: ["docs"] } };

/** @param {import("./types/kit-extension").Kit} kit */
export default function (kit) {
  kit.registerOption({ name: "greeting", description: "How it greets", default: "Hello" });

  // A tool is for the model.
  kit.registerTool({
    name: "greet",
    description: "Greets somebody by name. Use it when the user asks for a greeting.",
    kind: "read",
    parameters: {
      type: "object",
      properties: { name: { type: "string", description: "Who is greeted" } },
      required: ["name"],
    },
    async execute({ name }, ctx) {
      const count = Number(ctx.getState("count") ?? 0) + 1;
      await ctx.setState("count", String(count));
      return `${ctx.getOption("greeting")}, ${name}! That was greeting number ${count}.`;
    },
  });

  // A command is for people.
  kit.registerCommand({
    name: "greetings",
    description: "How often somebody was greeted",
    execute: (_, ctx) => `${ctx.getState("count") ?? 0} greetings in this session.`,
  });

  // A handler takes part in what the agent does.
  kit.onToolCall((event) => {
    if (event.toolName === "bash" && event.input.includes("rm -rf /")) {
      return { block: true, reason: "that would remove everything" };
    }
  }, { onError: "block" });
}
