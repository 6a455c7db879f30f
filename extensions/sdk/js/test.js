// The module `kit:test`, which test files import. `kit-ls extensions test` runs every test with a fresh extension, in
// the same sandbox as always, and with a host that records what the extension asks for.

const tests = [];
let answers = new Map();

/** Declares a test. */
export function test(name, run) {
  tests.push({ name, run });
}

// --- what failed -----------------------------------------------------------------------------------------------------

const show = (value) => (typeof value === "string" ? JSON.stringify(value) : value === undefined ? "nothing" : JSON.stringify(value));
const fail = (message) => { throw new Error(message); };
const fits = (text, pattern) => {
  if (pattern === undefined) return true;
  if (pattern instanceof RegExp) return pattern.test(text ?? "");
  return String(text ?? "").includes(String(pattern));
};
const same = (a, b) => {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  const keys = (value) => Object.keys(value).filter((key) => value[key] !== undefined).sort();
  const [left, right] = [keys(a), keys(b)];
  return Array.isArray(a) === Array.isArray(b) && left.length === right.length && left.every((key, at) => key === right[at] && same(a[key], b[key]));
};

// --- what an extension did -------------------------------------------------------------------------------------------

const PRINTS = new Set(["print", "printInfo", "printError", "printBlock", "renderMessage"]);
const SENDS = new Set(["sendMessage", "cancelAndSend", "sendMultimodalMessage", "newSession", "injectSkillAsContext"]);

// Defaults of the fields of events that a test does not care about.
let lastCall = 0;
const completed = (name, fields) => {
  const event = { ...fields };
  if (/^tool_/.test(name)) event.toolCallId ??= `call-${++lastCall}`;
  if (/^tool_(call|result)$/.test(name)) {
    if (typeof event.input === "object") event.input = JSON.stringify(event.input);
    event.input ??= "{}";
    event.toolKind ??= { read: "read", ls: "read", grep: "search", find: "search", edit: "edit", write: "edit", subagent: "agent" }[event.toolName] ?? "execute";
  }
  if (name === "tool_call") {
    event.source ??= "llm";
    try { event.parsedArgs ??= JSON.parse(event.input); } catch { /* The model may have written no JSON. */ }
  }
  if (name === "tool_result") event.isError ??= false;
  if (name === "input") event.source ??= "interactive";
  if (name === "llm_usage") {
    Object.assign(event, {
      turnId: "turn-1", inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0, cost: 0, costKind: "priced",
      model: "demo", provider: "scripted", requestId: "", stepNumber: 0, finishReason: "stop", ...fields,
    });
  }
  if (name === "agent_end") {
    Object.assign(event, {
      turnId: "turn-1", response: "", stopReason: "end_turn", toolCallCount: 0, toolNames: [], llmCallCount: 1,
      inputTokensDelta: 0, outputTokensDelta: 0, cacheReadTokensDelta: 0, cacheWriteTokensDelta: 0, costDelta: 0,
      costKind: "priced", durationMs: 0, ...fields,
    });
  }
  return event;
};

class Test {
  #ctx;
  constructor(ctx) { this.#ctx = ctx; }

  // --- setting the scene ---

  /** Says what a method of the host answers: a value, or, for methods that wait, a function of the parameters. */
  given(method, answer) {
    if (typeof answer === "function") {
      answers.set(method, answer);
      this.#ctx.test.given({ method, asks: true });
    } else {
      answers.delete(method);
      this.#ctx.test.given({ method, answer: answer ?? null });
    }
  }
  /** Puts a file into the folder that the extension sees. */
  file(path, text) { this.#ctx.test.given({ file: path, text }); }
  /** Sets an option as the user's settings do. */
  option(name, value) { this.#ctx.test.given({ option: name, value: String(value) }); }
  /** What the model answers to `complete` and to subagents, one after another. */
  model(...replies) {
    const left = [...replies];
    const reply = (parameters) => {
      const next = left.length > 1 ? left.shift() : left[0];
      return typeof next === "function" ? next(parameters) : next;
    };
    this.given("complete", (parameters) => ({ text: reply(parameters), inputTokens: 10, outputTokens: 5, model: "scripted/demo" }));
    this.given("spawnSubagent", (parameters) => ({
      id: "subagent-1",
      result: { response: reply(parameters), error: "", exitCode: 0, elapsedMs: 1 },
    }));
  }

  // --- acting ---

  /** Sends an event and returns the answer; `undefined` where the extension has no opinion. */
  emit(name, fields = {}) { return this.#ctx.test.emit({ name, payload: completed(name, fields) }); }
  /** Calls a tool as a model does. */
  tool(name, input = {}) {
    return this.#ctx.test.invoke({ kind: "tool", name, input: { toolCallId: `call-${++lastCall}`, arguments: input, input: JSON.stringify(input) } });
  }
  /** Runs a command and returns its output. */
  async command(name, args = "") { return (await this.#ctx.test.invoke({ kind: "command", name, input: { args } })).output; }
  /** Completes the argument of a command. */
  complete(name, prefix = "") { return this.#ctx.test.invoke({ kind: "complete", name, input: { prefix } }); }
  /** Presses a key. */
  shortcut(key) { return this.#ctx.test.invoke({ kind: "shortcut", name: key, input: {} }); }
  /** Renders a call of a tool. */
  renderTool(name, fields = {}) { return this.#ctx.test.invoke({ kind: "render_tool", name, input: { toolArgs: "{}", width: 80, ...fields } }); }
  /** Renders a message. */
  async renderMessage(name, content) { return (await this.#ctx.test.invoke({ kind: "render_message", name, input: { content, width: 80 } })).text; }
  /** Renders a widget that renders itself. */
  async renderWidget(id, width = 80) { return (await this.#ctx.test.invoke({ kind: "render_widget", name: id, input: { width } })).text; }
  /** Loads the extension again, as saving it does; options and state stay. */
  reload() { return this.#ctx.test.reload({}); }
  /**
   * Runs a whole turn with a scripted model: `calls` are the tool calls that it makes, each with what the tool answers,
   * `response` is what it says at the end. Returns what became of each part.
   */
  async turn(prompt, { calls = [], response = "Done.", usage = {} } = {}) {
    const told = await this.emit("input", { text: prompt });
    if (told?.action === "handled") return { handled: true, response: told.text, prompt, calls: [] };
    const text = told?.action === "transform" ? told.text : prompt;
    const injected = await this.emit("before_agent_start", { prompt: text });
    await this.emit("turn_state_change", { state: "working", previous: "idle" });
    await this.emit("agent_start", { turnId: "turn-1", prompt: text });
    const messages = [{ index: 0, role: "user", content: text }];
    const prepared = (await this.emit("context_prepare", { messages }))?.messages ?? messages;
    const done = [];
    for (const [step, { tool, input = {}, content = "", isError = false }] of calls.entries()) {
      await this.emit("llm_usage", { stepNumber: step, finishReason: "tool-calls", ...usage });
      const call = { toolName: tool, toolCallId: `call-${++lastCall}`, input };
      const verdict = await this.emit("tool_call", call);
      if (verdict?.block) {
        done.push({ tool, input, blocked: true, content: `Error: ${verdict.reason ?? "blocked by extension"}`, isError: true });
        continue;
      }
      await this.emit("tool_execution_start", call);
      const registered = (await this.registration()).tools.some(({ name }) => name === tool);
      const result = registered ? await this.tool(tool, input) : { content, isError };
      await this.emit("tool_execution_end", call);
      const rewritten = await this.emit("tool_result", { ...call, ...result });
      done.push({ tool, input, blocked: false, content: result.content, isError: result.isError === true, ...rewritten });
    }
    await this.emit("message_end", { content: response });
    await this.emit("llm_usage", { stepNumber: calls.length, ...usage });
    const names = done.filter(({ blocked }) => !blocked).map(({ tool }) => tool);
    await this.emit("agent_end", { response, toolCallCount: names.length, toolNames: names, llmCallCount: calls.length + 1 });
    await this.emit("turn_state_change", { state: "idle", previous: "working" });
    return { handled: false, prompt: text, injected, messages: prepared, calls: done, response };
  }
  /** Waits until the extension has shown, sent or asked what a function of the records accepts. */
  async until(accepts, what = "what was waited for") {
    for (let tries = 0; tries < 200; tries++) {
      if (accepts(this)) return;
      await this.#ctx.sleep(10);
    }
    fail(`${what} did not happen within two seconds`);
  }

  // --- looking ---

  /** Every call of the host: `[{ method, parameters }]`. */
  get calls() { return this.#ctx.test.records({}).calls; }
  /** The lines of the extension's log: `[{ level, text }]`. */
  get log() { return this.#ctx.test.records({}).log; }
  /** The parameters of the calls of a method. */
  asked(method) { return this.calls.filter((call) => call.method === method).map((call) => call.parameters); }
  /** What was printed, one text for each. */
  get printed() { return this.calls.filter(({ method }) => PRINTS.has(method)).map(({ parameters }) => parameters.text ?? parameters.content); }
  /** The prompts that were sent. */
  get sentMessages() { return this.calls.filter(({ method }) => SENDS.has(method)).map(({ parameters }) => parameters.text ?? parameters.prompt ?? parameters.name); }
  /** Widgets that are shown, by id. */
  get widgets() { return this.#shown("setWidget", "removeWidget", "id"); }
  /** Entries of the status line, by key. */
  get statuses() { return this.#shown("setStatus", "removeStatus", "key"); }
  /** The header, if one is shown. */
  get header() { return this.#bar("Header"); }
  /** The footer, if one is shown. */
  get footer() { return this.#bar("Footer"); }
  /** A value of the session's state. */
  state(key) { return this.#ctx.test.records({}).state[key]; }
  /** The text of a file, also one that the extension wrote. */
  text(path) { return this.#ctx.test.records({}).files[path]; }
  /** What the extension registered. */
  registration() { return this.#ctx.test.registration({}); }

  #shown(set, remove, key) {
    const shown = new Map();
    for (const { method, parameters } of this.calls) {
      if (method === set) shown.set(parameters[key], parameters);
      if (method === remove) shown.delete(parameters[key]);
    }
    return shown;
  }
  #bar(name) {
    const last = this.calls.filter(({ method }) => method === `set${name}` || method === `remove${name}`).at(-1);
    return last?.method === `set${name}` ? last.parameters : undefined;
  }

  // --- asserting ---

  ok(holds, message = "it does not hold") { if (!holds) fail(message); }
  equal(actual, expected) { if (!same(actual, expected)) fail(`expected ${show(expected)}, got ${show(actual)}`); }
  match(text, pattern) { if (!fits(text, pattern)) fail(`expected ${pattern}, got ${show(text)}`); }
  async rejects(promise, pattern) {
    let error;
    try { await promise; } catch (thrown) { error = thrown; }
    if (error === undefined) fail("it did not fail");
    if (!fits(error.message, pattern)) fail(`expected a failure like ${pattern}, got ${show(error.message)}`);
  }
  blocked(answer, reason) {
    if (answer?.block !== true) fail(`expected it to be blocked, got ${show(answer)}`);
    if (!fits(answer.reason, reason)) fail(`expected a reason like ${reason}, got ${show(answer.reason)}`);
  }
  notBlocked(answer) { if (answer?.block) fail(`expected it to pass, got blocked: ${show(answer.reason)}`); }
  cancelled(answer, reason) {
    if (answer?.cancel !== true) fail(`expected it to be cancelled, got ${show(answer)}`);
    if (!fits(answer.reason, reason)) fail(`expected a reason like ${reason}, got ${show(answer.reason)}`);
  }
  rewritten(answer, pattern) {
    const text = answer?.action === "transform" ? answer.text : answer?.content;
    if (text === undefined) fail(`expected it to be rewritten, got ${show(answer)}`);
    if (!fits(text, pattern)) fail(`expected a text like ${pattern}, got ${show(text)}`);
  }
  handled(answer, pattern) {
    if (answer?.action !== "handled") fail(`expected it to be handled, got ${show(answer)}`);
    if (!fits(answer.text, pattern)) fail(`expected a text like ${pattern}, got ${show(answer.text)}`);
  }
  injected(answer, pattern) {
    const text = [answer?.systemPrompt, answer?.injectText].filter(Boolean).join("\n");
    if (text === "") fail(`expected something to be injected, got ${show(answer)}`);
    if (!fits(text, pattern)) fail(`expected a text like ${pattern}, got ${show(text)}`);
  }
  hasPrinted(pattern) { if (!this.printed.some((text) => fits(text, pattern))) fail(`expected ${pattern} to be printed, got ${show(this.printed)}`); }
  hasNotPrinted(pattern) { if (this.printed.some((text) => fits(text, pattern))) fail(`expected ${pattern ?? "nothing"} not to be printed, got ${show(this.printed)}`); }
  hasWidget(id, pattern) { this.#has("the widget", this.widgets.get(id)?.content?.text, this.widgets.has(id), id, pattern); }
  hasNoWidget(id) { if (this.widgets.has(id)) fail(`expected no widget ${id}`); }
  hasStatus(key, pattern) { this.#has("the status", this.statuses.get(key)?.text, this.statuses.has(key), key, pattern); }
  hasNoStatus(key) { if (this.statuses.has(key)) fail(`expected no status ${key}, got ${show(this.statuses.get(key).text)}`); }
  hasHeader(pattern) { this.#has("the header", this.header?.content?.text, this.header !== undefined, "", pattern); }
  hasFooter(pattern) { this.#has("the footer", this.footer?.content?.text, this.footer !== undefined, "", pattern); }
  sent(pattern) { if (!this.sentMessages.some((text) => fits(text, pattern))) fail(`expected a message like ${pattern} to be sent, got ${show(this.sentMessages)}`); }
  notSent() { if (this.sentMessages.length) fail(`expected no message to be sent, got ${show(this.sentMessages)}`); }
  async registered(kind, name) {
    const lists = {
      event: "events", tool: "tools", command: "commands", shortcut: "shortcuts", option: "options",
      toolRenderer: "toolRenderers", messageRenderer: "messageRenderers",
    };
    if (!Object.hasOwn(lists, kind)) fail(`registered() knows ${Object.keys(lists).join(", ")}, not ${kind}`);
    const list = (await this.registration())[lists[kind]].map((item) => item.name ?? item.key ?? item.toolName);
    if (!list.includes(name)) fail(`expected the ${kind} ${name} to be registered, got ${show(list)}`);
  }

  #has(what, text, there, name, pattern) {
    if (!there) fail(`expected ${what} ${name}`.trimEnd());
    if (!fits(text, pattern)) fail(`expected ${what} ${name} to be like ${pattern}, got ${show(text)}`);
  }
}

/** Registers the tests as commands that the runner runs one by one. */
export default function setup(kit) {
  tests.forEach(({ name, run }, at) => {
    kit.registerCommand({
      name: `test-${at}`,
      description: name,
      async execute(_, ctx) {
        answers = new Map();
        lastCall = 0;
        await run(new Test(ctx));
      },
    });
  });
  kit.registerCommand({
    name: "answer",
    description: "what a method of the host answers",
    async execute(text) {
      const { method, parameters } = JSON.parse(text);
      return JSON.stringify((await answers.get(method)(parameters)) ?? null);
    },
  });
}
