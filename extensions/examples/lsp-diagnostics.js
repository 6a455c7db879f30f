// @ts-check
// Diagnostics: after an edit, runs the checker of the language and puts what it says about the file under the result,
// so that the model sees its mistake at once.

export const description = "Shows the model what the checker says about its edits";
export const permissions = { exec: ["cargo check *", "npx tsc *", "ruff check *", "go vet *", "luacheck *"] };

/** Checkers by the end of the file's name; `{file}` is the file.
 * @type {Record<string, string>} */
const CHECKERS = {
  rs: "cargo check --quiet --message-format short",
  ts: "npx tsc --noEmit --pretty false", tsx: "npx tsc --noEmit --pretty false",
  py: "ruff check --output-format concise {file}",
  go: "go vet ./...",
  lua: "luacheck --formatter plain {file}",
};
const LIMIT = 20;

/** @type {import("../sdk/js/kit-extension").Extension} */
export default function (kit) {
  kit.registerOption({ name: "diagnostics-timeout-ms", description: "How long a checker may run", default: "20000" });

  kit.onToolResult(async (event, ctx) => {
    if (event.isError || event.toolKind !== "edit") return;
    const { path = "" } = JSON.parse(event.input);
    const checker = CHECKERS[path.slice(path.lastIndexOf(".") + 1)];
    if (!checker) return;
    const file = `'${path.replaceAll("'", "'\\''")}'`;
    const timeoutMs = Number(ctx.getOption("diagnostics-timeout-ms"));
    let run;
    try {
      run = await ctx.exec.run({ command: checker.replace("{file}", file), timeoutMs });
    } catch (error) {
      console.warn(`no diagnostics: ${/** @type {Error} */ (error).message}`);
      return;
    }
    if (run.timedOut) return;
    const found = diagnostics(`${run.stdout}\n${run.stderr}`).filter((line) => concerns(line.file, path));
    const shown = found.slice(0, LIMIT).map(({ line, column, message }) => `${path}:${line}:${column}: ${message}`);
    ctx.setStatus("diagnostics", found.length === 0 ? "no problems" : `${found.length} problems`, 60);
    if (shown.length === 0) return;
    const more = found.length > LIMIT ? `\n… and ${found.length - LIMIT} more` : "";
    return { content: `${event.content}\n\nThe checker says about this file:\n${shown.join("\n")}${more}` };
  });
}

/** Lines such as `src/a.rs:3:5: error: …` and `a.ts(3,5): error …`.
 * @param {string} text */
function diagnostics(text) {
  return text.split("\n").flatMap((line) => {
    const found = /^(.+?)(?::(\d+):(\d+):?|\((\d+),(\d+)\):)\s*(.+)$/.exec(line.trim());
    if (!found) return [];
    const [, file = "", line1, column1, line2, column2, message = ""] = found;
    return [{ file, line: Number(line1 ?? line2), column: Number(column1 ?? column2), message }];
  });
}

/** Whether a checker's path and the tool's are one file, however each begins.
 * @param {string} a @param {string} b */
const concerns = (a, b) => {
  const clean = (/** @type {string} */ path) => path.replace(/^\.\//, "");
  const [one, other] = [clean(a), clean(b)];
  return one === other || one.endsWith(`/${other}`) || other.endsWith(`/${one}`);
};
