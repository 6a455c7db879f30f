// The client of the Agent Client Protocol's own SDK, driven by lines of JSON: what is written on stdin goes to the agent
// through the SDK, and everything that the SDK takes from the agent is printed. What the SDK refuses is printed as a
// complaint, so that a test fails on anything that its schema does not allow.
// usage: client.mjs SDK_FOLDER AGENT [ARGUMENT…]
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { Readable, Writable } from "node:stream";
import { pathToFileURL } from "node:url";

const [folder, program, ...args] = process.argv.slice(2);
const find = createRequire(pathToFileURL(`${folder}/package.json`));
const packageFolder = find.resolve("@agentclientprotocol/sdk").replace(/dist\/.*$/, "");
const sdk = await import(pathToFileURL(`${packageFolder}dist/v1/unstable/acp.js`).href);

const print = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
for (const level of ["error", "warn", "log", "info"]) {
  console[level] = (...words) => print({ complaint: words.map((word) => (word instanceof Error ? word.stack : typeof word === "string" ? word : JSON.stringify(word))).join(" ") });
}

const agent = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
agent.stderr.on("data", (text) => print({ complaint: `stderr: ${text}` }));
agent.on("exit", (code, signal) => print({ exit: { code, signal } }));
agent.stdin.on("error", () => {});

const asked = new Map();
let last = 0;
const ask = (method) => ({ params }) =>
  new Promise((resolve, reject) => {
    asked.set(++last, { resolve, reject });
    print({ ask: last, method, params });
  });

const { methods } = sdk;
const app = sdk
  .client({ name: "kit-testkit" })
  .onNotification(methods.client.session.update, ({ params }) => print({ update: params }));
for (const method of [methods.client.session.requestPermission, methods.client.fs.readTextFile, methods.client.fs.writeTextFile]) {
  app.onRequest(method, ask(method));
}
const connection = app.connect(sdk.ndJsonStream(Writable.toWeb(agent.stdin), Readable.toWeb(agent.stdout)));

const told = (error) => ({ code: error.code, message: error.message, data: error.data });
createInterface({ input: process.stdin })
  .on("line", async (line) => {
    const { id, request, notify, params, answer, result, error, kill, end } = JSON.parse(line);
    if (request) {
      connection.agent.request(request, params).then(
        (result) => print({ answer: id, result }),
        (error) => print({ answer: id, error: told(error) }),
      );
    } else if (notify) {
      await connection.agent.notify(notify, params);
    } else if (answer) {
      const { resolve, reject } = asked.get(answer);
      asked.delete(answer);
      error ? reject(new sdk.RequestError(error.code, error.message)) : resolve(result);
    } else if (kill) {
      agent.kill("SIGKILL");
    } else if (end) {
      agent.stdin.end();
    }
  })
  .on("close", () => {
    agent.kill("SIGKILL");
    process.exit(0);
  });
