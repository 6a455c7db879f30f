// Bundles the extension (one CommonJS file) and the script of the session view; with --tests bundles and runs the
// unit tests instead.
import { spawnSync } from "node:child_process";
import { copyFile, readdir, readFile, writeFile } from "node:fs/promises";
import { build, context } from "esbuild";

const flags = new Set(process.argv.slice(2));
const shared = {
  bundle: true,
  minify: flags.has("--production"),
  sourcemap: flags.has("--production") ? false : "linked",
  logLevel: "warning",
};
const extension = {
  ...shared,
  entryPoints: ["src/main.ts"],
  outfile: "dist/extension.cjs",
  platform: "node",
  format: "cjs",
  target: "node20",
  external: ["vscode"],
};
const view = {
  ...shared,
  entryPoints: ["src/webview/session.ts"],
  outfile: "dist/session.js",
  platform: "browser",
  format: "iife",
  target: "es2022",
};
const tests = async () => ({
  ...shared,
  sourcemap: "inline",
  entryPoints: (await readdir("tests")).filter((name) => name.endsWith(".test.ts")).map((name) => `tests/${name}`),
  outdir: "out/tests",
  outExtension: { ".js": ".mjs" },
  platform: "node",
  format: "esm",
  target: "node20",
});

if (flags.has("--watch")) {
  for (const options of [extension, view]) await (await context(options)).watch();
} else if (flags.has("--tests")) {
  const options = await tests();
  await build(options);
  const files = options.entryPoints.map((name) => `out/${name.replace(/\.ts$/, ".mjs")}`);
  process.exitCode = spawnSync(process.execPath, ["--test", ...files], { stdio: "inherit" }).status ?? 1;
} else {
  const [{ metafile }] = await Promise.all([build({ ...extension, metafile: true }), build(view)]);
  if (flags.has("--production")) await addLicenses(Object.keys(metafile.inputs));
}

/** Puts our licenses and those of the bundled packages beside the bundle. */
async function addLicenses(inputs) {
  for (const name of ["LICENSE-MIT", "LICENSE-APACHE"]) await copyFile(`../../${name}`, `dist/${name}`);
  const packages = new Set(inputs.flatMap((input) => /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(input)?.[1] ?? []));
  const texts = await Promise.all([...packages].sort().map(async (name) => {
    const license = (await readdir(`node_modules/${name}`)).find((file) => /^licen[cs]e/i.test(file));
    if (!license) throw new Error(`${name} has no license file`);
    return `${name}\n\n${await readFile(`node_modules/${name}/${license}`, "utf8")}`;
  }));
  await writeFile("dist/THIRD-PARTY.txt", texts.join(`\n${"-".repeat(80)}\n\n`));
}
