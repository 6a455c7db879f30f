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
    "takes an answer by key, by number or by its words",
    function()
      local nvim = start()
      local function ask(name, request, answer)
        nvim:request(name, "kit/ask", vim.tbl_extend("force", { id = name, message = "Which **one**?" }, request))
        nvim:sees("Which one?")
        answer()
        return nvim:answer(name).result
      end
      local function permit(words)
        return function() nvim:command("Kit permit " .. words) end
      end
      local function press(keys)
        return function()
          nvim:command("Kit permit")
          nvim:type(keys)
        end
      end
      local options = { "alpha", "beta" }
      local beta = { value = "beta", index = 1, cancelled = false }
      equal(ask("1", { kind = "select", options = options }, permit("2")), beta)
      equal(ask("2", { kind = "select", options = options }, permit("bet")), beta)
      equal(ask("3", { kind = "select", options = options }, press("2")), beta)
      equal(ask("4", { kind = "select", options = options }, press("x")), { cancelled = true })
      equal(ask("5", { kind = "confirm" }, press("y")), { value = true, index = 0, cancelled = false })
      equal(ask("6", { kind = "confirm" }, permit("no")), { value = false, index = 1, cancelled = false })
      equal(ask("7", { kind = "overlay", options = options }, press("1")), {
        value = "alpha",
        index = 0,
        cancelled = false,
      })
      equal(ask("8", { kind = "overlay" }, press("x")), { cancelled = false })
      local several = { kind = "multiSelect", options = options, default = { "alpha" } }
      equal(ask("9", several, press("21<CR>")), { values = { "beta" }, cancelled = false })
      equal(ask("10", several, permit("2")), { values = { "alpha", "beta" }, cancelled = false })
      equal(nvim:get("vim.fn.expand('%:t')"), "a.txt")
    end,
  },
  {
    "opens a picker for many options and an input for a text",
    function()
      local nvim = start()
      nvim:lua([[
        vim.ui.select = function(items, options, choose) choose(items[11], 11) end
        vim.ui.input = function(options, done) done(options.default .. "!") end
        vim.fn.inputsecret = function() return "hidden" end
      ]])
      local function ask(name, request)
        nvim:request(name, "kit/ask", vim.tbl_extend("force", { id = name, message = "Which one?" }, request))
        nvim:sees("Which one?")
        nvim:command("Kit permit")
        return nvim:answer(name).result
      end
      local many = {}
      for number = 1, 12 do
        many[number] = "option " .. number
      end
      equal(ask("1", { kind = "select", options = many }), { value = "option 11", index = 10, cancelled = false })
      equal(ask("2", { kind = "input", default = "me" }), { value = "me!", cancelled = false })
      equal(ask("3", { kind = "input", masked = true }), { value = "hidden", cancelled = false })
    end,
  },
  {
    "copies what is needed elsewhere when the first option is chosen",
    function()
      local nvim = start()
      nvim:request("l", "kit/ask", {
        id = "q",
        kind = "overlay",
        message = "enter the code **ABCD-EFGH** at <https://example.org/?a=K_3C-g&b=M_7>",
        options = { "Open the page", "Cancel the login" },
        copy = "ABCD-EFGH",
      })
      nvim:sees("enter the code ABCD-EFGH at <https://example.org/?a=K_3C-g&b=M_7>")
      nvim:command("Kit permit 1")
      equal(nvim:answer("l").result.index, 0)
      equal(nvim:get("vim.fn.getreg(vim.fn.has('clipboard') == 1 and '+' or '\"')"), "ABCD-EFGH")
      equal(nvim:get("_G.messages"), { "Kit: ABCD-EFGH is copied." })
    end,
  },
  {
    "goes away when the server withdraws it",
    function()
      local nvim = start()
      nvim:request("a", "kit/ask", { id = "q1", kind = "overlay", message = "First", options = { "Yes" } })
      nvim:request("b", "kit/permission", permission("q2"))
      nvim:sees("1 of 2")
      nvim:notify("kit/withdraw", { id = "q1" })
      equal(nvim:answer("a"), { result = { cancelled = true } })
      nvim:sees("$ cargo publish")
      nvim:notify("kit/withdraw", { id = "q2" })
      equal(nvim:answer("b"), { result = { option = "no" } })
      equal(nvim:shows("Kit asks"), false)
    end,
  },
  {
    "closes the input of a question that the server withdraws",
    function()
      local nvim = start()
      nvim:request("a", "kit/ask", { id = "q1", kind = "input", message = "Which name?" })
      nvim:sees("Kit asks")
      nvim:type(":Kit permit<CR>half a na")
      nvim:sees("Which name? half a na")
      nvim:notify("kit/withdraw", { id = "q1" })
      nvim:wait("vim.api.nvim_get_mode().mode == 'n'")
      equal(nvim:answer("a"), { result = { cancelled = true } })
      equal(nvim:get("_G.messages"), { "Kit: The question is withdrawn." })
      equal(nvim:shows("Which name?"), false)
    end,
  },
  {
    "stays when a prompt that waited for the turn is taken back",
    function()
      local nvim = start()
      nvim:request("p", "kit/permission", permission("q1"))
      nvim:sees("$ cargo publish")
      local usage =
        { inputTokens = 0, outputTokens = 0, cacheReadTokens = 0, cacheWriteTokens = 0, costKind = "unknown" }
      local function event(seq, turn, type, fields)
        local base = { session = "s1", turn = turn, seq = seq, at = 0, type = type }
        nvim:notify("kit/event", vim.tbl_extend("force", base, fields))
      end
      local ended = { stopReason = "cancelled", toolCallCount = 0, llmCallCount = 0, usage = usage, durationMs = 0 }
      event(1, "t1", "turn_start", { prompt = "go" })
      event(2, "t2", "turn_start", { prompt = "later" })
      event(3, "t2", "turn_end", ended)
      nvim:wait("vim.fn.getbufline(vim.fn.bufnr('kit://s1'), '$')[1] == 'Taken back.'")
      equal(nvim:get("_G.fake.answers.p == nil"), true)
      event(4, "t1", "turn_end", vim.tbl_extend("force", ended, { durationMs = 5 }))
      equal(nvim:answer("p"), { result = { option = "no" } })
    end,
  },
  {
    "withdraws what a subagent asks when that ends, and nothing of its parent",
    function()
      local nvim = start()
      local main = permission("q1", { agent = { id = "main", path = {} }, title = "Of the parent" })
      nvim:request("p1", "kit/permission", permission("q2", { title = "Of the child" }))
      nvim:request("p2", "kit/permission", main)
      nvim:sees("Of the child")
      nvim:notify("kit/event", { session = "s1", seq = 1, at = 0, type = "turn_start", prompt = "go" })
      local agent = { id = "a1", name = "release", path = { "release" } }
      local totals = { inputTokens = 0, outputTokens = 0, cacheReadTokens = 0, cacheWriteTokens = 0 }
      nvim:notify("kit/event", {
        session = "s1",
        seq = 2,
        at = 0,
        agent = agent,
        type = "turn_end",
        stopReason = "cancelled",
        toolCallCount = 0,
        usage = vim.tbl_extend("force", totals, { costKind = "unknown" }),
        durationMs = 1,
      })
      equal(nvim:answer("p1"), { result = { option = "no" } })
      nvim:sees("Of the parent")
      equal(nvim:shows("agent:"), false)
    end,
  },
}
