// @ts-check
// Bookmarks: names for places in the session, kept in its file, to go back to.

export const description = "Names for places in the session";

/** @type {import("../sdk/js/kit-extension").Extension} */
export default function (kit) {
  /** Bookmarks by name; the newest of a name counts. @param {any} ctx @returns {Promise<Map<string, string>>} */
  const bookmarks = async (ctx) => {
    const names = new Map();
    for (const { data } of await ctx.getEntries("bookmark")) {
      const { name, target } = JSON.parse(data);
      if (target) names.set(name, target);
      else names.delete(name);
    }
    return names;
  };
  const known = async (/** @type {any} */ ctx, /** @type {string} */ prefix) => [...(await bookmarks(ctx)).keys()].filter((name) => name.startsWith(prefix));

  kit.registerCommand({
    name: "bookmark",
    description: "NAME  remembers this place of the session; without a name, lists the bookmarks",
    async execute(args, ctx) {
      const name = args.trim();
      if (name === "") {
        const names = [...(await bookmarks(ctx)).keys()];
        return names.length ? names.join("\n") : "No bookmarks yet: /bookmark NAME";
      }
      const here = (await ctx.getCurrentBranch()).at(-1);
      if (!here) throw new Error("the session is empty, there is no place to remember");
      await ctx.appendEntry("bookmark", JSON.stringify({ name, target: here.id }));
      return `Bookmark ${name} is set.`;
    },
  });

  kit.registerCommand({
    name: "goto",
    description: "NAME  goes back to a bookmark; what came after it stays in the tree",
    complete: (prefix, ctx) => known(ctx, prefix),
    async execute(args, ctx) {
      const names = await bookmarks(ctx);
      let name = args.trim();
      if (name === "") {
        if (names.size === 0) return "No bookmarks yet: /bookmark NAME";
        const answer = await ctx.promptSelect({ message: "Go back to", options: [...names.keys()] });
        if (answer.cancelled) return;
        name = answer.value;
      }
      const target = names.get(name);
      if (!target) throw new Error(`there is no bookmark ${name}`);
      const { success, error } = await ctx.navigateTo(target);
      if (!success) throw new Error(error ?? "it is not possible to go there");
      // The entry that remembered the name is behind the place; without this one it would be lost on this branch.
      await ctx.appendEntry("bookmark", JSON.stringify({ name, target }));
      return `Back at ${name}.`;
    },
  });

  kit.registerCommand({
    name: "unbookmark",
    description: "NAME  forgets a bookmark",
    complete: (prefix, ctx) => known(ctx, prefix),
    async execute(args, ctx) {
      const name = args.trim();
      if (!(await bookmarks(ctx)).has(name)) throw new Error(`there is no bookmark ${name}`);
      await ctx.appendEntry("bookmark", JSON.stringify({ name }));
      return `Bookmark ${name} is gone.`;
    },
  });
}
