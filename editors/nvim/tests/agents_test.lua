local editor = require("editor")
local equal = editor.equal

local session = "0123456789abcdef"
local buffer_expression = "vim.fn.bufnr('kit://" .. session .. "')"
local child = { id = "c0ffee", name = "explore", path = { "explore" }, toolCallId = "call1" }
local other = { id = "decade", name = "general", path = { "general" }, toolCallId = "call2" }

local function start()
  local nvim = editor.start({ ["a.txt"] = "one\n" }, { open = "a.txt" })
  nvim:lua("_G.fake.replies['kit.session.prompt'] = { session = ..., turn = 't1', queued = false }", session)
  nvim:command("Kit ask hello")
  nvim:sees("# Session")
  local seq = 0
  local function event(type, fields)
    seq = seq + 1
    local base = { session = session, turn = "t1", seq = seq, at = 1000 * seq, type = type }
    nvim:notify("kit/event", vim.tbl_extend("force", base, fields or {}))
  end
  return nvim, event
end

local function call(id, name, kind, title, fields)
  local base = { toolCallId = id, toolName = name, toolKind = kind, toolArgs = "{}", title = title }
  return vim.tbl_extend("force", base, fields or {})
end

local function subagent(id, title, fields) return call(id, "subagent", "agent", title, fields) end

local function of(agent, fields) return vim.tbl_extend("force", { agent = agent }, fields or {}) end

local function turn_end(fields)
  local base = { response = "", stopReason = "end_turn", toolCallCount = 1, toolNames = {}, llmCallCount = 2 }
  base.durationMs = 4000
  base.usage =
    { inputTokens = 900, cacheReadTokens = 100, cacheWriteTokens = 0, outputTokens = 50, costKind = "priced" }
  base.usage.costMicros = 20000
  return vim.tbl_extend("force", base, fields or {})
end

local step = { inputTokens = 400, outputTokens = 100, cacheReadTokens = 0, cacheWriteTokens = 0, costMicros = 10000 }
step.costKind = "priced"

--- The transcript's lines below the prompt, once one of them is as wanted.
local function lines(nvim, wanted)
  nvim:wait("vim.list_contains(vim.fn.getbufline(..., 1, '$'), select(2, ...))", nvim:get(buffer_expression), wanted)
  return vim.list_slice(nvim:lines(nvim:get(buffer_expression)), 6)
end

return {
  {
    "shows what subagents do below the calls that started them, each for itself",
    function()
      local nvim, event = start()
      event("turn_start", { prompt = "hello" })
      event("message_start")
      event("message_update", { chunk = "I ask two." })
      event("tool_call", subagent("call1", "explore: Read the notes"))
      event("tool_call", subagent("call2", "general: Count"))
      event("tool_execution_start", subagent("call1"))
      event("tool_execution_start", subagent("call2"))
      event("turn_start", of(child, { prompt = "Read the notes" }))
      event("turn_start", of(other, { prompt = "Count\nall of them" }))
      event("message_start", of(child))
      event("message_start", of(other))
      event("message_update", of(child, { chunk = "I lo" }))
      event("message_update", of(other, { chunk = "One,\n" }))
      event("message_update", of(child, { chunk = "ok.\n\nNow." }))
      event("message_update", of(other, { chunk = "two." }))
      -- Models number their calls anew in each agent.
      event("tool_call", of(child, call("call1", "read", "read", "notes.txt")))
      event("tool_execution_start", of(child, call("call1", "read", "read")))
      event("step_usage", of(child, step))
      event("step_usage", of(child, step))
      equal(lines(nvim, "● subagent explore: Read the notes  … running · 1 tool · $0.02"), {
        "",
        "I ask two.",
        "",
        "● subagent explore: Read the notes  … running · 1 tool · $0.02",
        "┆ I look.",
        "┆ ",
        "┆ Now.",
        "┆ ● read  notes.txt  … running",
        "● subagent general: Count  … running",
        "┆ Count",
        "┆ all of them",
        "┆ One,",
        "┆ two.",
      })
      event("tool_result", of(child, call("call1", "read", "read", nil, { result = "42\nand more", isError = false })))
      event("message_start", of(child))
      event("message_update", of(child, { chunk = "It is 42.\n" }))
      event("turn_end", of(child, turn_end()))
      event(
        "tool_result",
        subagent("call1", nil, {
          result = "Session ID: c0ffee\n\nIt is 42.",
          isError = false,
          metadata = { subagentSession = "c0ffee" },
        })
      )
      local done =
        "▸ subagent explore: Read the notes  Done in 4s · 1 tool · 1.0k in (10% cached) / 50 out · $0.02"
      equal(vim.list_slice(lines(nvim, done), 4, 12), {
        done,
        "┆ I look.",
        "┆ ",
        "┆ Now.",
        "┆ ▸ read  notes.txt  3s",
        "┆ ┆ 42",
        "┆ ┆ and more",
        "┆ It is 42.",
        "● subagent general: Count  … running",
      })
      nvim:sees("┆ I look.  (7 lines)")
      event("message_start")
      event("message_update", { chunk = "Both." })
      lines(nvim, "Both.")
      event("message_update", of(other, { chunk = " Three." }))
      equal(vim.list_slice(lines(nvim, "┆ two. Three."), 12), {
        "● subagent general: Count  … running",
        "┆ Count",
        "┆ all of them",
        "┆ One,",
        "┆ two. Three.",
        "",
        "Both.",
      })
      equal(nvim:get("vim.fn.expand('%:t')"), "a.txt")
    end,
  },
  {
    "keeps a subagent in the background below its call after the turn",
    function()
      local nvim, event = start()
      event("turn_start", { prompt = "hello" })
      event("message_start")
      event("tool_call", subagent("call1", "explore: Wait"))
      event("tool_execution_start", subagent("call1"))
      event("turn_start", of(child, { prompt = "Wait" }))
      event("tool_result", subagent("call1", nil, { result = "Subagent started", isError = false }))
      event("message_start")
      event("message_update", { chunk = "It works." })
      event("turn_end", turn_end())
      event("message_start", of(child))
      event("message_update", of(child, { chunk = "Still here." }))
      equal(vim.list_slice(lines(nvim, "┆ Still here."), 2, 5), {
        "● subagent explore: Wait  … running",
        "┆ Still here.",
        "",
        "It works.",
      })
      event("turn_end", of(child, turn_end({ stopReason = "cancelled", toolCallCount = 0 })))
      lines(nvim, "✗ subagent explore: Wait  Stopped in 4s · 1.0k in (10% cached) / 50 out · $0.02")
    end,
  },
  {
    "takes back only what a subagent's own step has shown",
    function()
      local nvim, event = start()
      event("turn_start", { prompt = "hello" })
      event("message_start")
      event("message_update", { chunk = "Mine." })
      event("tool_call", subagent("call1", "explore: Look"))
      event("tool_execution_start", subagent("call1"))
      event("turn_start", of(child, { prompt = "Look" }))
      event("message_start", of(child))
      event("message_update", of(child, { chunk = "Wrong\ntwice" }))
      lines(nvim, "┆ twice")
      event("stream_reset", of(child))
      event("message_update", of(child, { chunk = "Right" }))
      equal(lines(nvim, "┆ Right"), { "", "Mine.", "", "● subagent explore: Look  … running", "┆ Right" })
    end,
  },
  {
    "shows a subagent that no call of the session started on a line of its own",
    function()
      local nvim, event = start()
      local spawned = { id = "abc", name = "monitor", path = { "monitor" } }
      event("turn_start", { prompt = "hello" })
      event("message_update", of(spawned, { chunk = "Watching." }))
      equal(lines(nvim, "┆ Watching."), { "", "○ monitor", "┆ Watching." })
    end,
  },
  {
    "opens a subagent's transcript and stops it alone, from its lines and from the list",
    function()
      local nvim, event = start()
      nvim:lua("_G.fake.contents['kit-session:c0ffee.md'] = '# explore\\n\\nThe whole story.\\n'")
      nvim:lua("_G.fake.replies['kit.session.cancel'] = { cancelled = { 't9' } }")
      event("turn_start", { prompt = "hello" })
      event("message_start")
      event("tool_call", subagent("call1", "explore: Look"))
      event("tool_execution_start", subagent("call1"))
      event("turn_start", of(child, { prompt = "Look" }))
      event("message_start", of(child))
      event("message_update", of(child, { chunk = "Here." }))
      event("tool_call", of(child, call("call1", "read", "read", "notes.txt")))
      lines(nvim, "┆ ○ read  notes.txt")
      nvim:lua("vim.api.nvim_set_current_win(require('kit.session').window()); vim.fn.search('notes.txt', 'w')")
      nvim:type("X")
      nvim:wait("#_G.fake.ran('kit.session.cancel') == 1")
      equal(nvim:get("_G.fake.ran('kit.session.cancel')"), { { session = "c0ffee" } })
      nvim:lua("vim.fn.search('subagent', 'wb')")
      nvim:type("<CR>")
      nvim:sees("The whole story.")
      nvim:type("q")
      nvim:wait("vim.fn.tabpagenr('$') == 1")
      nvim:notify("kit/status", {
        state = "running",
        label = "",
        mode = "edit",
        usage = { contextUsed = 0, contextWindow = 0, session = turn_end().usage, today = turn_end().usage },
        review = { files = 0, hunks = 0 },
        pending = { permissions = 0, questions = 0 },
        agents = {
          {
            id = "c0ffee",
            name = "explore",
            state = "running",
            label = "read notes.txt",
            task = "Look",
            session = session,
          },
        },
      })
      nvim:lua([[
        _G.offered = {}
        vim.ui.select = function(items, options, choose)
          for _, item in ipairs(items) do
            table.insert(_G.offered, options.format_item and options.format_item(item) or item)
          end
          choose(items[#items], #items)
        end
      ]])
      nvim:command("Kit agents")
      nvim:wait("#_G.fake.ran('kit.session.cancel') == 2")
      equal(nvim:get("_G.offered"), { "explore · Look · read notes.txt", "Open its transcript", "Stop it" })
    end,
  },
  {
    "lists the agents that run and the named ones",
    function()
      local nvim = start()
      nvim:lua([[
        _G.fake.replies["kit.agent.list"] = { agents = {
          { name = "explore", description = "Looks around", source = "built-in", tools = { "read", "grep" } },
          { name = "secret", description = "Unseen", source = "built-in", hidden = true },
        } }
      ]])
      nvim:command("Kit agents")
      nvim:sees("explore      Looks around (read grep)")
      equal(nvim:shows("Unseen"), false)
    end,
  },
}
