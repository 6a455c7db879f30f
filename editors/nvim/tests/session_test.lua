local editor = require("editor")
local equal = editor.equal

local session = "0123456789abcdef"

--- An editor with an open file, and a function that sends the session's next event.
local function start(options)
  local nvim =
    editor.start({ ["a.txt"] = "one\ntwo\nthree\n" }, vim.tbl_extend("force", { open = "a.txt" }, options or {}))
  local seq = 0
  local function event(type, fields)
    seq = seq + 1
    local base = { session = session, turn = "t1", seq = seq, at = 1000 * seq, type = type }
    nvim:notify("kit/event", vim.tbl_extend("force", base, fields or {}))
  end
  nvim:lua("_G.fake.replies['kit.session.prompt'] = { session = ..., turn = 't1', queued = false }", session)
  nvim:lua("_G.fake.replies['kit.session.new'] = { session = ... }", session)
  return nvim, event
end

local function call(id, title, fields)
  local base = { toolCallId = id, toolName = "bash", toolKind = "execute", toolArgs = "{}", title = title }
  return vim.tbl_extend("force", base, fields or {})
end

local buffer_expression = "vim.fn.bufnr('kit://" .. session .. "')"

--- The transcript's lines below its title, once its last line matches.
local function transcript(nvim, last)
  nvim:wait("vim.fn.getbufline(..., '$')[1] == select(2, ...)", nvim:get(buffer_expression), last)
  return vim.list_slice(nvim:lines(nvim:get(buffer_expression)), 2)
end

local usage = { inputTokens = 1600, cacheReadTokens = 16600, cacheWriteTokens = 0, outputTokens = 2100 }
local function turn_end(fields)
  local base = { response = "", stopReason = "end_turn", toolCallCount = 0, toolNames = {}, llmCallCount = 1 }
  base.durationMs = 72000
  base.usage = vim.tbl_extend("force", usage, { costMicros = 60000, costKind = "priced" })
  return vim.tbl_extend("force", base, fields or {})
end

--- Lets the server know the session with one finished turn.
local function keeps_session(nvim)
  nvim:lua(
    [[
    local id = ...
    _G.fake.replies["kit.session.open"] = { session = id }
    _G.fake.replies["kit.session.transcript"] = { nextSeq = 3, events = {
      { session = id, seq = 1, at = 0, type = "turn_start", prompt = "before" },
      { session = id, seq = 2, at = 0, type = "response", content = "Restored." },
    } }
  ]],
    session
  )
end

return {
  {
    "sends the prompt with the buffer as context",
    function()
      local nvim = start()
      nvim:command("Kit ask make it faster")
      nvim:wait("#_G.fake.ran('kit.session.prompt') == 1")
      equal(nvim:get("_G.fake.ran('kit.session.prompt')"), {
        { text = "make it faster", context = { { uri = nvim:uri("a.txt"), version = 0 } } },
      })
      nvim:sees("# Session 01234567")
      equal(nvim:get("vim.fn.expand('%:t')"), "a.txt")
    end,
  },
  {
    "sends selected lines, and a selection inside a line to the character",
    function()
      local nvim = start()
      nvim:command("1,2Kit ask why")
      nvim:sees("# Session")
      nvim:type("2Gvl:Kit ask this<CR>")
      nvim:wait("#_G.fake.ran('kit.session.prompt') == 2")
      local asked = nvim:get("_G.fake.ran('kit.session.prompt')")
      equal(asked[1].context[1].range, { start = { line = 0, character = 0 }, ["end"] = { line = 2, character = 0 } })
      equal(asked[2].context[1].range, { start = { line = 1, character = 0 }, ["end"] = { line = 1, character = 2 } })
      equal(asked[2].session, session)
    end,
  },
  {
    "streams a turn as Markdown without moving the cursor's window",
    function()
      local nvim, event = start()
      nvim:command("Kit ask hello")
      nvim:sees("# Session")
      event("turn_start", { prompt = "hello\nthere" })
      event("message_start")
      event("reasoning_delta", { delta = "hm\n" })
      event("reasoning_delta", { delta = "well" })
      event("message_update", { chunk = "I ru" })
      event("message_update", { chunk = "n it.\n\nNow.\n\n" })
      event("message_end", { content = "I run it.\n\nNow." })
      event("tool_call", call("c1", "make"))
      event("tool_execution_start", call("c1", "make"))
      event("tool_call", call("c2", "ls"))
      event("tool_output", { toolCallId = "c1", toolName = "bash", chunk = "a\nb", isStderr = false })
      event("tool_result", call("c2", "ls", { result = "x\n", isError = false }))
      event("tool_result", call("c1", "make", { result = "a\nb", isError = true }))
      event("message_start")
      event("message_update", { chunk = "It failed." })
      event("turn_end", turn_end({ toolCallCount = 2 }))
      equal(transcript(nvim, "18.2k in (91% cached) / 2.1k out · $0.06"), {
        "",
        "## You",
        "",
        "hello",
        "there",
        "",
        "┆ hm",
        "┆ well",
        "",
        "I run it.",
        "",
        "Now.",
        "",
        "✗ bash  make  a",
        "┆ a",
        "┆ b",
        "▸ bash  ls  2s",
        "┆ x",
        "",
        "It failed.",
        "",
        "Done in 1m12s · 2 tools",
        "18.2k in (91% cached) / 2.1k out · $0.06",
      })
      equal(nvim:get("vim.fn.expand('%:t')"), "a.txt")
      equal(nvim:shows("┆ hm  (2 lines)"), true)
    end,
  },
  {
    "shows what was said while the turn runs where it joined",
    function()
      local nvim, event = start()
      event("turn_start", { prompt = "go" })
      event("message_start")
      event("message_update", { chunk = "First." })
      event("tool_call", call("c1", "make"))
      event("steer_consumed", { prompt = "faster\nplease" })
      event("message_start")
      event("message_update", { chunk = "Yes." })
      event("turn_end", turn_end())
      local lines = transcript(nvim, "18.2k in (91% cached) / 2.1k out · $0.06")
      equal(vim.list_slice(lines, 6, 16), {
        "First.",
        "",
        "○ bash  make",
        "",
        "## You",
        "",
        "faster",
        "please",
        "",
        "Yes.",
        "",
      })
    end,
  },
  {
    "goes on with an answer above what was said meanwhile, and counts waiting prompts",
    function()
      local nvim, event = start()
      nvim:command("Kit ask go")
      nvim:sees("# Session")
      event("turn_start", { prompt = "go" })
      event("message_start")
      event("reasoning_delta", { delta = "hm" })
      event("queue", { length = 1 })
      event("notice", { message = "A note." })
      event("reasoning_delta", { delta = ", well" })
      event("message_update", { chunk = "One,\n\n" })
      event("queue", { length = 2 })
      nvim:sees("· 2 queued")
      event("turn_start", { turn = "t2", prompt = "later" })
      event("turn_end", turn_end({ turn = "t2", stopReason = "cancelled", llmCallCount = 0, durationMs = 0 }))
      event("queue", { length = 0 })
      event("message_update", { chunk = "two." })
      event("message_end", { content = "One,\n\ntwo." })
      event("turn_end", turn_end())
      local lines = transcript(nvim, "18.2k in (91% cached) / 2.1k out · $0.06")
      equal(vim.list_slice(lines, 6, #lines - 3), {
        "┆ hm, well",
        "",
        "◇ A note.",
        "",
        "One,",
        "",
        "two.",
        "",
        "## You",
        "",
        "later",
        "",
        "Taken back.",
      })
      nvim:wait("require('kit.session').queued() == 0")
      equal(nvim:shows("queued"), false)
    end,
  },
  {
    "shows running tools in place and follows the end",
    function()
      local nvim, event = start({ height = 12 })
      nvim:command("Kit ask hello")
      nvim:sees("# Session")
      event("turn_start", { prompt = "hello" })
      event("message_start")
      event("message_update", { chunk = ("line\n"):rep(30) })
      event("tool_call", call("c1", "make"))
      event("tool_execution_start", call("c1", "make"))
      nvim:sees("● bash  make  … running")
      event("tool_result", call("c1", "make", { result = "", isError = false }))
      nvim:sees("▸ bash  make  1s")
      equal(nvim:shows("running"), false)
    end,
  },
  {
    "removes what a stream_reset makes void, and keeps what came before",
    function()
      local nvim, event = start()
      event("turn_start", { prompt = "go" })
      event("message_start")
      event("message_update", { chunk = "First." })
      event("tool_call", call("c1", "make"))
      event("tool_execution_start", call("c1", "make"))
      event("tool_result", call("c1", "make", { result = "", isError = false }))
      event("message_start")
      event("reasoning_delta", { delta = "hm" })
      event("message_update", { chunk = "Doub" })
      event("tool_call", call("c2", "never"))
      event("retry", { attempt = 1, afterMs = 2000, reason = "overloaded" })
      event("stream_reset")
      event("message_update", { chunk = "Doubled no more." })
      event("turn_end", turn_end({ stopReason = "cancelled" }))
      local lines = transcript(nvim, "18.2k in (91% cached) / 2.1k out · $0.06")
      equal(vim.list_slice(lines, 5), {
        "",
        "First.",
        "",
        "▸ bash  make  1s",
        "",
        "↻ Retry 1 in 2s: overloaded",
        "",
        "Doubled no more.",
        "",
        "Stopped in 1m12s",
        "18.2k in (91% cached) / 2.1k out · $0.06",
      })
    end,
  },
  {
    "shows an edit with its lines and counts files once",
    function()
      local nvim, event = start()
      local block = { oldText = "two\n", newText = "TWO\nmore\n", oldRange = { 1, 2 }, newRange = { 1, 3 } }
      local difference =
        { uri = nvim:uri("a.txt"), path = "a.txt", additions = 2, deletions = 1, diffBlocks = { block } }
      local edit = { toolName = "edit", toolKind = "edit", result = "ok", isError = false }
      edit.metadata = { fileDiffs = { difference } }
      event("turn_start", { prompt = "go" })
      event("tool_result", call("c1", "edit a.txt", edit))
      event("tool_result", call("c2", "edit a.txt", edit))
      event("turn_end", turn_end({ toolCallCount = 2 }))
      local last = "18.2k in (91% cached) / 2.1k out · $0.06"
      equal(
        vim.list_slice(transcript(nvim, last), 5, 9),
        { "", "▾ edit a.txt  +2 −1", "┆ -two", "┆ +TWO", "┆ +more" }
      )
    end,
  },
  {
    "fetches missed events once and shows all in order",
    function()
      local nvim = start()
      nvim:lua([[
        _G.fake.replies["kit.session.transcript"] = function(argument)
          local function event(seq, type, fields)
            return vim.tbl_extend("force", { session = argument.session, seq = seq, at = 0, type = type }, fields)
          end
          return {
            events = { event(1, "turn_start", { prompt = "go" }), event(2, "response", { content = "Earlier." }) },
            nextSeq = 3,
          }
        end
      ]])
      local function event(seq, chunk)
        nvim:notify("kit/event", { session = session, seq = seq, at = 0, type = "message_update", chunk = chunk })
      end
      event(3, " Late")
      event(4, "r.")
      event(4, "again")
      equal(transcript(nvim, "Earlier. Later."), { "", "## You", "", "go", "", "Earlier. Later." })
      equal(nvim:get("_G.fake.ran('kit.session.transcript')"), { { session = session, from = 1 } })
    end,
  },
  {
    "reads an opened session anew",
    function()
      local nvim = start()
      nvim:lua(
        [[
        local id = ...
        _G.fake.replies["kit.session.list"] = { sessions = {
          { id = id, path = "/x.jsonl", cwd = "/", created = "2026-01-02T03:04:05Z", modified = "2026-01-02T03:04:05Z",
            messageCount = 2, firstMessage = "fix it", running = false },
        } }
        _G.fake.replies["kit.session.open"] = { session = id, name = "Panic hunt" }
        _G.fake.replies["kit.session.transcript"] = { nextSeq = 3, events = {
          { session = id, seq = 1, at = 0, type = "turn_start", prompt = "fix it" },
          { session = id, seq = 2, at = 0, type = "message_end", content = "Fixed." },
        } }
        vim.ui.select = function(items, options, choose)
          _G.offered = vim.tbl_map(options.format_item, items)
          choose(items[1], 1)
        end
      ]],
        session
      )
      nvim:command("Kit sessions")
      nvim:sees("# Panic hunt")
      nvim:sees("Fixed.")
      equal(nvim:get("_G.offered"), { "fix it · 2 messages · 2026-01-02 03:04" })
      equal(nvim:get("_G.fake.ran('kit.session.open')"), { { session = session } })
      equal(nvim:get("vim.fn.expand('%:t')"), "a.txt")
    end,
  },
  {
    "reads the session anew from a restarted server",
    function()
      local nvim, event = start()
      event("turn_start", { prompt = "before" })
      nvim:lua("vim.lsp.get_clients({ name = 'kit' })[1]:stop(true)")
      nvim:wait("#vim.lsp.get_clients({ name = 'kit' }) == 0")
      keeps_session(nvim)
      nvim:command("Kit session")
      equal(transcript(nvim, "Restored."), { "", "## You", "", "before", "", "Restored." })
      nvim:sees("Restored.")
      equal(nvim:get("_G.fake.ran('kit.session.open')"), { { session = session } })
    end,
  },
  {
    "starts a server that dies again with all that it knew, until it dies too often",
    function()
      local nvim, event = start()
      nvim:command("Kit ask before")
      event("turn_start", { prompt = "before" })
      nvim:sees("before")
      keeps_session(nvim)
      for time = 1, 4 do
        nvim:lua("_G.messages = {}; _G.fake.crash()")
        nvim:wait("_G.fake.is_open(vim.uri_from_bufnr(0)) and #_G.fake.ran('kit.session.open') == " .. time)
        nvim:wait([[vim.list_contains(_G.messages, "Kit: The server ended unexpectedly and is started again.")]])
      end
      equal(transcript(nvim, "Restored."), { "", "## You", "", "before", "", "Restored." })
      nvim:lua("_G.fake.crash()")
      nvim:wait([[vim.iter(_G.messages):any(function(text) return text:find("5 times", 1, true) ~= nil end)]])
      equal(nvim:get("_G.fake.initialize"), vim.NIL)
    end,
  },
  {
    "sends from the prompt, keeps its history, and stops with CTRL-C",
    function()
      local nvim = start()
      nvim:lua("_G.fake.replies['kit.session.cancel'] = { cancelled = { 't1' } }")
      nvim:command("Kit")
      nvim:wait("vim.bo.filetype == 'kitprompt' and vim.fn.mode() == 'i'")
      nvim:type("first<C-j>line<CR>")
      nvim:wait("#_G.fake.ran('kit.session.prompt') == 1")
      nvim:type("second<CR>")
      nvim:wait("#_G.fake.ran('kit.session.prompt') == 2")
      nvim:type("draft<Up><Up>")
      nvim:wait("vim.deep_equal(vim.api.nvim_buf_get_lines(0, 0, -1, false), { 'first', 'line' })")
      nvim:type("<Down><Down>")
      nvim:wait("vim.fn.getline(1) == 'draft'")
      nvim:type("<C-c>")
      nvim:wait("#_G.fake.ran('kit.session.cancel') == 1")
      local asked = nvim:get("_G.fake.ran('kit.session.prompt')")
      equal({ asked[1].text, asked[1].context[1].uri }, { "first\nline", nvim:uri("a.txt") })
      equal(asked[2], { text = "second", session = session, context = asked[1].context })
      equal(nvim:get("_G.fake.ran('kit.session.cancel')"), { { session = session } })
    end,
  },
  {
    "sends what a code action asks, and shows the session",
    function()
      local nvim = start()
      nvim:lua([[
        local client = vim.lsp.get_clients({ name = "kit" })[1]
        client:exec_cmd({ command = "kit.session.prompt", title = "Explain", arguments = { { text = "explain" } } })
      ]])
      nvim:sees("# Session")
      equal(nvim:get("_G.fake.ran('kit.session.prompt')"), { { text = "explain" } })
    end,
  },
  {
    "tells a failed command as one sentence",
    function()
      local nvim = start()
      nvim:lua([[
        _G.fake.replies["kit.session.prompt"] = function()
          return nil, { code = -32001, message = "no key for anthropic;\nset ANTHROPIC_API_KEY", data = { kind = "auth" } }
        end
      ]])
      nvim:command("Kit ask hello")
      nvim:wait("#_G.messages == 1")
      equal(nvim:get("_G.messages"), { "Kit: No key for anthropic; set ANTHROPIC_API_KEY." })
    end,
  },
  {
    "cuts long output and says how much",
    function()
      local nvim, event = start()
      local lines = {}
      for number = 1, 250 do
        lines[number] = tostring(number)
      end
      event("turn_start", { prompt = "go" })
      event("tool_result", call("c1", "seq", { result = table.concat(lines, "\n"), isError = false }))
      local shown = transcript(nvim, "┆ 200")
      equal(shown[6], "▸ bash  seq  … 50 more lines")
    end,
  },
  {
    "shows the plan once, where it was changed last, and a subagent's in its lane",
    function()
      local nvim, event = start()
      nvim:command("Kit ask go")
      nvim:sees("# Session")
      local function plan(...)
        local entries = {}
        for index, state in ipairs({ ... }) do
          entries[index] = { content = "step " .. index, status = state }
        end
        return { entries = entries }
      end
      event("turn_start", { prompt = "go" })
      event("plan", plan("in_progress", "pending"))
      event("tool_call", call("c1", "make"))
      event("tool_result", call("c1", "make", { result = "", isError = false }))
      local agent = { id = "child", name = "explore", path = { "explore" }, toolCallId = "c1" }
      event("plan", vim.tbl_extend("force", plan("pending"), { agent = agent }))
      event("plan", plan("completed", "in_progress"))
      equal(transcript(nvim, "  ● step 2"), {
        "",
        "## You",
        "",
        "go",
        "",
        "▸ bash  make  1s",
        "┆ ◇ Plan 0/1",
        "┆   ○ step 1",
        "",
        "◇ Plan 1/2",
        "  ✓ step 1",
        "  ● step 2",
      })
      event("plan", { entries = {} })
      event("notice", { message = "over" })
      equal(transcript(nvim, "◇ over")[9], "")
    end,
  },
}
