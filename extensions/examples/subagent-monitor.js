// @ts-check
// Subagent monitor: a widget with what each subagent does, and commands to start one in the background and to stop it.

export const description = "Shows what subagents do, and runs them in the background";

/** @typedef {{ task: string, state: string, tools: number, began: number }} Run */

/** @type {import("../sdk/js/kit-extension").Extension} */
export default function (kit) {
  /** @type {Map<string, Run>} */
  const runs = new Map();
  /** @type {Map<string, import("../sdk/js/kit-extension").Subagent>} */
  const own = new Map();
  let count = 0;

  const short = (/** @type {string} */ text, length = 50) => (text.length > length ? `${text.slice(0, length - 1)}…` : text).replaceAll("\n", " ");
  const draw = (/** @type {any} */ ctx) => {
    if (runs.size === 0) {
      ctx.removeWidget("subagents");
      return;
    }
    const lines = [...runs].map(([id, { task, state, tools }]) => `${own.has(id) ? `${id} ` : ""}${short(task)}: ${state}, ${tools} tool calls`);
    ctx.setWidget({ id: "subagents", placement: "above", content: { text: lines.join("\n") }, priority: 20 });
  };

  // Those that the model started.
  kit.onSubagentStart((event, ctx) => {
    runs.set(event.toolCallId, { task: event.task, state: "working", tools: 0, began: Date.now() });
    draw(ctx);
  });
  kit.onSubagentChunk((event, ctx) => {
    const run = runs.get(event.toolCallId);
    if (!run || event.chunkType !== "tool_execution_start") return;
    run.tools += 1;
    run.state = event.toolName;
    draw(ctx);
  });
  kit.onSubagentEnd((event, ctx) => {
    runs.delete(event.toolCallId);
    draw(ctx);
  });

  // Those that the user started.
  kit.registerCommand({
    name: "background",
    description: "TASK  lets a subagent work on a task while you go on",
    async execute(args, ctx) {
      const task = args.trim();
      if (task === "") throw new Error("/background TASK: the task is missing");
      const id = `#${++count}`;
      const run = { task, state: "starting", tools: 0, began: Date.now() };
      runs.set(id, run);
      draw(ctx);
      try {
        const subagent = await ctx.spawnSubagent({
          prompt: task,
          onEvent(event) {
            if (event.type !== "tool_execution_start") return;
            run.tools += 1;
            run.state = event.toolName;
            draw(ctx);
          },
        });
        own.set(id, subagent);
        // A run without an editor ends with its command, and everything in the background with it.
        if (!ctx.interactive) {
          const result = await subagent.wait();
          finished(ctx, id, result.error || result.response, result.error !== "");
          return;
        }
        subagent.wait().then((result) => finished(ctx, id, result.error || result.response, result.error !== ""), (error) => finished(ctx, id, error.message, true));
      } catch (error) {
        runs.delete(id);
        draw(ctx);
        throw error;
      }
      return `Subagent ${id} works on it.`;
    },
  });
  const finished = (/** @type {any} */ ctx, /** @type {string} */ id, /** @type {string} */ text, /** @type {boolean} */ failed) => {
    const task = runs.get(id)?.task ?? "";
    runs.delete(id);
    own.delete(id);
    draw(ctx);
    ctx.printBlock({ text, subtitle: `${failed ? "failed" : "done"}: ${short(task, 70)}`, borderColor: failed ? "red" : "green" });
  };

  kit.registerCommand({
    name: "stop-background",
    description: "ID  ends a subagent that works in the background",
    complete: (prefix) => [...own.keys()].filter((id) => id.startsWith(prefix)),
    execute(args) {
      const id = args.trim();
      const subagent = own.get(id);
      if (!subagent) throw new Error(own.size === 0 ? "no subagent works in the background" : `there is no ${id || "such subagent"}; there are ${[...own.keys()].join(", ")}`);
      subagent.kill();
      return `Subagent ${id} is ended.`;
    },
  });
}
