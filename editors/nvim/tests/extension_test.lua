local editor = require("editor")
local equal = editor.equal

local session = "0123456789abcdef"

local function start()
  local nvim = editor.start({ ["a.txt"] = "one\n" }, { open = "a.txt" })
  nvim:lua("_G.fake.replies['kit.session.prompt'] = { session = ..., turn = 't1', queued = false }", session)
  nvim:command("Kit ask hello")
  nvim:sees("# Session")
  nvim:notify("kit/event", { session = session, turn = "t1", seq = 1, at = 0, type = "turn_start", prompt = "hello" })
  nvim:sees("## You")
  return nvim
end

local function ui(nvim, slot, id, fields)
  local base = { op = "set", slot = slot, id = id, extension = "clock" }
  nvim:notify("kit/ui", vim.tbl_extend("force", base, fields))
end

--- The rows of the screen that hold these texts, in their order.
local function rows(nvim, texts)
  local lines = vim.split(nvim:screen(), "\n", { plain = true })
  return vim.tbl_map(function(text)
    for row, line in ipairs(lines) do
      if line:find(text, 1, true) then return row end
    end
    return 0
  end, texts)
end

local extensions = {
  extensions = {
    {
      name = "clock",
      version = "1.0.0",
      path = "/x/clock.js",
      state = "running",
      events = {},
      tools = { "time" },
      commands = { "tick" },
      shortcuts = { { key = "ctrl+k", description = "Shows the time" } },
      asks = { http = { "example.org" } },
    },
    {
      name = "bad",
      path = "/x/bad.js",
      state = "broken",
      events = {},
      tools = {},
      commands = {},
      error = "no such event",
    },
  },
}

return {
  {
    "keeps headers, widgets and footers around the session until they are removed",
    function()
      local nvim = start()
      ui(nvim, "footer", "", { text = "last line" })
      ui(nvim, "widget", "second", { text = "**second** widget", markdown = true, priority = 2 })
      ui(nvim, "widget", "first", { text = "first widget", priority = 1, style = { borderColor = "#ff0000" } })
      ui(nvim, "header", "", { text = "12:00\nUTC" })
      nvim:sees("last line")
      nvim:sees("second widget")
      local places = rows(nvim, { "12:00", "UTC", "## You", "first widget", "second widget", "last line" })
      local sorted = vim.list_slice(places)
      table.sort(sorted)
      equal(places, sorted)
      equal(places[1] > 0, true)
      equal(nvim:shows("▎ first widget"), true)
      equal(nvim:get("vim.fn.expand('%:t')"), "a.txt")
      nvim:notify("kit/ui", { op = "remove", slot = "header", id = "", extension = "clock" })
      nvim:notify("kit/ui", { op = "remove", slot = "footer", id = "", extension = "clock" })
      nvim:wait("#vim.api.nvim_tabpage_list_wins(0) == 3")
      equal({ nvim:shows("12:00"), nvim:shows("last line"), nvim:shows("first widget") }, { false, false, true })
      nvim:lua("vim.api.nvim_win_close(require('kit.session').window(), true)")
      nvim:wait("#vim.api.nvim_tabpage_list_wins(0) == 1")
      nvim:command("Kit session")
      nvim:sees("first widget")
    end,
  },
  {
    "prints lines and blocks, and writes the prompt",
    function()
      local nvim = start()
      ui(nvim, "print", "1", { text = "tick" })
      ui(nvim, "print", "2", { text = "broken", style = { kind = "error" } })
      ui(nvim, "block", "3", { text = "a\nb", style = { borderColor = "green", subtitle = "report" } })
      nvim:sees("tick")
      nvim:sees("╭ report")
      nvim:sees("│ b")
      ui(nvim, "prompt", "", { text = "say this" })
      nvim:command("Kit")
      nvim:wait("vim.bo.filetype == 'kitprompt' and vim.fn.getline(1) == 'say this'")
    end,
  },
  {
    "shows status entries in the order of their priorities",
    function()
      local nvim = start()
      ui(nvim, "status", "b", { text = "later", priority = 5 })
      ui(nvim, "status", "a", { text = "sooner", priority = 1 })
      nvim:wait("require('kit.ui').status_text() == 'sooner · later'")
      nvim:lua("vim.lsp.get_clients({ name = 'kit' })[1]:stop(true)")
      nvim:wait("require('kit.ui').status_text() == ''")
    end,
  },
  {
    "shows a tool call as its extension wants it",
    function()
      local nvim = start()
      local seq = 1
      local function event(type, fields)
        seq = seq + 1
        local base = { session = session, turn = "t1", seq = seq, at = 0, type = type, toolCallId = "c1" }
        nvim:notify("kit/event", vim.tbl_extend("force", base, { toolName = "time", toolKind = "other" }, fields))
      end
      event("tool_call", { toolArgs = "{}", title = "zone=UTC" })
      event("tool_display", { name = "Clock", header = "in UTC" })
      nvim:sees("○ Clock in UTC")
      event("tool_execution_start", {})
      event("tool_result", { toolArgs = "{}", result = '{"h":12}', isError = false })
      event("tool_display", { body = "It is noon.\nSharp.", borderColor = "blue" })
      nvim:sees("▸ Clock in UTC")
      nvim:sees("It is noon.  (2 lines)")
      equal(nvim:shows('"h"'), false)
    end,
  },
  {
    "lists extensions, and grants what one asks for after showing it",
    function()
      local nvim = start()
      nvim:lua("_G.fake.replies['kit.extension.list'] = ...", extensions)
      nvim:lua("_G.fake.replies['kit.extension.grant'] = ...", extensions)
      nvim:command("Kit extensions")
      nvim:sees("● clock 1.0.0 · 1 tool · 1 command")
      nvim:sees("✗ bad · broken · no such event")
      nvim:command("normal! l")
      nvim:command("Kit extensions grant clock")
      nvim:sees("Grant clock all that it asks for?")
      nvim:sees("fetch from example.org")
      nvim:type("y")
      nvim:wait("#_G.fake.ran('kit.extension.grant') == 1")
      equal(nvim:get("_G.fake.ran('kit.extension.grant')"), { { name = "clock", grants = true } })
      equal(nvim:get("vim.fn.getcompletion('Kit extensions reload c', 'cmdline')"), { "clock" })
    end,
  },
  {
    "binds the keys of extensions in the session alone",
    function()
      local nvim = start()
      nvim:lua("_G.fake.replies['kit.extension.list'] = ...", extensions)
      nvim:lua("_G.fake.replies['kit.extension.shortcut'] = { output = 'noon' }")
      nvim:lua("require('kit.shortcuts').refresh()")
      nvim:lua("vim.api.nvim_set_current_win(require('kit.session').window())")
      nvim:wait("vim.fn.maparg('<C-k>', 'n', false, true).buffer == 1")
      nvim:type("<C-k>")
      nvim:wait("_G.messages[1] == 'Kit: noon'")
      equal(nvim:get("_G.fake.ran('kit.extension.shortcut')"), { { key = "ctrl+k", session = session } })
      nvim:command("wincmd p")
      equal(nvim:get("vim.fn.maparg('<C-k>', 'n')"), "")
    end,
  },
  {
    "runs commands by name, with completion, and asks for arguments that are needed",
    function()
      local nvim = start()
      nvim:lua(
        [[
        local session = ...
        _G.fake.replies["kit.command.list"] = { commands = {
          { name = "review", kind = "template", description = "Reviews", arguments = "<topic>", required = 1 },
          { name = "skill:deploy", kind = "skill" },
          { name = "tick", kind = "extension" },
        } }
        _G.fake.replies["kit.command.run"] = function(argument)
          if argument.name == "tick" then return { output = "ticked" } end
          return { session = session, turn = "t2", queued = false }
        end
        vim.ui.input = function(_, done) done("speed") end
      ]],
        session
      )
      equal(nvim:get("vim.fn.getcompletion('Kit run s', 'cmdline')"), { "skill:deploy" })
      equal(nvim:get("vim.fn.getcompletion('Kit /t', 'cmdline')"), { "/tick" })
      nvim:lua([[
        _G.fake.replies["kit.prompt.complete"] = function(argument)
          local fits = argument.text == "/review of s" or argument.text == "/review s"
          return { items = fits and { { label = "speed", kind = "argument", insertText = "speed" } } or {} }
        end
      ]])
      equal(nvim:get("vim.fn.getcompletion('Kit run review of s', 'cmdline')"), { "speed" })
      equal(nvim:get("vim.fn.getcompletion('Kit /review s', 'cmdline')"), { "speed" })
      nvim:command("Kit /tick")
      nvim:wait("_G.messages[1] == 'Kit: ticked'")
      nvim:command("1Kit run review")
      nvim:wait("#_G.fake.ran('kit.command.run') == 2")
      local ran = nvim:get("_G.fake.ran('kit.command.run')")
      equal({ ran[2].name, ran[2].args, ran[2].context[1].range.start.line }, { "review", "speed", 0 })
    end,
  },
}
