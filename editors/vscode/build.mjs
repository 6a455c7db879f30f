// Bundles the extension (one CommonJS file) and the script of the session view; with --tests bundles and runs the
// unit tests instead.
import { spawnSync } from "node:child_process";
import { readdir } from "node:fs/promises";
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
  // The CommonJS builds of the language client's parts pull in twice the code of their ES module builds.
  mainFields: ["module", "main"],
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
  await Promise.all([build(extension), build(view)]);
}
