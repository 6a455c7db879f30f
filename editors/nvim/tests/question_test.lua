local editor = require("editor")
local equal = editor.equal

local function permission(id, fields)
  return vim.tbl_extend("force", {
    id = id,
    session = "s1",
    agent = { id = "a1", name = "release", path = { "main", "release" } },
    title = "Run `cargo publish`",
    toolKind = "execute",
    subject = { command = "cargo publish", cwd = "/tmp/x" },
    options = {
      { id = "once", label = "Allow once", kind = "allowOnce" },
      {
        id = "always",
        label = "Always allow",
        kind = "allowAlways",
        scope = "project",
        rule = "Bash(cargo publish:*)",
      },
      { id = "no", label = "Reject", kind = "rejectOnce" },
    },
    why = "shell commands ask",
  }, fields or {})
end

local function start() return editor.start({ ["a.txt"] = "one\n" }, { open = "a.txt" }) end

return {
  {
    "shows a permission without taking the cursor, mode or keys",
    function()
      local nvim = start()
      nvim:type("ihel")
      nvim:wait("vim.fn.getline(1) == 'helone'")
      nvim:request("p", "kit/permission", permission("q1"))
      nvim:sees("Always allow Bash(cargo publish:*) (project)")
      nvim:sees("agent: main ▸ release")
      nvim:sees("$ cargo publish")
      nvim:sees("why: shell commands ask")
      nvim:type("yan")
      nvim:wait("vim.fn.getline(1) == 'helyanone'")
      equal(nvim:get("_G.fake.answers"), {})
      nvim:command("Kit permit y")
      equal(nvim:answer("p"), { result = { option = "once" } })
      equal(nvim:shows("cargo publish"), false)
      equal(nvim:get("vim.fn.mode()"), "i")
    end,
  },
  {
    "is answered by one key after moving in, and goes back to insert mode where it was",
    function()
      local nvim = start()
      nvim:lua("vim.keymap.set('i', '<F2>', '<Plug>(kit-permit)')")
      nvim:type("Ahel")
      nvim:wait("vim.fn.getline(1) == 'onehel'")
      nvim:request("p", "kit/permission", permission("q1"))
      nvim:sees(":Kit permit answers")
      nvim:type("<F2>")
      nvim:sees("q later")
      nvim:type("a")
      equal(nvim:answer("p"), { result = { option = "always" } })
      nvim:type("lo")
      nvim:wait("vim.fn.getline(1) == 'onehello'")
    end,
  },
  {
    "is put off with q, and rejected with a reason",
    function()
      local nvim = start()
      nvim:request("p", "kit/permission", permission("q1"))
      nvim:sees("Allow once")
      nvim:command("Kit permit")
      nvim:type("q")
      nvim:sees(":Kit permit answers")
      equal(nvim:get("vim.fn.expand('%:t')"), "a.txt")
      nvim:command("Kit permit reject too early")
      equal(nvim:answer("p"), { result = { option = "no", feedback = "too early" } })
    end,
  },
  {
    "queues several, one at a time",
    function()
      local nvim = start()
      nvim:request("p1", "kit/permission", permission("q1"))
      nvim:request(
        "p2",
        "kit/permission",
        permission("q2", { title = "Run `rm -rf`", subject = { command = "rm -rf" } })
      )
      nvim:sees("Kit asks · 1 of 2")
      nvim:command("Kit permit n")
      equal(nvim:answer("p1"), { result = { option = "no" } })
      nvim:sees("$ rm -rf")
      nvim:command("Kit permit 2")
      equal(nvim:answer("p2"), { result = { option = "always" } })
      nvim:command("Kit permit")
      equal(nvim:get("_G.messages"), { "Kit: Nothing waits for an answer." })
    end,
  },
  {
    "withdraws a session's permissions when its turn ends, and no other's",
    function()
      local nvim = start()
      nvim:notify("kit/event", { session = "s1", seq = 1, at = 0, type = "turn_start", prompt = "go" })
      nvim:request("p1", "kit/permission", permission("q1"))
      nvim:request("p2", "kit/permission", permission("q2", { session = "s2" }))
      nvim:sees("1 of 2")
      local usage =
        { inputTokens = 0, outputTokens = 0, cacheReadTokens = 0, cacheWriteTokens = 0, costKind = "unknown" }
      nvim:notify("kit/event", {
        session = "s1",
        seq = 2,
        at = 0,
        type = "turn_end",
        response = "",
        stopReason = "cancelled",
        toolCallCount = 0,
        toolNames = {},
        llmCallCount = 0,
        usage = usage,
        durationMs = 1,
      })
      equal(nvim:answer("p1"), { result = { option = "no" } })
      nvim:sees("Kit asks ─")
      equal(nvim:get("require('kit.question').count()"), 1)
    end,
  },
  {
    "shows the change that an edit would make",
    function()
      local nvim = start()
      local block = { oldText = "old\n", newText = "new\n", oldRange = { 0, 1 }, newRange = { 0, 1 } }
      local subject = { uri = nvim:uri("a.txt"), diffBlocks = { block } }
      nvim:request("p", "kit/permission", permission("q1", { subject = subject }))
      nvim:sees("a.txt")
      nvim:sees("│-old")
      nvim:sees("│+new")
    end,
  },
  {
    "asks with pickers and inputs once the user is ready",
    function()
      local nvim = start()
      nvim:lua([[
        vim.ui.select = function(items, options, choose) choose(items[_G.choice], _G.choice) end
        vim.ui.input = function(options, done) done(options.default .. "!") end
        vim.fn.inputsecret = function() return "hidden" end
      ]])
      local function ask(name, choice, request)
        nvim:lua("_G.choice = ...", choice)
        nvim:request(name, "kit/ask", vim.tbl_extend("force", { id = name, message = "Which one?" }, request))
        nvim:sees("Which one?")
        nvim:command("Kit permit")
        return nvim:answer(name).result
      end
      local options = { "a", "b" }
      equal(ask("1", 2, { kind = "select", options = options }), { value = "b", index = 1, cancelled = false })
      equal(ask("2", 9, { kind = "select", options = options }), { cancelled = true })
      equal(ask("3", 1, { kind = "confirm" }), { value = true, index = 0, cancelled = false })
      equal(ask("4", 0, { kind = "input", default = "me" }), { value = "me!", cancelled = false })
      equal(ask("5", 0, { kind = "input", masked = true }), { value = "hidden", cancelled = false })
      equal(ask("6", 2, { kind = "overlay", options = options }), { value = "b", index = 1, cancelled = false })
      nvim:lua([[
        local picks = { 3, 2, 3, 1 }
        vim.ui.select = function(items, options, choose)
          local pick = table.remove(picks, 1)
          choose(items[pick], pick)
        end
      ]])
      equal(ask("7", 0, { kind = "multiSelect", options = options }), { values = { "a" }, cancelled = false })
    end,
  },
}
