// @ts-check
// Project rules: Markdown files in .kit/rules that are given to the model when they apply.
//
// A rule may begin with front matter: `globs: src/**/*.ts, *.md` makes it apply once the agent touches such a file;
// without globs it applies always.

export const description = "Gives the model the rules of .kit/rules that apply";
export const permissions = { fs: { read: [".kit/rules"] } };

const FOLDER = ".kit/rules";

/** @typedef {{ name: string, globs: string[], text: string }} Rule */

/** @type {import("../sdk/js/kit-extension").Extension} */
export default function (kit) {
  const rules = async (/** @type {any} */ ctx) => {
    if (!(await ctx.fs.stat(FOLDER)).exists) return [];
    /** @type {Rule[]} */
    const found = [];
    for (const { name, kind } of await ctx.fs.list(FOLDER)) {
      if (kind !== "file" || !name.endsWith(".md")) continue;
      found.push(parsed(name.slice(0, -3), (await ctx.fs.read(`${FOLDER}/${name}`)).text));
    }
    return found.sort((a, b) => a.name.localeCompare(b.name));
  };
  const shown = (/** @type {Rule[]} */ list) => list.map(({ name, text }) => `## Rule: ${name}\n\n${text}`).join("\n\n");

  /** Rules that the running turn of each session has seen. @type {Map<string, Set<string>>} */
  const seen = new Map();

  kit.onBeforeAgentStart(async (_, ctx) => {
    const always = (await rules(ctx)).filter(({ globs }) => globs.length === 0);
    seen.set(ctx.sessionId, new Set(always.map(({ name }) => name)));
    if (always.length > 0) return { systemPrompt: `# Rules of this project\n\n${shown(always)}` };
  });

  // A rule with globs comes with the first result that is about such a file.
  kit.onToolResult(async (event, ctx) => {
    if (event.isError || !["read", "edit"].includes(event.toolKind)) return;
    const { path } = JSON.parse(event.input);
    if (!path) return;
    const known = seen.get(ctx.sessionId) ?? new Set();
    seen.set(ctx.sessionId, known);
    const due = (await rules(ctx)).filter(({ name, globs }) => !known.has(name) && globs.some((glob) => matches(glob, path)));
    if (due.length === 0) return;
    for (const { name } of due) known.add(name);
    return { content: `${event.content}\n\nRules for this file:\n\n${shown(due)}` };
  });

  kit.registerCommand({
    name: "rules",
    description: "Lists the rules of this project",
    async execute(_, ctx) {
      const list = await rules(ctx);
      if (list.length === 0) return `No rules: put Markdown files into ${FOLDER}.`;
      return list.map(({ name, globs }) => `${name}: ${globs.length ? globs.join(", ") : "always"}`).join("\n");
    },
  });
}

/** @param {string} name @param {string} source @returns {Rule} */
function parsed(name, source) {
  const found = /^---\n([\s\S]*?)\n---\n?/.exec(source);
  const globs = /^globs:\s*(.*)$/m.exec(found?.[1] ?? "")?.[1] ?? "";
  const list = globs.replace(/^\[|\]$/g, "").split(",").map((glob) => glob.trim().replace(/^["']|["']$/g, ""));
  return { name, globs: list.filter(Boolean), text: source.slice(found?.[0].length ?? 0).trim() };
}

/** @param {string} glob @param {string} path */
function matches(glob, path) {
  const subject = glob.includes("/") ? path.replace(/^\.\//, "") : path.slice(path.lastIndexOf("/") + 1);
  const pattern = glob.split(/(\*\*\/|\*\*|\*)/).map((part) =>
    part === "**/" ? "(?:.*/)?" : part === "**" ? ".*" : part === "*" ? "[^/]*" : part.replace(/[.+^${}()|[\]\\?]/g, "\\$&"));
  return new RegExp(`(?:^|/)${pattern.join("")}$`).test(subject);
}
