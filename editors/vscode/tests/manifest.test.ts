import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

interface MenuEntry {
  command?: string;
  submenu?: string;
}

const manifest = JSON.parse(readFileSync("package.json", "utf8"));
const names = JSON.parse(readFileSync("package.nls.json", "utf8"));
const { contributes } = manifest;
/** Carried by the server's code actions; people use `kit.ask`. */
const untitled = ["kit.session.prompt", "kit.session.ask", "kit.command.run"];

const sources = readdirSync("src", { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts"))
  .map((name) => readFileSync(`src/${name}`, "utf8"))
  .join("\n");

const registered = [...readFileSync("src/commands.ts", "utf8").matchAll(/^    "(kit\.[\w.]+)": /gm)].map((match) => match[1] ?? "");

test("the manifest's commands are the registered ones", () => {
  const listed = contributes.commands.map(({ command }: { command: string }) => command);
  assert.deepEqual([...listed, ...untitled].sort(), [...registered].sort());
});

test("menus, keys, welcome views and walkthroughs name registered commands", () => {
  const menus = Object.values(contributes.menus as Record<string, MenuEntry[]>).flat().flatMap(({ command }) => command ?? []);
  const keys = contributes.keybindings.map(({ command }: MenuEntry) => command);
  const links = Object.values<string>(names).flatMap((text) => [...text.matchAll(/\(command:([\w.]+)\)/g)].map((match) => match[1]));
  const unknown = [...menus, ...keys, ...links].filter((command) => !registered.includes(command ?? ""));
  assert.deepEqual(unknown, []);
});

test("every text of the manifest is there, and none is left over", () => {
  const used = [...JSON.stringify(manifest).matchAll(/%([\w.]+)%/g)].map((match) => match[1] ?? "");
  assert.deepEqual([...new Set(used)].sort(), Object.keys(names).sort());
});

test("every setting that the client reads is declared", () => {
  const declared = contributes.configuration.flatMap((section: { properties: object }) => Object.keys(section.properties));
  const read = [...sources.matchAll(/\bsetting(?:<[^(]*>)?\("([\w.]+)"/g)].map((match) => `kit.${match[1]}`);
  assert.ok(read.length > 0);
  assert.deepEqual(read.filter((name) => !declared.includes(name)), []);
});

test("every context key that menus and keys wait for is set", () => {
  const clauses = [...JSON.stringify(contributes).matchAll(/"when":"([^"]*)"/g)].map((match) => match[1] ?? "");
  const keys = clauses.flatMap((clause) => [...clause.matchAll(/(?<![=\w.]\s?)!?\b(kit\.\w+)\b/g)].map((match) => match[1] ?? ""));
  const views = Object.values(contributes.views as Record<string, { id: string }[]>).flat().map(({ id }) => id);
  const unset = [...new Set(keys)].filter((key) => !views.includes(key) && !sources.includes(`"${key}"`));
  assert.deepEqual(unset, []);
});

test("settings that could run something need a trusted workspace", () => {
  const restricted: string[] = manifest.capabilities.untrustedWorkspaces.restrictedConfigurations;
  assert.deepEqual(["kit.server.path", "kit.server.arguments"].filter((name) => !restricted.includes(name)), []);
});

test("the lock file names no registry", () => {
  assert.doesNotMatch(readFileSync("package-lock.json", "utf8"), /"resolved"/);
});
