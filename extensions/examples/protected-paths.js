// @ts-check
// Protected paths: files that the agent may not change, whatever it was told.
//
// Set your own with the option `protected-paths`, a list of globs separated by commas.

export const description = "Keeps the agent from changing files that must not change";

const DEFAULTS = ".env, .env.*, **/.git/**, **/node_modules/**, **/*.pem, **/*.key, **/id_rsa*, package-lock.json, Cargo.lock";
const CHANGES = new Set(["write", "edit"]);
/** Shell commands that change the files that they name. */
const SHELL = /(?:^|[\s;|&(])(?:rm|mv|cp|tee|truncate|chmod|chown|ln|dd|sed\s+-i)\b|>/;

/** @type {import("../sdk/js/kit-extension").Extension} */
export default function (kit) {
  kit.registerOption({ name: "protected-paths", description: "Globs of files that may not change", default: DEFAULTS });

  kit.onToolCall((event, ctx) => {
    const globs = list(ctx.getOption("protected-paths") || DEFAULTS);
    const args = /** @type {any} */ (event.parsedArgs) ?? {};
    if (CHANGES.has(event.toolName)) {
      const path = relative(args.path ?? args.file_path ?? "", ctx.cwd);
      const glob = globs.find((glob) => matches(glob, path));
      if (glob) return { block: true, reason: `${path} is protected by ${glob}. Leave it as it is and say what you would change.` };
    }
    if (event.toolName === "bash" && SHELL.test(args.command ?? "")) {
      for (const word of words(args.command)) {
        const path = relative(word, ctx.cwd);
        const glob = globs.find((glob) => matches(glob, path));
        if (glob) return { block: true, reason: `the command touches ${path}, which is protected by ${glob}` };
      }
    }
  }, { onError: "block" });

  kit.registerCommand({
    name: "protected",
    description: "Lists the protected paths",
    execute: (_, ctx) => list(ctx.getOption("protected-paths") || DEFAULTS).join("\n"),
  });
}

/** @param {string} text */
const list = (text) => text.split(",").map((glob) => glob.trim()).filter(Boolean);

/** @param {string} command */
const words = (command) => (command.match(/'[^']*'|"[^"]*"|[^\s;|&<>()]+/g) ?? []).map((word) => word.replace(/^['"]|['"]$/g, ""));

/** The path below the folder, without `.` and `..` where that is possible.
 * @param {string} path @param {string} folder */
function relative(path, folder) {
  const full = path.startsWith("/") ? path : `${folder}/${path}`;
  /** @type {string[]} */
  const parts = [];
  for (const part of full.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  const clean = `/${parts.join("/")}`;
  return clean.startsWith(`${folder}/`) ? clean.slice(folder.length + 1) : clean;
}

/** A glob without a slash means the name of the file, wherever it is.
 * @param {string} glob @param {string} path */
function matches(glob, path) {
  const subject = glob.includes("/") ? path : path.slice(path.lastIndexOf("/") + 1);
  const pattern = glob.split(/(\*\*\/|\*\*|\*|\?)/).map((part) =>
    part === "**/" ? "(?:.*/)?" : part === "**" ? ".*" : part === "*" ? "[^/]*" : part === "?" ? "[^/]" : part.replace(/[.+^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${pattern.join("")}$`).test(subject);
}
