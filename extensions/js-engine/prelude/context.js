// The context that handlers get: every method of the host under its name, bound to the session that it is about.
(function (natives, entries) {
  "use strict";

  const { methods } = entries;

  // Functions that extensions gave away and that the host names: chunks of streams, subagents, widgets.
  const streams = new Map();
  const subagents = new Map();
  const widgets = new Map();
  let lastStream = 0;
  let latestSession = "";

  class HostError extends Error {
    constructor({ code, message, data }) {
      super(message);
      this.name = "HostError";
      this.code = code;
      if (data !== undefined && data !== null) {
        try { this.data = JSON.parse(data); } catch { this.data = data; }
      }
    }
  }
  Object.defineProperty(globalThis, "HostError", { value: HostError, writable: true, configurable: true });

  const isPlain = (value) => typeof value === "object" && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);

  // The parameters of a call: named arguments, or one object.
  const parametersOf = (name, names, values) => {
    if (values.length === 1 && isPlain(values[0])) return { ...values[0] };
    const parameters = {};
    if (values.length > Math.max(names.length, 1)) {
      throw new TypeError(`${name} takes ${names.length ? names.join(", ") : "one object"}`);
    }
    if (values.length === 1 && names.length === 0 && values[0] !== undefined) {
      throw new TypeError(`${name} takes an object with its parameters`);
    }
    names.forEach((key, at) => {
      if (values[at] !== undefined) parameters[key] = values[at];
    });
    return parameters;
  };

  // Names the session, unless nobody knows one yet.
  const textOf = (parameters, session) => {
    if (session) parameters.session = session;
    return JSON.stringify(parameters);
  };
  const valueOf = (text) => {
    if (text === undefined || text === "" || text === "null") return undefined;
    return JSON.parse(text);
  };

  const notify = (name, parameters, session) => {
    const failure = natives.notify(name, textOf(parameters, session));
    if (failure !== undefined) throw new HostError(failure);
  };
  const get = (name, parameters, session) => {
    const answer = natives.get(name, textOf(parameters, session));
    if (typeof answer !== "string") throw new HostError(answer);
    return valueOf(answer);
  };
  // Errors of the host have no stack; the one of the call says which line asked.
  const rejected = (failure, here) => {
    const error = new HostError(failure);
    error.stack = here.stack;
    return error;
  };
  const call = (name, parameters, session, signal) => {
    const here = new Error();
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const wait = natives.call(name, textOf(parameters, session), (failure, text) => {
        signal?.removeEventListener("abort", stop);
        if (failure) reject(rejected(failure, here));
        else resolve(valueOf(text));
      });
      const stop = () => {
        natives.giveUp(wait);
        reject(signal.reason);
      };
      signal?.addEventListener("abort", stop);
    });
  };
  const callBytes = (name, parameters, body, session) => {
    const here = new Error();
    return new Promise((resolve, reject) => {
      natives.callBytes(name, textOf(parameters, session), body, (failure, text, bytes) => {
        if (failure) reject(rejected(failure, here));
        else resolve([valueOf(text), bytes]);
      });
    });
  };

  // --- methods that take functions -----------------------------------------------------------------------------------

  // Calls a method whose output comes in pieces to a function as well.
  const streamed = async (name, parameters, session, piece) => {
    const stream = `stream-${++lastStream}`;
    streams.set(stream, piece);
    try {
      return await call(name, { ...parameters, stream }, session, parameters.signal);
    } finally {
      streams.delete(stream);
    }
  };
  const taken = (parameters, ...names) => {
    for (const name of names) {
      const value = parameters[name];
      delete parameters[name];
      if (typeof value === "function") return value;
    }
    return undefined;
  };

  class Subagent {
    #session;
    constructor(id, result, session) {
      this.id = id;
      this.result = result;
      this.#session = session;
    }
    async wait() {
      this.result ??= await call("waitSubagent", { id: this.id }, this.#session);
      return this.result;
    }
    kill() { notify("killSubagent", { id: this.id }, this.#session); }
  }

  // Events of a subagent can come before the answer that names it.
  const EARLY = 256;
  let early = [];
  const follow = (id, listener) => {
    subagents.set(id, listener);
    const [own, others] = [early.filter((event) => event.subagent === id), early.filter((event) => event.subagent !== id)];
    early = others;
    for (const event of own) heard(event);
  };
  const heard = (event) => {
    const listener = subagents.get(event.subagent);
    if (listener) listener(event);
    else if (early.length < EARLY) early.push(event);
    if (event.type === "end") subagents.delete(event.subagent);
  };

  const special = {
    complete(parameters, session) {
      const piece = taken(parameters, "onChunk");
      return piece ? streamed("complete", parameters, session, piece) : call("complete", parameters, session, parameters.signal);
    },
    "exec.run"(parameters, session) {
      const piece = taken(parameters, "onOutput", "onChunk");
      return piece ? streamed("exec.run", parameters, session, piece) : call("exec.run", parameters, session, parameters.signal);
    },
    async spawnSubagent(parameters, session) {
      const onOutput = taken(parameters, "onOutput");
      const onEvent = taken(parameters, "onEvent");
      const onComplete = taken(parameters, "onComplete");
      const listens = Boolean(onOutput || onEvent);
      const { id, result } = await call("spawnSubagent", { ...parameters, events: listens || parameters.events === true }, session, parameters.signal);
      if (listens) {
        follow(id, (event) => {
          onEvent?.(event);
          if (event.type === "text") onOutput?.(event.content);
        });
      }
      const subagent = new Subagent(id, result, session);
      if (onComplete) subagent.wait().then(onComplete, (error) => natives.log("error", `onComplete: ${error.message}`));
      return subagent;
    },
    setWidget(parameters, session) {
      const render = parameters.content?.render;
      if (typeof render === "function") {
        widgets.set(parameters.id, render);
        parameters.content = { ...parameters.content, render: true };
      }
      notify("setWidget", parameters, session);
    },
    removeWidget(parameters, session) {
      widgets.delete(parameters.id);
      notify("removeWidget", parameters, session);
    },
  };

  // --- fetch ---------------------------------------------------------------------------------------------------------

  class Response {
    #bytes;
    constructor({ status, headers, url }, bytes) {
      this.status = status;
      this.ok = status >= 200 && status < 300;
      this.url = url;
      this.headers = new Map(Object.entries(headers ?? {}));
      this.#bytes = bytes;
    }
    async bytes() { return this.#bytes; }
    async arrayBuffer() { return this.#bytes.slice().buffer; }
    async text() { return natives.fromUtf8(this.#bytes, false); }
    async json() { return JSON.parse(await this.text()); }
  }
  const fetch = async (input, options = {}, session) => {
    const { method, timeoutMs, signal } = options;
    signal?.throwIfAborted();
    const headers = {};
    const given = options.headers ?? {};
    for (const [name, value] of typeof given[Symbol.iterator] === "function" ? given : Object.entries(given)) {
      headers[name] = String(value);
    }
    let body = options.body ?? new Uint8Array();
    if (body instanceof URLSearchParams) headers["content-type"] ??= "application/x-www-form-urlencoded";
    if (body instanceof ArrayBuffer) body = new Uint8Array(body);
    if (!(body instanceof Uint8Array)) body = natives.utf8(String(body));
    const request = callBytes("http.fetch", { url: String(input), method, headers, timeoutMs }, body, session);
    if (!signal) return new Response(...(await request));
    const aborted = new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    return new Response(...(await Promise.race([request, aborted])));
  };
  Object.defineProperty(globalThis, "fetch", {
    value: (input, options) => fetch(input, options, latestSession), writable: true, configurable: true,
  });

  // --- the context ---------------------------------------------------------------------------------------------------

  const doors = { notify, get, call };
  // A function that was taken off its context speaks for the session that was heard of last.
  const sessionOf = (self) => self?.sessionId ?? latestSession;

  const prototype = {};
  const namespaces = new Map();
  const add = (name, [door, names]) => {
    const run = special[name] ?? ((parameters, session) => doors[door](name, parameters, session, parameters.signal));
    const dot = name.indexOf(".");
    if (dot < 0) {
      const method = { [name](...values) { return run(parametersOf(name, names, values), sessionOf(this)); } };
      Object.defineProperty(prototype, name, { value: method[name], configurable: true, writable: true });
      return;
    }
    const [space, leaf] = [name.slice(0, dot), name.slice(dot + 1)];
    if (!namespaces.has(space)) {
      namespaces.set(space, []);
      Object.defineProperty(prototype, space, {
        configurable: true,
        get() {
          const bound = {};
          for (const [key, ask] of namespaces.get(space)) bound[key] = (...values) => ask(this, values);
          Object.defineProperty(this, space, { value: bound });
          return bound;
        },
      });
    }
    namespaces.get(space).push([leaf, (self, values) => run(parametersOf(name, names, values), sessionOf(self))]);
  };
  for (const [name, signature] of Object.entries(methods)) add(name, signature);
  // There is no terminal to give away, so what wants one runs as it is.
  Object.defineProperty(prototype, "suspendTUI", { value: (run) => run(), configurable: true, writable: true });
  Object.defineProperty(prototype, "fetch", {
    value(input, options) { return fetch(input, options, sessionOf(this)); }, configurable: true, writable: true,
  });

  // A context; `more` are fields of a kind of call.
  entries.contextOf = (fields, more) => {
    if (fields?.sessionId) latestSession = fields.sessionId;
    return Object.assign(Object.create(prototype), fields, more);
  };
  // Methods of a newer host take one object, and wait like those that may take long unless the host says otherwise.
  entries.learn = (names, doors) => {
    for (const name of names) if (!(name in methods)) add(name, [doors[name] ?? "call", []]);
  };
  entries.signal = (name, event) => {
    if (name === "stream.chunk") streams.get(event.stream)?.(event.chunk, event.reset === true);
    if (name === "subagent.event") heard(event);
  };
  entries.widgets = widgets;
  entries.HostError = HostError;
  entries.call = call;
})
