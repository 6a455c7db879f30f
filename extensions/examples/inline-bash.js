// @ts-check
// Inline bash: `!{command}` in a prompt is replaced by what the command prints, and a prompt that begins with `!` runs
// as a command and never reaches the model.

export const description = "Shell commands in prompts: !{command}, and ! at the beginning";
// What may run is yours to choose. These only read; `kit-ls extensions grant` shows them before anything runs.
export const permissions = { exec: ["git *", "ls *", "cat *", "head *", "tail *", "wc *", "rg *", "find *", "date *", "uname *"] };

/** Characters of output that go into a prompt. */
const LIMIT = 20_000;

/** @type {import("../sdk/js/kit-extension").Extension} */
export default function (kit) {
  const run = async (/** @type {any} */ ctx, /** @type {string} */ command) => {
    const { stdout, stderr, exitCode, timedOut } = await ctx.exec.run({ command, timeoutMs: 30_000 });
    const text = [stdout, stderr].filter(Boolean).join("\n").trimEnd();
    const cut = text.length > LIMIT ? `${text.slice(0, LIMIT)}\n[… ${text.length - LIMIT} characters left out]` : text;
    const end = timedOut ? "\n[ended after 30 seconds]" : exitCode !== 0 ? `\n[exit code ${exitCode}]` : "";
    return cut + end;
  };

  kit.onInput(async (event, ctx) => {
    const alone = /^!(?!\{)\s*(.+)$/s.exec(event.text);
    if (alone) {
      const [, command = ""] = alone;
      try {
        return { action: "handled", text: `$ ${command}\n${await run(ctx, command)}` };
      } catch (error) {
        return { action: "handled", text: `$ ${command}\n${/** @type {Error} */ (error).message}` };
      }
    }
    const found = [...event.text.matchAll(/!\{([^{}]+)\}/g)];
    if (found.length === 0) return;
    const outputs = await Promise.all(found.map(([, command = ""]) => run(ctx, command).catch((error) => `[${command}: ${error.message}]`)));
    let at = 0;
    return { action: "transform", text: event.text.replace(/!\{([^{}]+)\}/g, () => outputs[at++] ?? "") };
  });
}
