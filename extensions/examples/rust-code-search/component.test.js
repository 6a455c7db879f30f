import { test } from "kit:test";

test("the file that is about the question comes first", async (t) => {
  t.file("src/config.rs", "fn readConfigFile(path: &str) -> Config { parse(path) }");
  t.file("src/server.rs", "fn serve(config: Config) { listen(config.port) }");
  t.file("src/color.rs", "const RED: u32 = 1;");
  t.file("node_modules/config/index.js", "read config files");
  const { content } = await t.tool("rank_files", { question: "where are config files read" });
  t.equal(content.split("\n").map((line) => line.trim().split(/\s+/)[1]), ["src/config.rs", "src/server.rs"]);
});

test("three hundred files are ranked well within the limit of computing", async (t) => {
  for (let at = 0; at < 300; at++) t.file(`src/file${at}.rs`, `fn part${at}() { ${"let value = compute(other); ".repeat(200)} }`);
  t.file("src/needle.rs", "fn findTheNeedle() {}");
  const { content } = await t.tool("rank_files", { question: "find the needle", limit: 1 });
  t.match(content, "src/needle.rs");
});

test("wrong arguments are told to the model", async (t) => {
  const answer = await t.tool("rank_files", {});
  t.ok(answer.isError);
  t.match(answer.content, "missing field `question`");
});
