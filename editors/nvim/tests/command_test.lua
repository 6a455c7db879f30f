local editor = require("editor")
local equal = editor.equal

local first, second = ("a1b2c3d4"):rep(4), ("e5f6a7b8"):rep(4)

--- An editor with two stored sessions, in which lists choose their item number `_G.choice`.
local function start()
  local nvim = editor.start({ ["a.txt"] = "one\n" }, { open = "a.txt" })
  nvim:lua(
    [[
    local function summary(id, fields)
      local base = { id = id, path = "/x", cwd = "/", created = "", modified = "2026-01-02T03:04:05Z", messageCount = 1 }
      return vim.tbl_extend("force", base, { firstMessage = "", running = false }, fields)
    end
    local first, second = ...
    _G.fake.replies["kit.session.list"] = { sessions = {
      summary(first, { name = "Panic hunt" }), summary(second, { firstMessage = "make it faster" }),
    } }
    local function same(argument) return { session = argument.session, name = argument.name, path = argument.path } end
    for _, name in ipairs({ "open", "rename", "fork", "export" }) do
      _G.fake.replies["kit.session." .. name] = same
    end
    _G.fake.replies["kit.session.transcript"] = { events = {}, nextSeq = 1 }
    _G.fake.replies["kit.session.delete"] = function(argument) return { session = argument.session, deleted = { argument.session } } end
    _G.choice = 1
    vim.ui.select = function(items, options, choose)
      _G.asked = options.prompt
      choose(items[_G.choice], _G.choice)
    end
    vim.ui.input = function(options, use)
      _G.asked, _G.default = options.prompt, options.default
      use(_G.written)
    end
    require("kit.session").current = second
  ]],
    first,
    second
  )
  return nvim
end

--- What a command of the server was called with.
local function call_of(nvim, command, count)
  nvim:wait(("#_G.fake.ran('%s') == %d"):format(command, count or 1))
  return nvim:get(("_G.fake.ran('%s')"):format(command))[count or 1]
end

return {
  {
    "renames the current session, one that is named, and one that is picked",
    function()
      local nvim = start()
      nvim:command("Kit sessions rename Faster now")
      equal(call_of(nvim, "kit.session.rename"), { session = second, name = "Faster now" })
      nvim:command("Kit sessions rename a1b2c3d4 The panic")
      equal(call_of(nvim, "kit.session.rename", 2), { session = first, name = "The panic" })
      nvim:lua("_G.written = 'Written'")
      nvim:command("Kit sessions rename panic hunt")
      equal(call_of(nvim, "kit.session.rename", 3), { session = first, name = "Written" })
      equal(nvim:get("_G.default"), "Panic hunt")
      nvim:lua("_G.choice = 2")
      nvim:command("Kit sessions rename pick Picked")
      equal(call_of(nvim, "kit.session.rename", 4), { session = second, name = "Picked" })
      nvim:wait("_G.messages[4] == 'Kit: The session is called \"Picked\" now.'")
    end,
  },
  {
    "forks, exports, opens and deletes the session that is named",
    function()
      local nvim = start()
      nvim:command("Kit sessions fork")
      equal(call_of(nvim, "kit.session.fork"), { session = second })
      nvim:command("Kit sessions fork make it faster")
      equal(call_of(nvim, "kit.session.fork", 2), { session = second })
      nvim:command("Kit sessions export a1b2c3d4 out file.md")
      equal(call_of(nvim, "kit.session.export"), { session = first, path = nvim.project .. "/out file.md" })
      nvim:command("Kit sessions export other.md")
      equal(call_of(nvim, "kit.session.export", 2), { session = second, path = nvim.project .. "/other.md" })
      nvim:command("Kit sessions open Panic hunt")
      equal(call_of(nvim, "kit.session.open"), { session = first })
      nvim:command("Kit sessions delete a1b2c3d4")
      equal(call_of(nvim, "kit.session.delete"), { session = first })
      equal(nvim:get("_G.asked"), "Delete Panic hunt · 1 message · 2026-01-02 03:04 · current?")
      nvim:command("Kit sessions delete Panik hunt")
      nvim:wait([[vim.list_contains(_G.messages,
        'Kit: No session of this workspace is called "Panik hunt". Did you mean "Panic hunt"?')]])
      equal(nvim:get("#_G.fake.ran('kit.session.delete')"), 1)
    end,
  },
  {
    "offers a copy of a session that another editor has",
    function()
      local nvim = start()
      nvim:lua([[
        _G.fake.replies["kit.session.open"] = function()
          return nil, { code = -32600, message = "it is open elsewhere", data = { kind = "busy" } }
        end
      ]])
      nvim:command("Kit sessions open Panic hunt")
      equal(call_of(nvim, "kit.session.fork"), { session = first })
      equal(nvim:get("_G.asked"), '"Panic hunt" is open in another editor')
      equal(nvim:get("_G.messages"), {})
    end,
  },
  {
    "completes sessions by title and id, and files where one is meant",
    function()
      local nvim = start()
      local function completes(line) return nvim:get("vim.fn.getcompletion(..., 'cmdline')", line) end
      equal(completes("Kit sessions fork "), { "pick", "Panic hunt", "make it faster", "a1b2c3d4", "e5f6a7b8" })
      equal(completes("Kit sessions delete make it f"), { "faster" })
      equal(completes("Kit sessions open a1"), { "a1b2c3d4" })
      equal(completes("Kit sessions export a."), { "a.txt" })
      equal(completes("Kit sessions import "), { "a.txt" })
      equal(completes("Kit sessions new "), {})
      equal(completes("Kit stop "), { "all" })
      equal(completes("Kit tree "), {})
    end,
  },
  {
    "tells what is wrong with what was typed, and does nothing",
    function()
      local nvim = start()
      local sentences = {
        ["Kit reviwe"] = ':Kit has no "reviwe". Did you mean "review"?',
        ["Kit tree x"] = ":Kit tree takes nothing behind it.",
        ["Kit restart now"] = ":Kit restart takes nothing behind it.",
        ["Kit stop al"] = ':Kit stop takes only "all", not "al". Did you mean "all"?',
        ["Kit trust no"] = ':Kit trust takes only "off", not "no".',
        ["Kit mode edti"] = ':Kit mode takes one of plan, ask, edit, auto, not "edti". Did you mean "edit"?',
        ["Kit thinking hihg"] = ':Kit thinking takes one of off, none, minimal, low, medium, high, not "hihg". Did you mean "high"?',
        ["Kit steer"] = ":Kit steer needs what the running turn should know.",
        ["Kit undo fiel"] = '"fiel" is none of hunk, file, turn, all. Did you mean "file"?',
        ["Kit sessions fokr"] = ':Kit sessions has no "fokr". Did you mean "fork"?',
        ["Kit agents stop x"] = "No subagent runs.",
        ["Kit queue"] = "There is no session yet; ask something first.",
        ["Kit compact"] = "There is no session yet; ask something first.",
        ["Kit rewind"] = "There is no session yet; ask something first.",
        ["Kit tree"] = "There is no session yet; ask something first.",
        ["Kit retry"] = "There is no session yet; ask something first.",
      }
      nvim:lua("require('kit.session').current = nil")
      local told = {}
      for command in pairs(sentences) do
        nvim:lua("_G.messages = {}")
        nvim:command(command)
        told[command] = nvim:wait("_G.messages[1]"):gsub("^Kit: ", "")
      end
      equal(told, sentences)
      equal(nvim:get("#_G.fake.commands"), 0)
    end,
  },
}
