// What a file registers, and how events and calls of the host reach it.
(function (natives, entries) {
  "use strict";

  const { contextOf, HostError, show, signal, widgets } = entries;

  let config = {};
  let loading = true;
  let exported = {};
  const handlers = new Map();
  const tools = new Map();
  const commands = new Map();
  const shortcuts = new Map();
  const options = new Map();
  const toolRenderers = new Map();
  const messageRenderers = new Map();
  const running = new Map();

  // --- registering ---------------------------------------------------------------------------------------------------

  const expect = (holds, what) => {
    if (!holds) throw new TypeError(what);
  };
  const during = (what) => expect(loading, `${what} works while the file is loaded, not later`);
  const isText = (value) => typeof value === "string" && value !== "";
  const isFunction = (value) => typeof value === "function";

  const on = (name, handler, settings = {}) => {
    during(`on("${name}")`);
    expect(isText(name), "an event has a name");
    expect(name.startsWith("custom:") || config.events.includes(name), `there is no event ${name}; there are ${config.events.join(", ")}`);
    expect(isFunction(handler), `the handler of ${name} is a function`);
    const { onError = "pass" } = settings;
    expect(onError === "pass" || onError === "block", `onError is "pass" or "block", not ${show(onError)}`);
    if (!handlers.has(name)) handlers.set(name, []);
    handlers.get(name).push({ handler, onError });
  };

  const kit = {
    on,
    onCustomEvent(name, handler, settings) { on(`custom:${name}`, handler, settings); },
    registerTool(tool) {
      during("registerTool");
      expect(isText(tool?.name) && /^[A-Za-z0-9_-]{1,64}$/.test(tool.name), `a tool's name has up to 64 letters, digits, _ and -, not ${show(tool?.name)}`);
      expect(isText(tool.description), `the tool ${tool.name} has no description; models read it`);
      expect(isFunction(tool.execute), `the tool ${tool.name} has no function execute`);
      tools.set(tool.name, tool);
    },
    registerCommand(command) {
      during("registerCommand");
      expect(isText(command?.name), "a command has a name");
      expect(isFunction(command.execute), `the command ${command.name} has no function execute`);
      commands.set(command.name.replace(/^\//, ""), command);
    },
    registerShortcut(shortcut, handler = shortcut?.handler) {
      during("registerShortcut");
      expect(isText(shortcut?.key), "a shortcut has a key");
      expect(isFunction(handler), `the shortcut ${shortcut.key} has no handler`);
      shortcuts.set(shortcut.key, { ...shortcut, handler });
    },
    registerOption(option) {
      during("registerOption");
      expect(isText(option?.name), "an option has a name");
      options.set(option.name, option);
    },
    registerToolRenderer(renderer) {
      during("registerToolRenderer");
      expect(isText(renderer?.toolName), "a tool renderer names its tool in toolName");
      toolRenderers.set(renderer.toolName, renderer);
    },
    registerMessageRenderer(renderer) {
      during("registerMessageRenderer");
      expect(isText(renderer?.name) && isFunction(renderer.render), "a message renderer has a name and a function render");
      messageRenderers.set(renderer.name, renderer);
    },
  };

  for (const [event, name] of Object.entries(entries.events)) kit[name] = (handler, settings) => on(event, handler, settings);

  // --- loading -------------------------------------------------------------------------------------------------------

  // Called first: takes the configuration apart and says what to evaluate.
  entries.configure = (text) => {
    config = JSON.parse(text);
    natives.seed(`${config.path}:${config.name}`);
    config.events ??= [];
    config.methods ??= [];
    entries.learn(config.methods, config.doors ?? {});
    Object.assign(kit, {
      api: config.api, name: config.name, path: config.path, options: { ...config.options },
      methods: [...config.methods], events: [...config.events],
    });
    return {
      name: config.fileName ?? config.name ?? "extension.js",
      source: config.source ?? "",
      modules: Object.entries(config.modules ?? {}),
    };
  };

  // Called with the evaluated module: lets it register, and answers the registration.
  entries.load = (namespace, evaluated, done) => {
    const loaded = (async () => {
      await evaluated;
      exported = namespace;
      const init = config.setup ? (await import(config.setup)).default : (namespace.default ?? namespace.init);
      expect(isFunction(init), "the file exports no function: begin with `export default function (kit) {`");
      await init(kit);
      loading = false;
      return registration();
    })();
    loaded.then((text) => done(true, text), (error) => done(false, error));
  };

  const registration = () => {
    const subscriptions = [...handlers].map(([name, list]) => ({
      name, onError: list.some(({ onError }) => onError === "block") ? "block" : "pass",
    }));
    // What the prelude itself has to hear.
    for (const name of ["stream.chunk", "tool.cancelled", "subagent.event"]) {
      if (!handlers.has(name)) subscriptions.push({ name });
    }
    const text = (value) => (isText(value) ? value : undefined);
    return JSON.stringify({
      name: text(exported.name), version: text(exported.version), description: text(exported.description),
      permissions: exported.permissions,
      events: subscriptions,
      tools: [...tools.values()].map(({ name, description, parameters, kind, parallel }) => ({
        name, description, parameters: typeof parameters === "string" ? JSON.parse(parameters) : (parameters ?? { type: "object", properties: {} }),
        kind, parallel: parallel === true,
      })),
      commands: [...commands].map(([name, { description = "", complete, codeAction }]) => ({
        name, description, completes: isFunction(complete), codeAction,
      })),
      shortcuts: [...shortcuts.values()].map(({ key, description = "" }) => ({ key, description })),
      options: [...options.values()].map(({ name, description = "", default: value = "" }) => ({ name, description, default: String(value) })),
      toolRenderers: [...toolRenderers.values()].map((renderer) => ({
        toolName: renderer.toolName, displayName: renderer.displayName, borderColor: renderer.borderColor,
        background: renderer.background, bodyMarkdown: renderer.bodyMarkdown === true,
        header: isFunction(renderer.renderHeader), body: isFunction(renderer.renderBody),
      })),
      messageRenderers: [...messageRenderers.keys()].map((name) => ({ name })),
    });
  };

  // --- events --------------------------------------------------------------------------------------------------------

  // How answers of several handlers of one event become one: what each changes is seen by the next, and the first veto ends.
  const join = (a, b) => (a && b ? `${a}\n\n${b}` : (a ?? b));
  const merges = {
    tool_call: (event, sum, answer) => [answer, answer.block === true],
    before_fork: (event, sum, answer) => [answer, answer.cancel === true],
    before_session_switch: (event, sum, answer) => [answer, answer.cancel === true],
    before_compact: (event, sum, answer) => [{ ...sum, ...answer }, answer.cancel === true],
    input: (event, sum, answer) => {
      if (answer.action === "transform" && isText(answer.text)) event.text = answer.text;
      return [answer.action === "continue" ? sum : answer, answer.action === "handled"];
    },
    tool_result: (event, sum, answer) => {
      if (answer.content !== undefined) event.content = answer.content;
      if (answer.isError !== undefined) event.isError = answer.isError;
      return [{ ...sum, ...answer }, false];
    },
    before_agent_start: (event, sum, answer) => [{
      systemPrompt: join(sum?.systemPrompt, answer.systemPrompt), injectText: join(sum?.injectText, answer.injectText),
    }, false],
    context_prepare: (event, sum, answer) => {
      if (answer.messages) event.messages = answer.messages;
      return [{ ...sum, ...answer }, false];
    },
  };
  merges.prepare_step = merges.context_prepare;

  const checked = (name, answer) => {
    if (answer === undefined || answer === null || answer === "") return undefined;
    if (!merges[name]) return undefined;
    expect(typeof answer === "object" && !Array.isArray(answer), `a handler of ${name} answers an object or nothing, not ${show(answer)}`);
    return answer;
  };

  const several = async (name, list, event, context) => {
    let sum;
    let failure;
    for (const { handler, onError } of list) {
      let answer;
      try {
        answer = checked(name, await handler(event, context));
      } catch (error) {
        // The host acts on the failure by the strictest of the handlers, so one that may fail must not tell it.
        if (onError === "block" || list.every((other) => other.onError === "pass")) failure ??= error;
        else natives.log("error", `in ${name}: ${show(error)}`);
        if (onError === "block") break;
        continue;
      }
      if (answer === undefined) continue;
      const [merged, ends] = merges[name](event, sum, answer);
      sum = merged;
      if (ends) break;
    }
    if (failure !== undefined && sum === undefined) throw failure;
    if (failure !== undefined) natives.log("error", `in ${name}: ${show(failure)}`);
    return sum;
  };

  const textOf = (value) => (value === undefined ? "" : JSON.stringify(value));

  const parsed = (payload) => {
    const { context, ...event } = JSON.parse(payload || "{}");
    return [event, contextOf(context)];
  };

  const startEvent = (name, payload) => {
    const list = handlers.get(name);
    const own = name === "stream.chunk" || name === "subagent.event" || name === "tool.cancelled";
    if (list === undefined && !own) return "";
    const [event, context] = parsed(payload);
    if (name === "tool.cancelled") running.get(event.toolCallId)?.abort();
    else if (own) signal(name, event);
    if (list === undefined) return "";
    // Custom events carry a text; their handlers get it as it is, as upstream's do.
    const argument = name.startsWith("custom:") ? event.data : event;
    if (list.length > 1) return several(name, list, argument, context).then(textOf);
    const answer = list[0].handler(argument, context);
    if (typeof answer?.then === "function") return answer.then((value) => textOf(checked(name, value)));
    return textOf(checked(name, answer));
  };

  // --- calls ---------------------------------------------------------------------------------------------------------

  const found = (map, name, what) => {
    const value = map.get(name);
    if (value === undefined) throw new HostError({ code: "not-found", message: `there is no ${what} ${name}` });
    return value;
  };
  const MISTAKES = [TypeError, ReferenceError, SyntaxError, RangeError, EvalError, URIError];
  // A tool that throws tells the model why; a mistake in the file is told to its author as well.
  const isAnswer = (error) => error instanceof Error && error.name !== "InternalError" && !MISTAKES.some((kind) => error instanceof kind);

  const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const base64 = (bytes) => {
    const pieces = [];
    for (let start = 0; start < bytes.length; start += 3) {
      const [one, two, three] = [bytes[start], bytes[start + 1], bytes[start + 2]];
      const rest = [two === undefined ? "=" : LETTERS[((two & 15) << 2) | (three >> 6)], three === undefined ? "=" : LETTERS[three & 63]];
      pieces.push(LETTERS[one >> 2] + LETTERS[((one & 3) << 4) | (two >> 4)] + rest[0] + rest[1]);
    }
    return pieces.join("");
  };

  // Bytes of a file may be base64 already.
  const fileOf = ({ filename = "", mediaType = "", data = "" }) => {
    if (data instanceof ArrayBuffer) data = new Uint8Array(data);
    else if (ArrayBuffer.isView(data)) data = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    return { filename, mediaType, data: isText(data) ? data : base64(data) };
  };

  // What an MCP server would answer is understood as well.
  const isBlock = (block) => (block?.type === "text" && isText(block.text)) || ((block?.type === "image" || block?.type === "audio") && isText(block.data));
  const ofBlocks = (blocks) => ({
    content: blocks.filter(({ type }) => type === "text").map(({ text }) => text).join("\n"),
    files: blocks.filter(({ type }) => type !== "text").map(({ type, data, mimeType }) => ({ filename: type, data, mediaType: mimeType ?? "" })),
  });

  const toolAnswer = (value) => {
    if (typeof value === "string") return { content: value };
    if (typeof value === "object" && value !== null) {
      const { content = Array.isArray(value.files) ? "" : undefined, files = [], isError } = value;
      if (typeof content === "string") return { content, ...(files.length > 0 && { files: files.map(fileOf) }), isError: isError === true };
      if (Array.isArray(content) && content.length > 0 && content.every(isBlock)) return { ...ofBlocks(content), isError: isError === true };
    }
    return { content: value === undefined ? "" : JSON.stringify(value) };
  };

  // What a person is shown: a text as it is, anything else as JSON.
  const said = (value) => ({
    output: value === undefined || value === null ? undefined : typeof value === "string" ? value : JSON.stringify(value),
  });

  const kinds = {
    async tool(name, input) {
      const tool = found(tools, name, "tool");
      const { context: fields, toolCallId, arguments: given, input: text } = JSON.parse(input);
      const controller = new AbortController();
      const context = contextOf(fields, { toolCallId, signal: controller.signal });
      const { tool: doors } = context;
      context.progress = context.onProgress = (line) => doors.progress(toolCallId, String(line));
      context.isCancelled = () => controller.signal.aborted || doors.isCancelled(toolCallId);
      running.set(toolCallId, controller);
      try {
        return toolAnswer(await tool.execute(given ?? JSON.parse(text || "{}"), context));
      } catch (error) {
        if (!isAnswer(error)) throw error;
        natives.log("debug", `the tool ${name} failed: ${show(error)}`);
        return { content: error.message, isError: true };
      } finally {
        running.delete(toolCallId);
      }
    },
    async command(name, input) {
      const { args, context } = JSON.parse(input);
      return said(await found(commands, name.replace(/^\//, ""), "command").execute(args, contextOf(context)));
    },
    async complete(name, input) {
      const { prefix, context } = JSON.parse(input);
      const { complete } = found(commands, name.replace(/^\//, ""), "command");
      return isFunction(complete) ? ((await complete(prefix, contextOf(context))) ?? []) : [];
    },
    async shortcut(key, input) {
      return said(await found(shortcuts, key, "shortcut").handler(contextOf(JSON.parse(input).context)));
    },
    render_tool(name, input) {
      const { toolArgs, result, isError, width } = JSON.parse(input);
      const renderer = found(toolRenderers, name, "renderer of the tool");
      return {
        header: renderer.renderHeader?.(toolArgs, width) ?? "",
        body: result === undefined ? "" : (renderer.renderBody?.(result, isError === true, width) ?? ""),
      };
    },
    render_message(name, input) {
      const { content, width } = JSON.parse(input);
      return { text: String(found(messageRenderers, name, "message renderer").render(content, width) ?? "") };
    },
    render_widget(id, input) {
      return { text: String(found(widgets, id, "widget")(JSON.parse(input).width) ?? "") };
    },
  };

  const startCall = (kind, name, input) => {
    if (!Object.hasOwn(kinds, kind)) throw new HostError({ code: "not-found", message: `there is no kind of call ${kind}` });
    const answer = kinds[kind](name, input);
    return typeof answer?.then === "function" ? answer.then(JSON.stringify) : JSON.stringify(answer);
  };

  // Answers a text at once, or calls `done` later.
  entries.start = (kind, name, input, done) => {
    const answer = kind === "event" ? startEvent(name, input) : startCall(kind, name, input);
    if (typeof answer === "string") return answer;
    answer.then((text) => done(true, text), (error) => done(false, error));
    return undefined;
  };
})
