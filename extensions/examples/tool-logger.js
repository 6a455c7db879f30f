// @ts-check
// Tool logger: every tool call with its duration, as an entry of the session's file that no model sees, and as a summary.

export const description = "Keeps every tool call with its duration";

const TYPE = "tool-log";
/** Characters of an input that are kept. */
const LIMIT = 500;

/** @type {import("../sdk/js/kit-extension").Extension} */
export default function (kit) {
  /** @type {Map<string, number>} */
  const began = new Map();

  // A quick tool is done before its start is told; then the time since the call counts.
  const begins = (/** @type {{ toolCallId: string }} */ event) => { began.set(event.toolCallId, Date.now()); };
  kit.onToolCall((event) => begins(event));
  kit.onToolExecutionStart((event) => { if (began.has(event.toolCallId)) begins(event); });

  kit.onToolResult((event, ctx) => {
    const start = began.get(event.toolCallId);
    began.delete(event.toolCallId);
    const line = {
      tool: event.toolName,
      input: event.input.length > LIMIT ? `${event.input.slice(0, LIMIT)}…` : event.input,
      ms: start === undefined ? undefined : Date.now() - start,
      error: event.isError || undefined,
      bytes: event.content.length,
    };
    // The model does not wait for the log.
    ctx.appendEntry(TYPE, JSON.stringify(line)).catch((error) => console.error("a tool call is not logged:", error.message));
  });

  kit.registerCommand({
    name: "tool-log",
    description: "How often each tool was called in this session, and how long it took",
    async execute(_, ctx) {
      /** @type {Map<string, { calls: number, errors: number, ms: number }>} */
      const tools = new Map();
      for (const { data } of await ctx.getEntries(TYPE)) {
        const { tool, ms = 0, error } = JSON.parse(data);
        const sum = tools.get(tool) ?? { calls: 0, errors: 0, ms: 0 };
        tools.set(tool, { calls: sum.calls + 1, errors: sum.errors + (error ? 1 : 0), ms: sum.ms + ms });
      }
      if (tools.size === 0) return "No tool was called yet.";
      const rows = [...tools].sort(([, a], [, b]) => b.calls - a.calls);
      return rows.map(([tool, { calls, errors, ms }]) => `${tool}: ${calls} ${calls === 1 ? "call" : "calls"}, ${errors} failed, ${ms} ms`).join("\n");
    },
  });
}
