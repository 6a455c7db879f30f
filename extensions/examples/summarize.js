// @ts-check
// Summarize: `/summarize` writes what the session did as notes for whoever goes on, without the agent's tools.

export const description = "Summaries of the session, on demand";
export const permissions = { fs: { write: ["docs/sessions"] } };

const SYSTEM =
  "You summarize work sessions for a colleague who continues. Sections: Goal, Done, Open, Decisions, Files. " +
  "Facts only, short sentences, names of files and functions as they are.";
/** Characters of the conversation that are sent. */
const LIMIT = 60_000;

/** @type {import("../sdk/js/kit-extension").Extension} */
export default function (kit) {
  kit.registerCommand({
    name: "summarize",
    description: "Summarizes the session; with a file name, writes the summary to docs/sessions",
    codeAction: { title: "Kit: summarize the session", kind: "source" },
    async execute(args, ctx) {
      const messages = (await ctx.getMessages()).filter(({ role, content }) => role !== "system" && content.trim() !== "");
      if (messages.length === 0) return "There is nothing to summarize yet.";
      const whole = messages.map(({ role, content }) => `[${role}]\n${content}`).join("\n\n");
      // The beginning says what was wanted and the end where things stand; the middle can go.
      const text = whole.length <= LIMIT ? whole : `${whole.slice(0, LIMIT / 4)}\n\n[… left out …]\n\n${whole.slice(-LIMIT * 3 / 4)}`;
      ctx.setStatus("summarize", "summarizing…", 20);
      try {
        let length = 0;
        const answer = await ctx.complete({
          system: SYSTEM,
          prompt: `Summarize this session:\n\n${text}`,
          onChunk: (chunk) => {
            length += chunk.length;
            ctx.setStatus("summarize", `summarizing… ${length} characters`, 20);
          },
        });
        await ctx.appendEntry("summary", answer.text);
        const file = args.trim();
        if (file === "") return answer.text;
        const path = `docs/sessions/${file.replace(/\.md$/, "").replace(/[^\w.-]+/g, "-").replace(/^[.-]+/, "") || "summary"}.md`;
        await ctx.fs.write(path, `${answer.text.trim()}\n`);
        return `Written to ${path}.`;
      } finally {
        ctx.removeStatus("summarize");
      }
    },
  });

  // A compaction takes the newest summary instead of paying for another one, if nothing much came after it.
  kit.onBeforeCompact(async (event, ctx) => {
    const last = (await ctx.getEntries("summary")).at(-1);
    if (!last) return;
    const after = (await ctx.getMessages()).filter(({ timestamp }) => timestamp > last.timestamp);
    if (after.length <= 2) return { cancel: false, summary: last.data };
  });
}
