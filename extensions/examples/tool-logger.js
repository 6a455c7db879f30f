// @ts-check
// Tool logger: every tool call with its duration, as lines of JSON in a file of the workspace and as a summary.

export const description = "Writes every tool call to .kit/tool-log.jsonl";
export const permissions = { fs: { read: [".kit/tool-log.jsonl"], write: [".kit/tool-log.jsonl"] } };

const FILE = ".kit/tool-log.jsonl";
/** So many lines are kept. */
const KEPT = 2000;

/** @type {import("../sdk/js/kit-extension").Extension} */
export default function (kit) {
  /** @type {Map<string, number>} */
  const began = new Map();
  /** @type {string[]} */
  let waiting = [];
  let writing = false;

  // Lines that come while the file is written go out together with the next ones.
  const flush = async (/** @type {any} */ ctx) => {
    if (writing) return;
    writing = true;
    try {
      while (waiting.length > 0) {
        const lines = waiting;
        waiting = [];
        const { exists } = await ctx.fs.stat(FILE);
        const old = exists ? (await ctx.fs.read(FILE)).text.split("\n").filter(Boolean) : [];
        await ctx.fs.write(FILE, `${[...old, ...lines].slice(-KEPT).join("\n")}\n`);
      }
    } finally {
      writing = false;
    }
  };

  kit.onToolExecutionStart((event) => { began.set(event.toolCallId, Date.now()); });

  kit.onToolResult((event, ctx) => {
    const start = began.get(event.toolCallId);
    began.delete(event.toolCallId);
    waiting.push(JSON.stringify({
      at: new Date().toISOString(),
      session: ctx.sessionId,
      tool: event.toolName,
      input: event.input.length > 500 ? `${event.input.slice(0, 500)}…` : event.input,
      ms: start === undefined ? undefined : Date.now() - start,
      error: event.isError || undefined,
      bytes: event.content.length,
    }));
    // The model does not wait for the log.
    flush(ctx).catch((error) => console.error("the tool log cannot be written:", error.message));
  });

  kit.registerCommand({
    name: "tool-log",
    description: "How often each tool was called, and how long it took",
    async execute(_, ctx) {
      if (!(await ctx.fs.stat(FILE)).exists) return "No tool was called yet.";
      const { text } = await ctx.fs.read(FILE);
      /** @type {Map<string, {calls: number, errors: number, ms: number}>} */
      const tools = new Map();
      for (const line of text.split("\n").filter(Boolean)) {
        const { tool, ms = 0, error } = JSON.parse(line);
        const sum = tools.get(tool) ?? { calls: 0, errors: 0, ms: 0 };
        tools.set(tool, { calls: sum.calls + 1, errors: sum.errors + (error ? 1 : 0), ms: sum.ms + ms });
      }
      const rows = [...tools].sort(([, a], [, b]) => b.calls - a.calls);
      return rows.map(([tool, { calls, errors, ms }]) => `${tool}: ${calls} calls, ${errors} failed, ${ms} ms`).join("\n");
    },
  });
}
