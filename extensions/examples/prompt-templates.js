// @ts-check
// Prompt templates: `/review src/a.rs` and the like, from a list in this file that you make your own.
//
// `$1`, `$2`, … are the words behind the name, `$@` all of them, `{{branch}}` the git branch, and
// `<if-model is="claude-*">…<else>…</if-model>` is decided by the model of the session.

export const description = "Prompts with a name";
export const permissions = { exec: ["git branch *"] };

/** @type {Record<string, { about: string, text: string }>} */
const TEMPLATES = {
  review: {
    about: "FILE…  reviews files",
    text: "Review $@. Look for wrong results first, then for unclear code. Name each finding with file and line, the worst first. Change nothing.",
  },
  test: {
    about: "FILE  writes missing tests",
    text: "Write the tests that are missing for $1. Read its neighbours first and write as they do. Run them at the end.",
  },
  explain: {
    about: "FILE [WHAT]  explains",
    text: "Explain $1 to somebody who is new here: what it is for, what it promises, where to change it. Focus: ${2:-the whole}.",
  },
  pr: {
    about: "describes the branch",
    text: 'Describe the changes of the branch {{branch}} for a reviewer.<if-model is="claude-*, gpt-*"> Be brief.<else> Use at most ten sentences.</if-model>',
  },
};

/** @type {import("../sdk/js/kit-extension").Extension} */
export default function (kit) {
  for (const [name, { about, text }] of Object.entries(TEMPLATES)) {
    const needs = [...text.matchAll(/\$([1-9])/g)].length > 0 || text.includes("$@");
    kit.registerCommand({
      name,
      description: about,
      async execute(args, ctx) {
        if (needs && args.trim() === "") throw new Error(`/${name} ${about.split("  ")[0]}: something is missing`);
        ctx.sendMessage(ctx.renderWithModelConditionals(await filled(text, args, ctx)));
      },
    });
  }
}

/** @param {string} text @param {string} args @param {any} ctx */
async function filled(text, args, ctx) {
  const [all = "", ...words] = ctx.simpleParseArguments(args.trim(), 9);
  const put = text
    .replace(/\$\{(\d):-([^}]*)\}/g, (_, at, otherwise) => words[Number(at) - 1] || otherwise)
    .replace(/\$([1-9])/g, (_, at) => words[Number(at) - 1] ?? "")
    .replaceAll("$@", () => all);
  if (!put.includes("{{branch}}")) return put;
  const { stdout } = await ctx.exec.run({ command: "git branch --show-current" });
  return put.replaceAll("{{branch}}", stdout.trim() || "that is checked out");
}
