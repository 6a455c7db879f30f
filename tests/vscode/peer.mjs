// A program that others wrote and that a test talks to: a mock of providers, an OAuth server.

import { spawn } from "node:child_process";

/** Starts a program and answers the address that it says it listens on. It ends with the test. */
export async function startPeer(t, program, words = []) {
  const peer = spawn(program, words, { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => peer.kill());
  peer.stdout.setEncoding("utf8");
  let said = "";
  return new Promise((resolve, reject) => {
    peer.once("exit", (code) => reject(new Error(`${program} ended with ${code}: ${said}`)));
    peer.stdout.on("data", (text) => {
      said += text;
      const address = said.match(/listening on (http:\/\/\S+)/);
      if (address) resolve(address[1]);
    });
  });
}
