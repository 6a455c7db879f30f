#!/usr/bin/env node
// A stand-in for kit-ls that speaks the shapes of the protocol and plays one fixed turn, so that the client can be
// driven without a model: it streams an answer, edits the file it was given, and keeps a small review of the lines.
// Words of the prompt ask for more: "permission", "question", "fail", "slow", "helper", "login".

import { createHash } from "node:crypto";
import { argv, stdin, stdout, exit } from "node:process";

if (!argv.includes("--stdio")) exit(2);

const documents = new Map();
const bases = new Map();
const sessions = new Map();
const waiting = new Map();
const undone = [];
let nextRequest = 1;
let revision = 0;
let running;
let pending = { permissions: 0, questions: 0 };
let spent = 0;

const send = (message) => {
  const body = JSON.stringify({ jsonrpc: "2.0", ...message });
  stdout.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
};
const notify = (method, params) => send({ method, params });
const request = (method, params) =>
  new Promise((resolve) => {
    waiting.set(nextRequest, resolve);
    send({ id: nextRequest++, method, params });
  });
const fail = (kind, message) => Object.assign(new Error(message), { data: { kind } });
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Lines with their ends, so that joining them gives the text back. */
const lines = (text) => text.match(/[^\n]*\n|[^\n]+/g) ?? [];

function changed(text, change) {
  const offset = ({ line, character }) => lines(text).slice(0, line).reduce((sum, each) => sum + each.length, 0) + character;
  return change.range ? text.slice(0, offset(change.range.start)) + change.text + text.slice(offset(change.range.end)) : change.text;
}

/** Hunks by the longest common subsequence of lines. */
function hunksOf(uri) {
  const [before, after] = [lines(bases.get(uri)), lines(documents.get(uri).text)];
  const table = Array.from({ length: before.length + 1 }, () => new Uint16Array(after.length + 1));
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--) {
      table[i][j] = before[i] === after[j] ? table[i + 1][j + 1] + 1 : Math.max(table[i + 1][j], table[i][j + 1]);
    }
  }
  const hunks = [];
  let [i, j] = [0, 0];
  while (i < before.length || j < after.length) {
    if (i < before.length && j < after.length && before[i] === after[j]) [i, j] = [i + 1, j + 1];
    else {
      const start = [i, j];
      while ((i < before.length || j < after.length) && !(i < before.length && j < after.length && before[i] === after[j])) {
        if (j >= after.length || (i < before.length && table[i + 1][j] >= table[i][j + 1])) i++;
        else j++;
      }
      const [oldText, newText] = [before.slice(start[0], i), after.slice(start[1], j)].map((part) => part.join(""));
      hunks.push({
        id: createHash("sha1").update(`${uri}\0${oldText}\0${newText}`).digest("hex").slice(0, 8), kind: oldText === "" ? "add" : newText === "" ? "delete" : "change",
        baseLines: [start[0], i], lines: [start[1], j], oldText, newText, mixed: false, turn: "t1", agent: "main", toolCallId: "c2", title: "edit greeting",
      });
    }
  }
  return hunks;
}

function review() {
  const files = [...bases.keys()].flatMap((uri) => {
    const hunks = hunksOf(uri);
    const count = (field) => hunks.reduce((sum, hunk) => sum + lines(hunk[field]).length, 0);
    return hunks.length === 0 ? [] : [{ uri, status: "modified", version: documents.get(uri).version, additions: count("newText"), deletions: count("oldText"), hunks }];
  });
  const sum = (field) => files.reduce((total, file) => total + file[field], 0);
  return {
    revision: ++revision,
    summary: { files: files.length, hunks: files.reduce((total, file) => total + file.hunks.length, 0), additions: sum("additions"), deletions: sum("deletions") },
    files,
  };
}

function status(state, label) {
  const tokens = (factor) => ({ inputTokens: 1200 * factor, outputTokens: 310 * factor, cacheReadTokens: 8000 * factor, cacheWriteTokens: 0, costMicros: spent * factor, costKind: "priced" });
  const { summary } = review();
  notify("kit/status", {
    state, label, session: running?.session, turn: running?.turn, model: "fake/small", mode: "edit",
    usage: { contextUsed: 68_000, contextWindow: 200_000, turn: tokens(1), session: tokens(1), today: tokens(2), budget: { limitMicros: 5_000_000, usedMicros: spent * 2, scope: "day" } },
    review: { files: summary.files, hunks: summary.hunks }, pending, agents: [],
  });
}

function emit(session, event) {
  const events = sessions.get(session);
  const full = { session, turn: running?.turn, seq: events.length + 1, at: 0, ...event };
  events.push(full);
  // One event is held back, so that the client has to notice the gap.
  if (event.type !== "tool_execution_end") notify("kit/event", full);
}

async function stream(session, text) {
  emit(session, { type: "message_start" });
  for (const chunk of text.match(/[\s\S]{1,12}/g)) {
    if (running.stopped) break;
    emit(session, { type: "message_update", chunk });
    await pause(8);
  }
  emit(session, { type: "message_end", content: text });
}

async function edit(uri, replace) {
  const document = documents.get(uri);
  if (!bases.has(uri)) bases.set(uri, document.text);
  const end = lines(document.text).length + 1;
  await request("workspace/applyEdit", {
    edit: { documentChanges: [{ textDocument: { uri, version: document.version }, edits: [{ range: { start: { line: 0, character: 0 }, end: { line: end, character: 0 } }, newText: replace(document.text) }] }] },
  });
  notify("kit/review", review());
}

async function turn(prompt, session) {
  const uri = prompt.context?.[0]?.uri;
  const tool = (toolCallId, toolName, toolKind) => ({ toolCallId, toolName, toolKind });
  emit(session, { type: "turn_start", prompt: prompt.text });
  status("running", "thinking");
  emit(session, { type: "reasoning_delta", delta: "The greeting is built by hand; " });
  emit(session, { type: "reasoning_delta", delta: "a template is shorter." });
  await stream(session, "I will look at the file **first**, then change `greet`:\n\n1. use a template\n2. add a farewell\n\n```js\nconst a = `x`;\n```\n");
  if (prompt.text.includes("slow")) {
    while (!running.stopped) await pause(20);
  }
  if (uri && !running.stopped) {
    emit(session, { type: "tool_call", ...tool("c1", "read", "read"), toolArgs: "{\"path\":\"greet.js\"}", title: "read greet.js" });
    emit(session, { type: "tool_execution_start", ...tool("c1", "read", "read") });
    emit(session, { type: "tool_execution_end", ...tool("c1", "read", "read") });
    emit(session, { type: "tool_result", ...tool("c1", "read", "read"), toolArgs: "{}", result: documents.get(uri).text, isError: false });
    if (prompt.text.includes("permission")) {
      pending = { permissions: 1, questions: 0 };
      status("waiting", "cargo test");
      const answer = await request("kit/permission", {
        id: "p1", session, agent: { id: "main", path: [] }, title: "Run a command", toolKind: "execute", subject: { command: "cargo test --all", cwd: "/" }, why: "No rule allows `cargo`.",
        options: [
          { id: "once", label: "Allow once", kind: "allowOnce" },
          { id: "always", label: "Always", kind: "allowAlways", scope: "project", rule: "bash(cargo test:*)" },
          { id: "no", label: "Reject", kind: "rejectOnce" },
        ],
      });
      pending = { permissions: 0, questions: 0 };
      emit(session, { type: "message_update", chunk: `Permission: ${answer.option} ${answer.feedback ?? ""}\n\n` });
    }
    if (prompt.text.includes("question")) {
      const answer = await request("kit/ask", { id: "q1", kind: "select", message: "Which one?", options: ["first", "second"] });
      emit(session, { type: "message_update", chunk: `Chosen: ${answer.value}\n\n` });
    }
    if (prompt.text.includes("helper")) await helper(session);
    if (prompt.text.includes("login")) await login(session);
    status("running", "edit greet.js");
    emit(session, { type: "tool_call", ...tool("c2", "edit", "edit"), toolArgs: "{}", title: "edit greet.js" });
    emit(session, { type: "tool_execution_start", ...tool("c2", "edit", "edit") });
    await edit(uri, (text) => text.replace('return "Hello, " + name + "!";', "return `Hello, ${name}!`;").replace("// unused\n", "").replace(/$/, "\nexport function farewell(name) {\n  return `Bye, ${name}!`;\n}\n"));
    const blocks = hunksOf(uri).map(({ oldText, newText, baseLines, lines: range }) => ({ oldText, newText, oldRange: baseLines, newRange: range }));
    emit(session, {
      type: "tool_result", ...tool("c2", "edit", "edit"), toolArgs: "{}", result: "edited", isError: false,
      metadata: { fileDiffs: [{ uri, path: "greet.js", additions: 4, deletions: 2, diffBlocks: blocks }] },
    });
  }
  if (prompt.text.includes("fail")) emit(session, { type: "error", kind: "auth", message: "No key for fake: set FAKE_API_KEY." });
  else if (!running.stopped) await stream(session, "Done. See [greet.js](greet.js:2).");
  spent += 61_000;
  const stopReason = running.stopped ? "cancelled" : prompt.text.includes("fail") ? "error" : "end_turn";
  emit(session, { type: "turn_end", response: "", stopReason, toolCallCount: uri ? 2 : 0, toolNames: [], llmCallCount: 2, usage: { inputTokens: 1200, outputTokens: 310, cacheReadTokens: 8000, cacheWriteTokens: 0, costMicros: 61_000, costKind: "priced" }, durationMs: 1400 });
  running = undefined;
  status("idle", "idle");
}

/** A subagent that asks for permission and waits for the answer. */
async function helper(session) {
  const agent = { id: "h1", name: "explore", path: ["main", "explore"], toolCallId: "c3" };
  const call = { toolCallId: "c3", toolName: "subagent", toolKind: "agent" };
  emit(session, { type: "tool_call", ...call, toolArgs: "{}", title: "explore: look around" });
  emit(session, { type: "turn_start", prompt: "look around", agent });
  emit(session, { type: "message_update", chunk: "I am looking.", agent });
  const answer = await request("kit/permission", {
    id: "p2", session, agent, title: "Run a command", toolKind: "execute", subject: { command: "ls", cwd: "/elsewhere" },
    options: [{ id: "once", label: "Allow once", kind: "allowOnce" }, { id: "no", label: "Reject", kind: "rejectOnce" }],
  });
  emit(session, { type: "message_update", chunk: ` Answered: ${answer.option}.`, agent });
  emit(session, { type: "turn_end", response: "", stopReason: "end_turn", toolCallCount: 0, toolNames: [], llmCallCount: 1, usage: { inputTokens: 900, outputTokens: 100, cacheReadTokens: 0, cacheWriteTokens: 0, costKind: "unknown" }, durationMs: 2500, agent });
  emit(session, { type: "tool_result", ...call, toolArgs: "{}", result: "I am looking.", isError: false });
}

/** A login by a code, with progress that can be cancelled. */
async function login(session) {
  await request("window/workDoneProgress/create", { token: "kit-task/1" });
  notify("$/progress", { token: "kit-task/1", value: { kind: "begin", title: "Kit login", cancellable: true, message: "logging in" } });
  const answer = await request("kit/ask", { id: "q2", kind: "overlay", message: "Enter the code **WDJB-MJHT** at https://example.com/device", options: ["Open the page", "Cancel the login"], copy: "WDJB-MJHT" });
  emit(session, { type: "message_update", chunk: `Login: ${answer.value}\n\n` });
  await cancelled;
  notify("$/progress", { token: "kit-task/1", value: { kind: "end" } });
  emit(session, { type: "message_update", chunk: "Cancelled by the notification.\n\n" });
}

async function act(kind, argument) {
  const applied = [];
  for (const uri of argument.uri ? [argument.uri] : [...bases.keys()]) {
    if (!bases.has(uri)) continue;
    const chosen = hunksOf(uri).filter((hunk) => !argument.hunks || argument.hunks.includes(hunk.id));
    applied.push(...chosen.map((hunk) => hunk.id));
    undone.push([uri, bases.get(uri)]);
    const splice = (text, from, replacement) => {
      const parts = lines(text);
      for (const hunk of chosen.toReversed()) parts.splice(hunk[from][0], hunk[from][1] - hunk[from][0], hunk[replacement]);
      return parts.join("");
    };
    if (kind === "keep") bases.set(uri, splice(bases.get(uri), "baseLines", "newText"));
    else await edit(uri, (text) => splice(text, "lines", "oldText"));
  }
  notify("kit/review", review());
  status(running ? "running" : "idle", "idle");
  return { applied, conflicts: [] };
}

const commands = {
  "kit.session.prompt": (argument) => {
    const session = argument.session ?? `s${sessions.size + 1}`;
    if (!sessions.has(session)) sessions.set(session, []);
    if (running) throw fail("busy", "a turn is running");
    running = { session, turn: `t${sessions.get(session).length}` };
    if (sessions.get(session).length === 0) running.turn = "t1";
    setImmediate(() => void turn(argument, session));
    return { session, turn: running.turn, queued: false };
  },
  "kit.session.cancel": () => {
    if (running) running.stopped = true;
    return { cancelled: running ? [running.turn] : [] };
  },
  "kit.session.new": () => {
    const session = `s${sessions.size + 1}`;
    sessions.set(session, []);
    return { session };
  },
  "kit.session.open": ({ session }) => ({ session }),
  "kit.session.list": () => ({
    sessions: [...sessions].map(([id, events]) => ({
      id, path: `/tmp/${id}.jsonl`, cwd: "/", created: new Date(0).toISOString(), modified: new Date().toISOString(), messageCount: events.length,
      firstMessage: events[0]?.prompt ?? "", running: running?.session === id,
    })),
  }),
  "kit.session.transcript": ({ session, from = 1 }) => ({ events: (sessions.get(session) ?? []).slice(from - 1), nextSeq: (sessions.get(session)?.length ?? 0) + 1 }),
  "kit.review.list": () => review(),
  "kit.review.keep": (argument) => act("keep", argument),
  "kit.review.undo": (argument) => act("undo", argument),
  "kit.review.revert": () => {
    const last = undone.pop();
    if (last) bases.set(...last);
    notify("kit/review", review());
    return { applied: [] };
  },
  "kit.model.list": () => ({ models: [{ id: "fake/small", provider: "fake", name: "Small", contextWindow: 200_000, maxOutput: 8000, reasoning: true }] }),
  "kit.model.set": ({ model }) => ({ model }),
  "kit.mode.set": ({ mode }) => ({ mode }),
  "kit.thinking.set": ({ level }) => ({ level }),
  "kit.usage.get": () => ({ today: { inputTokens: 1200, outputTokens: 310, cacheReadTokens: 8000, cacheWriteTokens: 0, costMicros: spent, costKind: "priced" }, calls: [] }),
  "kit.trust.set": (argument) => argument,
  "kit.doctor": () => ({ checks: [{ name: "server", ok: true, detail: "answers" }, { name: "key", ok: false, detail: "no key", fix: "set FAKE_API_KEY" }] }),
};

let cancel;
const cancelled = new Promise((resolve) => (cancel = resolve));

const methods = {
  "window/workDoneProgress/cancel": ({ token }) => token === "kit-task/1" && cancel(),
  initialize: () => ({
    capabilities: {
      textDocumentSync: 2, executeCommandProvider: { commands: Object.keys(commands) }, codeActionProvider: { codeActionKinds: ["source.kit"] },
      experimental: { kit: { version: 1, serverVersion: "fake", commands: [] } },
    },
    serverInfo: { name: "kit-ls", version: "fake" },
  }),
  initialized: () => status("idle", "idle"),
  shutdown: () => null,
  exit: () => exit(0),
  "textDocument/didOpen": ({ textDocument }) => void documents.set(textDocument.uri, { version: textDocument.version, text: textDocument.text }),
  "textDocument/didChange": ({ textDocument, contentChanges }) => {
    const text = contentChanges.reduce(changed, documents.get(textDocument.uri).text);
    documents.set(textDocument.uri, { version: textDocument.version, text });
    if (bases.has(textDocument.uri)) notify("kit/review", review());
  },
  "textDocument/codeAction": ({ textDocument, range }) => [
    { title: "Kit: Explain", kind: "source.kit", command: { title: "Kit: Explain", command: "kit.session.prompt", arguments: [{ text: "Explain this.", context: [{ uri: textDocument.uri, range }] }] } },
  ],
  "workspace/textDocumentContent": ({ uri }) => ({ text: uri.startsWith("kit-session:") ? "# Transcript\n" : (bases.get(uri.replace("kit-base:", "file:")) ?? bases.get(uri.replace("kit-base:", "file://")) ?? "") }),
  "workspace/executeCommand": ({ command, arguments: [argument] = [] }) => {
    if (!commands[command]) throw fail("invalid_request", `unknown command ${command}`);
    return commands[command](argument ?? {});
  },
};

async function receive(message) {
  if (message.method === undefined) {
    waiting.get(message.id)?.(message.result);
    waiting.delete(message.id);
    return;
  }
  try {
    const result = await methods[message.method]?.(message.params);
    if (message.id !== undefined) send({ id: message.id, result: result ?? null });
  } catch (error) {
    if (message.id !== undefined) send({ id: message.id, error: { code: -32803, message: error.message, data: error.data } });
  }
}

let buffer = Buffer.alloc(0);
stdin.on("data", (data) => {
  buffer = Buffer.concat([buffer, data]);
  for (;;) {
    const head = buffer.indexOf("\r\n\r\n");
    if (head < 0) return;
    const length = Number(/Content-Length: (\d+)/i.exec(buffer.subarray(0, head).toString())[1]);
    if (buffer.length < head + 4 + length) return;
    const body = buffer.subarray(head + 4, head + 4 + length).toString();
    buffer = buffer.subarray(head + 4 + length);
    void receive(JSON.parse(body));
  }
});
stdin.on("end", () => exit(0));
