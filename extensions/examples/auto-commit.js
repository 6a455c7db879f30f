// @ts-check
// Auto commit: at the end of a turn, commits the files that the turn changed, and only those, with a message that the
// model writes. Off until the command turns it on for a session.

export const description = "Commits what a turn changed";
export const permissions = { exec: ["git *"] };

/** @type {import("../sdk/js/kit-extension").Extension} */
export default function (kit) {
  /** Files that the running turn of each session changed. @type {Map<string, Set<string>>} */
  const changed = new Map();

  const git = async (/** @type {any} */ ctx, /** @type {string} */ command) => {
    const { exitCode, stdout, stderr } = await ctx.exec.run({ command: `git ${command}` });
    if (exitCode !== 0) throw new Error(`git ${command.split(" ")[0]} failed: ${stderr.trim() || stdout.trim()}`);
    return stdout.trim();
  };
  const quoted = (/** @type {string} */ text) => `'${text.replaceAll("'", "'\\''")}'`;

  kit.onAgentStart((_, ctx) => { changed.set(ctx.sessionId, new Set()); });

  kit.onToolResult((event, ctx) => {
    if (event.isError || event.toolKind !== "edit") return;
    const { path } = JSON.parse(event.input);
    if (path) changed.get(ctx.sessionId)?.add(path);
  });

  kit.onAgentEnd(async (event, ctx) => {
    const files = [...(changed.get(ctx.sessionId) ?? [])];
    changed.delete(ctx.sessionId);
    if (ctx.getState("auto-commit") !== "on" || files.length === 0 || event.stopReason === "error") return;
    const paths = files.map(quoted).join(" ");
    try {
      await git(ctx, `add -- ${paths}`);
      const diff = await git(ctx, `diff --cached --stat -- ${paths}`);
      if (diff === "") return;
      const message = await messageFor(ctx, diff, event.response);
      await git(ctx, `commit --quiet -m ${quoted(message)} -- ${paths}`);
      ctx.printInfo(`Committed ${await git(ctx, "rev-parse --short HEAD")}: ${message.split("\n")[0]}`);
    } catch (error) {
      ctx.printError(`Nothing was committed: ${/** @type {Error} */ (error).message}`);
    }
  });

  const messageFor = async (/** @type {any} */ ctx, /** @type {string} */ diff, /** @type {string} */ response) => {
    const { text } = await ctx.complete({
      system: "You write commit messages: one line in the imperative, at most 70 characters, no quotes, nothing else.",
      prompt: `What was done:\n${response.slice(0, 2000)}\n\nFiles:\n${diff.slice(0, 2000)}`,
      maxTokens: 60,
    });
    return text.trim().split("\n")[0]?.slice(0, 72) || "Changes of the agent";
  };

  kit.registerCommand({
    name: "auto-commit",
    description: "Commits after each turn: on or off",
    complete: (prefix) => ["on", "off"].filter((word) => word.startsWith(prefix)),
    async execute(args, ctx) {
      const next = args.trim() || (ctx.getState("auto-commit") === "on" ? "off" : "on");
      if (next !== "on" && next !== "off") throw new Error("say on or off");
      if (next === "on") await git(ctx, "rev-parse --git-dir");
      await ctx.setState("auto-commit", next);
      return `Commits after each turn are ${next}.`;
    },
  });
}
