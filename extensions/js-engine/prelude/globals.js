// What a file expects to be there in every JavaScript: console, timers, text, URLs, abort signals.
(function (natives, entries) {
  "use strict";

  const define = (name, value) =>
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });

  // --- console -------------------------------------------------------------------------------------------------------

  const show = (value, depth = 0) => {
    if (typeof value === "string") return depth ? JSON.stringify(value) : value;
    if (value instanceof Error) return `${value.name}: ${value.message}\n${value.stack ?? ""}`.trimEnd();
    if (typeof value === "function") return `[function ${value.name || "anonymous"}]`;
    if (typeof value !== "object" || value === null) return String(value);
    if (depth > 3) return Array.isArray(value) ? "[…]" : "{…}";
    if (Array.isArray(value)) return `[${value.map((item) => show(item, depth + 1)).join(", ")}]`;
    if (value instanceof Map) return `Map ${show([...value], depth)}`;
    if (value instanceof Set) return `Set ${show([...value], depth)}`;
    const fields = Object.entries(value).map(([key, item]) => `${key}: ${show(item, depth + 1)}`);
    return `{ ${fields.join(", ")} }`;
  };
  const log = (level) => (...values) => natives.log(level, values.map((value) => show(value)).join(" "));
  const info = log("info");
  define("console", {
    debug: log("debug"), trace: log("debug"), log: info, info, warn: log("warn"), error: log("error"),
    assert: (holds, ...values) => holds || log("error")("assertion failed", ...values),
  });

  Math.random = () => natives.random();

  // --- timers --------------------------------------------------------------------------------------------------------

  const timers = new Map();
  let lastTimer = 0;
  const wait = (timer, ms, work) => {
    const elapsed = (failure) => {
      if (failure) timers.delete(timer);
      else if (timers.has(timer)) work();
    };
    timers.set(timer, natives.call("sleep", JSON.stringify({ ms }), elapsed));
  };
  const report = (error) => natives.log("error", `in a timer: ${show(error)}`);
  const guarded = (callback, values) => {
    try {
      const result = callback(...values);
      if (typeof result?.then === "function") result.then(undefined, report);
    } catch (error) {
      report(error);
    }
  };
  const duration = (ms) => Math.max(0, Math.min(Number(ms) || 0, 0x7fffffff));
  define("setTimeout", (callback, ms, ...values) => {
    const timer = ++lastTimer;
    wait(timer, duration(ms), () => {
      timers.delete(timer);
      guarded(callback, values);
    });
    return timer;
  });
  define("setInterval", (callback, ms, ...values) => {
    const timer = ++lastTimer;
    // Ten milliseconds at least: a timer is a call of the host.
    const pause = Math.max(10, duration(ms));
    const again = () => {
      wait(timer, pause, again);
      guarded(callback, values);
    };
    wait(timer, pause, again);
    return timer;
  });
  const clear = (timer) => {
    const pending = timers.get(timer);
    if (timers.delete(timer)) natives.giveUp(pending);
  };
  define("clearTimeout", clear);
  define("clearInterval", clear);

  // --- text ----------------------------------------------------------------------------------------------------------

  // QuickJS compares at each place; for long strings the search in the engine is many times quicker.
  const LONG = 256;
  const { includes, indexOf } = String.prototype;
  const natively = (text, wanted, from) =>
    typeof text === "string" && typeof wanted === "string" && from === undefined && text.length > LONG && wanted !== "";
  const replace = (name, method) =>
    Object.defineProperty(String.prototype, name, { value: method, writable: true, configurable: true });
  // Methods and not arrows, as `this` is the string; not constructors, as the built-in ones are none.
  const searching = {
    includes(wanted, from) {
      return natively(this, wanted, from) ? natives.find(this, wanted) >= 0 : includes.apply(this, arguments);
    },
    indexOf(wanted, from) {
      return natively(this, wanted, from) ? natives.find(this, wanted) : indexOf.apply(this, arguments);
    },
  };
  replace("includes", searching.includes);
  replace("indexOf", searching.indexOf);

  define("TextEncoder", class TextEncoder {
    get encoding() { return "utf-8"; }
    encode(text = "") { return natives.utf8(String(text)); }
  });
  define("TextDecoder", class TextDecoder {
    #fatal;
    constructor(label = "utf-8", options = {}) {
      if (!/^utf-?8$/i.test(label)) throw new RangeError(`the encoding ${label} is not known; utf-8 is`);
      this.#fatal = options.fatal === true;
    }
    get encoding() { return "utf-8"; }
    decode(bytes) {
      if (bytes === undefined) return "";
      const view = ArrayBuffer.isView(bytes) ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength) : new Uint8Array(bytes);
      return natives.fromUtf8(view, this.#fatal);
    }
  });

  // --- URLs ----------------------------------------------------------------------------------------------------------

  const decoded = (text) => {
    const spaced = text.replaceAll("+", " ");
    try { return decodeURIComponent(spaced); } catch { return spaced; }
  };
  const encoded = (text) =>
    encodeURIComponent(text).replaceAll("%20", "+").replace(/[!'()~]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

  class URLSearchParams {
    #pairs = [];
    constructor(init = "") {
      if (typeof init === "string") {
        for (const part of init.replace(/^\?/, "").split("&")) {
          if (part === "") continue;
          const [name, ...value] = part.split("=");
          this.#pairs.push([decoded(name), decoded(value.join("="))]);
        }
      } else {
        const pairs = typeof init[Symbol.iterator] === "function" ? init : Object.entries(init);
        for (const [name, value] of pairs) this.#pairs.push([String(name), String(value)]);
      }
    }
    append(name, value) { this.#pairs.push([String(name), String(value)]); }
    delete(name) { this.#pairs = this.#pairs.filter(([key]) => key !== String(name)); }
    get(name) { return this.#pairs.find(([key]) => key === String(name))?.[1] ?? null; }
    getAll(name) { return this.#pairs.filter(([key]) => key === String(name)).map(([, value]) => value); }
    has(name) { return this.#pairs.some(([key]) => key === String(name)); }
    set(name, value) {
      const at = this.#pairs.findIndex(([key]) => key === String(name));
      this.delete(name);
      this.#pairs.splice(at < 0 ? this.#pairs.length : at, 0, [String(name), String(value)]);
    }
    sort() { this.#pairs.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)); }
    forEach(callback) { for (const [name, value] of this.#pairs) callback(value, name, this); }
    get size() { return this.#pairs.length; }
    *keys() { for (const [name] of this.#pairs) yield name; }
    *values() { for (const [, value] of this.#pairs) yield value; }
    *entries() { for (const pair of this.#pairs) yield [...pair]; }
    [Symbol.iterator]() { return this.entries(); }
    toString() { return this.#pairs.map(([name, value]) => `${encoded(name)}=${encoded(value)}`).join("&"); }
  }
  define("URLSearchParams", URLSearchParams);

  const PORTS = { "http:": "80", "https:": "443", "ws:": "80", "wss:": "443", "ftp:": "21" };
  const HIERARCHICAL = /^([a-z][a-z0-9+.-]*:)\/\/(?:([^/?#@]*)@)?(\[[^\]]*\]|[^/?#:]*)(?::(\d*))?([^?#]*)(\?[^#]*)?(#.*)?$/i;
  const OPAQUE = /^([a-z][a-z0-9+.-]*:)([^?#]*)(\?[^#]*)?(#.*)?$/i;
  const squeezed = (path) => {
    const kept = [];
    const parts = path.split("/");
    parts.forEach((part, at) => {
      const last = at === parts.length - 1;
      if (part === "..") { if (kept.length > 1) kept.pop(); if (last) kept.push(""); }
      else if (part === ".") { if (last) kept.push(""); }
      else kept.push(part);
    });
    return kept.join("/") || "/";
  };
  const escaped = (text, also) =>
    text.replace(also, (c) => encodeURIComponent(c).replace(/^[ -~]$/, (s) => `%${s.charCodeAt(0).toString(16).toUpperCase()}`));

  class URL {
    #searchParams;
    constructor(input, base) {
      let text = String(input).trim();
      if (!OPAQUE.test(text)) {
        if (base === undefined) throw new TypeError(`Invalid URL: ${text}`);
        const from = new URL(base);
        const origin = `${from.protocol}//${from.host}`;
        if (text.startsWith("//")) text = from.protocol + text;
        else if (text.startsWith("/")) text = origin + text;
        else if (text.startsWith("?")) text = origin + from.pathname + text;
        else if (text.startsWith("#")) text = origin + from.pathname + from.search + text;
        else text = origin + from.pathname.replace(/[^/]*$/, "") + text;
      }
      const found = HIERARCHICAL.exec(text);
      if (found) {
        const [, protocol, user = "", host, port = "", path, search = "", hash = ""] = found;
        this.protocol = protocol.toLowerCase();
        if (host === "" && this.protocol in PORTS) throw new TypeError(`Invalid URL: ${text}`);
        [this.username, this.password = ""] = user.split(":");
        this.hostname = host.toLowerCase();
        this.port = port === PORTS[this.protocol] ? "" : port;
        this.pathname = escaped(squeezed(path || "/"), /[^!#$&'()*+,/:;=?@[\]%A-Za-z0-9._~|-]/gu);
        this.hash = hash === "#" ? "" : hash;
        this.#searchParams = new URLSearchParams(search);
        this.#search = search === "?" ? "" : escaped(search, /[^!#$&()*+,/:;=?@[\]%A-Za-z0-9._~|{}^`\\-]/gu);
        return;
      }
      const [, protocol, path, search = "", hash = ""] = OPAQUE.exec(text);
      Object.assign(this, { protocol: protocol.toLowerCase(), username: "", password: "", hostname: "", port: "", pathname: path, hash });
      this.#search = search;
      this.#searchParams = new URLSearchParams(search);
    }
    #search;
    get searchParams() { return this.#searchParams; }
    get search() {
      // Parameters that were not changed keep their own spelling.
      const changed = this.#searchParams.toString() !== new URLSearchParams(this.#search).toString();
      if (!changed) return this.#search;
      return this.#searchParams.size ? `?${this.#searchParams}` : "";
    }
    set search(text) {
      this.#search = text && !String(text).startsWith("?") ? `?${text}` : String(text);
      this.#searchParams = new URLSearchParams(this.#search);
    }
    get host() { return this.port === "" ? this.hostname : `${this.hostname}:${this.port}`; }
    get origin() { return this.protocol in PORTS ? `${this.protocol}//${this.host}` : "null"; }
    get href() {
      if (this.hostname === "" && !this.pathname.startsWith("/")) return this.protocol + this.pathname + this.search + this.hash;
      const password = this.password === "" ? "" : `:${this.password}`;
      const user = this.username === "" && password === "" ? "" : `${this.username}${password}@`;
      return `${this.protocol}//${user}${this.host}${this.pathname}${this.search}${this.hash}`;
    }
    toString() { return this.href; }
    toJSON() { return this.href; }
    static canParse(input, base) {
      try { return Boolean(new URL(input, base)); } catch { return false; }
    }
  }
  define("URL", URL);

  // --- abort signals -------------------------------------------------------------------------------------------------

  class AbortSignal {
    #listeners = new Set();
    aborted = false;
    reason = undefined;
    onabort = null;
    addEventListener(type, listener) { if (type === "abort") this.#listeners.add(listener); }
    removeEventListener(type, listener) { if (type === "abort") this.#listeners.delete(listener); }
    throwIfAborted() { if (this.aborted) throw this.reason; }
    // A signal stands among the parameters of a method, and is not for the host.
    toJSON() { return undefined; }
    static abort(reason) {
      const controller = new AbortController();
      controller.abort(reason);
      return controller.signal;
    }
    static timeout(ms) {
      const controller = new AbortController();
      setTimeout(() => controller.abort(named("TimeoutError", "the time is over")), ms);
      return controller.signal;
    }
    static end(signal, reason) {
      if (signal.aborted) return;
      signal.aborted = true;
      signal.reason = reason;
      const event = { type: "abort", target: signal };
      if (typeof signal.onabort === "function") guarded(signal.onabort, [event]);
      for (const listener of signal.#listeners) {
        guarded(typeof listener === "function" ? listener : (value) => listener.handleEvent(value), [event]);
      }
      signal.#listeners.clear();
    }
  }
  const end = AbortSignal.end;
  delete AbortSignal.end;
  const named = (name, message) => Object.assign(new Error(message), { name });
  class AbortController {
    signal = new AbortSignal();
    abort(reason = named("AbortError", "it is no longer wanted")) { end(this.signal, reason); }
  }
  define("AbortSignal", AbortSignal);
  define("AbortController", AbortController);

  // --- copies --------------------------------------------------------------------------------------------------------

  const copied = (value, seen) => {
    if (typeof value === "function" || typeof value === "symbol") throw new TypeError(`a ${typeof value} cannot be copied`);
    if (typeof value !== "object" || value === null) return value;
    if (seen.has(value)) return seen.get(value);
    const keep = (copy) => (seen.set(value, copy), copy);
    if (value instanceof Date) return keep(new Date(value.getTime()));
    if (value instanceof RegExp) return keep(new RegExp(value.source, value.flags));
    if (value instanceof ArrayBuffer) return keep(value.slice(0));
    if (ArrayBuffer.isView(value)) return keep(value.slice());
    if (value instanceof Map) {
      const copy = keep(new Map());
      for (const [key, item] of value) copy.set(copied(key, seen), copied(item, seen));
      return copy;
    }
    if (value instanceof Set) {
      const copy = keep(new Set());
      for (const item of value) copy.add(copied(item, seen));
      return copy;
    }
    const copy = keep(Array.isArray(value) ? [] : value instanceof Error ? new Error(value.message) : {});
    for (const key of Object.keys(value)) copy[key] = copied(value[key], seen);
    return copy;
  };
  define("structuredClone", (value) => copied(value, new Map()));

  entries.show = show;
})
