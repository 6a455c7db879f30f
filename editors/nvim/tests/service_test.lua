local editor = require("editor")
local equal = editor.equal

local function start(options)
  local nvim = editor.start({ ["a.txt"] = "one\n" }, vim.tbl_extend("force", { open = "a.txt" }, options or {}))
  nvim:lua([[
    _G.offered = {}
    vim.ui.select = function(items, options, choose)
      _G.offered = vim.tbl_map(options.format_item or tostring, items)
      choose(items[_G.choice or 1], _G.choice or 1)
    end
  ]])
  return nvim
end

local providers = {
  providers = {
    { id = "openai", state = "signedOut", login = "ChatGPT", takesKey = true, detail = "no key" },
    { id = "groq", state = "signedIn", source = "stored", takesKey = true, detail = "stored key" },
  },
}

return {
  {
    "logs in with an account by the browser",
    function()
      local nvim = start()
      nvim:lua("_G.fake.replies['kit.auth.status'] = ...", providers)
      nvim:lua("_G.fake.replies['kit.auth.login'] = ...", providers)
      nvim:command("Kit login")
      nvim:wait("#_G.fake.ran('kit.auth.login') == 1")
      equal(nvim:get("_G.fake.ran('kit.auth.login')"), { { provider = "openai" } })
      equal(nvim:get("_G.offered"), { "Log in with ChatGPT, in the browser", "Store a key, in a terminal" })
      equal(nvim:get("vim.fn.getcompletion('Kit login g', 'cmdline')"), { "groq" })
    end,
  },
  {
    "tells how a login goes on, and cancels it",
    function()
      local nvim = start()
      nvim:lua("_G.fake.replies['kit.auth.status'] = ...", {
        providers = { { id = "openai", state = "pending", login = "ChatGPT", detail = "under way" } },
      })
      nvim:command("Kit login openai")
      nvim:wait("#_G.offered == 2")
      local function progress(value) nvim:notify("$/progress", { token = "t7", value = value }) end
      progress({ kind = "begin", title = "Kit login", message = "logging in with ChatGPT" })
      progress({ kind = "report", message = "log in with ChatGPT in the browser" })
      nvim:wait("vim.list_contains(_G.messages, 'Kit: log in with ChatGPT in the browser')")
      nvim:notify("window/showMessage", { type = 3, message = "Kit: groq: login" })
      nvim:wait("vim.list_contains(_G.messages, 'Kit: groq: login')")
      nvim:lua("_G.choice = 2")
      nvim:command("Kit login openai")
      nvim:wait([[vim.iter(_G.fake.notifications):any(function(each)
        return each.method == "window/workDoneProgress/cancel" and each.params.token == "t7"
      end)]])
    end,
  },
  {
    "stores a key from a terminal, where it is typed",
    function()
      local nvim = start()
      nvim:lua("_G.fake.replies['kit.auth.status'] = ...", { providers = { providers.providers[2] } })
      local command = { "sh", "-c", 'printf %s "$*" > words', "kit-ls" }
      nvim:lua("local command = ...; require('kit.client').server_command = function() return command end", command)
      nvim:command("Kit login groq")
      nvim:wait("_G.messages[1] == 'Kit: groq: stored key'")
      equal(nvim:get("vim.fn.readfile('words')"), { "auth login groq --key" })
      equal(nvim:get("#_G.fake.ran('kit.auth.login')"), 0)
    end,
  },
  {
    "forgets a stored login",
    function()
      local nvim = start()
      nvim:lua("_G.fake.replies['kit.auth.status'] = ...", providers)
      nvim:lua("_G.fake.replies['kit.auth.logout'] = ...", { providers = { providers.providers[1] } })
      nvim:command("Kit logout")
      nvim:wait("_G.messages[1] == 'Kit: openai: no key'")
      equal(nvim:get("_G.fake.ran('kit.auth.logout')"), { { provider = "groq" } })
    end,
  },
  {
    "lists MCP servers and acts on one",
    function()
      local nvim = start()
      local servers = {
        servers = {
          {
            name = "files",
            transport = "stdio",
            state = "ready",
            tools = { { name = "files__read", description = "Reads a file" } },
            prompts = { "files:sum" },
            resources = {},
          },
          { name = "web", transport = "http", state = "needsLogin", tools = {}, prompts = {}, resources = {} },
        },
      }
      nvim:lua("for _, name in ipairs({ 'list', 'login' }) do _G.fake.replies['kit.mcp.' .. name] = ... end", servers)
      nvim:command("Kit mcp")
      nvim:sees("● files · ready · 1 tool · 1 prompt")
      nvim:sees("files__read")
      nvim:sees("prompts: /files:sum")
      nvim:sees("? web · needs a login (:Kit mcp login)")
      nvim:lua("_G.fake.replies['kit.mcp.login'].servers[2].state = 'ready'")
      nvim:command("Kit mcp login web")
      nvim:sees("● web · ready")
      equal(nvim:get("vim.api.nvim_win_get_config(0).relative"), "")
      equal(nvim:get("_G.fake.ran('kit.mcp.login')"), { { name = "web" } })
      -- One that is on its way is shown as it goes on.
      nvim:lua("_G.fake.replies['kit.mcp.list'].servers[2].state = 'reconnecting'")
      nvim:command("Kit mcp")
      nvim:sees("… web · reconnecting")
      nvim:lua("_G.fake.replies['kit.mcp.list'].servers[2].state, _G.fake.replies['kit.mcp.list'].servers[2].error = 'failed', 'it is not there'")
      nvim:sees("✗ web · failed · it is not there")
      nvim:command("Kit mcp reconect")
      nvim:wait([[_G.messages[1] == 'Kit: :Kit mcp has no "reconect". Did you mean "reconnect"?']])
    end,
  },
  {
    "shows usage with the budget and what is estimated",
    function()
      local nvim = start()
      local totals = { inputTokens = 1000, outputTokens = 200, cacheReadTokens = 3000, cacheWriteTokens = 0 }
      totals.costKind, totals.costMicros = "priced", 430000
      nvim:lua(
        "_G.fake.replies['kit.usage.get'] = ...",
        { session = totals, today = totals, context = { used = 68000, window = 200000, estimated = true }, calls = {} }
      )
      nvim:notify("kit/status", {
        state = "idle",
        label = "",
        mode = "edit",
        usage = {
          contextUsed = 68000,
          contextWindow = 200000,
          session = totals,
          budget = { limitMicros = 5000000, usedMicros = 430000, scope = "day" },
        },
        review = { files = 0, hunks = 0 },
        pending = { permissions = 0, questions = 0 },
        agents = {},
      })
      nvim:command("Kit usage")
      nvim:sees("Session  4.0k in (75% cached) / 200 out · $0.43")
      nvim:sees("Budget   $0.43/$5.00 used of the budget of the day")
      nvim:sees("Context  ~68.0k of 200.0k (~34%, estimated)")
    end,
  },
}
