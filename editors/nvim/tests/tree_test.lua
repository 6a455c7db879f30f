local editor = require("editor")
local equal = editor.equal

local session = "0123456789abcdef"

local function node(id, parent, role, text, fields)
  local base = { id = id, parent = parent, type = "message", role = role, text = text, current = false }
  return vim.tbl_extend("force", base, { at = "2026-01-02T03:04:05Z" }, fields or {})
end

local nodes = {
  node("1", nil, "user", "fix it", { current = true, turn = "t1" }),
  node("2", "1", "assistant", "I read.", { current = true, turn = "t1" }),
  node("3", "2", "tool", "the file", { current = true, turn = "t1" }),
  node("4", "3", "assistant", "Fixed.", { current = true, turn = "t1", label = "good" }),
  node("5", "4", "user", "make it shorter", { turn = "t2" }),
  node("6", "5", "assistant", "Shorter.", { turn = "t2" }),
  node("7", "4", "user", "add tests", { current = true, turn = "t3" }),
  node("8", "7", "assistant", "Added.", { current = true, turn = "t3" }),
}

local function start()
  local nvim = editor.start({ ["a.txt"] = "one\n" }, { open = "a.txt", width = 140 })
  nvim:lua("_G.fake.replies['kit.session.new'] = { session = ... }", session)
  nvim:lua("_G.fake.replies['kit.session.tree'] = { nodes = ... }", nodes)
  nvim:lua(
    [[
    local answer = { session = ... }
    for _, name in ipairs({ "branch", "fork", "label" }) do
      _G.fake.replies["kit.session." .. name] = answer
    end
    _G.fake.replies["kit.session.transcript"] = { nextSeq = 3, events = {
      { session = ..., seq = 1, at = 0, type = "turn_start", prompt = "of the branch" },
    } }
    _G.fake.replies["kit.review.rewind"] = function(argument)
      return { restore = { vim.uri_from_bufnr(vim.fn.bufnr("a.txt")) }, skip = { { uri = "file:///gone", why = "it is gone" } } }
    end
    _G.inputs = {}
    vim.ui.input = function(_, done) done(table.remove(_G.inputs, 1)) end
  ]],
    session
  )
  nvim:command("Kit session")
  nvim:sees("# Session")
  nvim:command("Kit tree")
  nvim:wait("vim.bo.filetype == 'kittree'")
  return nvim
end

return {
  {
    "shows branches, labels and where the session is",
    function()
      local nvim = start()
      equal(nvim:lines(), {
        "● You: fix it",
        "● Kit: I read.",
        "● Kit: Fixed.  [good]",
        "├─ ○ You: make it shorter",
        "│  ○ Kit: Shorter.",
        "└─ ● You: add tests",
        "   ● Kit: Added.  ◂ here",
      })
      equal(nvim:get("vim.fn.line('.')"), 7)
      nvim:type("a")
      nvim:wait("vim.fn.getline(3) == '● tool: the file'")
    end,
  },
  {
    "goes on from an entry, with or without a summary, and reads the session anew",
    function()
      local nvim = start()
      nvim:type("3Gb")
      nvim:wait("#_G.fake.ran('kit.session.branch') == 1")
      nvim:sees("of the branch")
      nvim:lua("_G.inputs = { 'the tests' }")
      nvim:type("5GB")
      nvim:wait("#_G.fake.ran('kit.session.branch') == 2")
      equal(nvim:get("_G.fake.ran('kit.session.branch')"), {
        { session = session, entry = "4" },
        { session = session, entry = "6", summarize = true, focus = "the tests" },
      })
    end,
  },
  {
    "forks, labels and rewinds",
    function()
      local nvim = start()
      nvim:lua("_G.inputs = { 'better' }")
      nvim:type("2GL")
      nvim:wait("#_G.fake.ran('kit.session.label') == 1")
      equal(nvim:get("_G.fake.ran('kit.session.label')"), { { session = session, entry = "2", label = "better" } })
      nvim:type("6Gr")
      nvim:sees("Go back to before this turn? 1 file:")
      nvim:sees("restores a.txt")
      nvim:sees("leaves /gone: it is gone")
      nvim:type("2")
      nvim:wait("#_G.fake.ran('kit.review.rewind') == 2")
      equal(nvim:get("_G.fake.ran('kit.review.rewind')"), {
        { session = session, turn = "t3", mode = "files", preview = true },
        { session = session, turn = "t3", mode = "files" },
      })
      nvim:type("1Gf")
      nvim:wait("#_G.fake.ran('kit.session.fork') == 1")
      equal(nvim:get("_G.fake.ran('kit.session.fork')"), { { session = session, entry = "1" } })
    end,
  },
  {
    "lists subagents below their session, exports and imports",
    function()
      local nvim = start()
      nvim:lua([[
        local function summary(id, fields)
          return vim.tbl_extend("force", { id = id, path = "/x", cwd = "/", created = "", modified = "2026-01-02T03:04:05Z",
            messageCount = 1, firstMessage = id, running = false }, fields or {})
        end
        _G.fake.replies["kit.session.list"] = { sessions = {
          summary("child", { parentSession = "first", subagentTask = "look around" }),
          summary("second"), summary("first"), summary("lone", { parentSession = "gone", subagentTask = "alone" }),
        } }
        vim.ui.select = function(items, options) _G.offered = vim.tbl_map(options.format_item, items) end
        _G.fake.replies["kit.session.export"] = function(argument) return { session = argument.session, path = argument.path } end
        _G.fake.replies["kit.session.import"] = { session = "fedcba9876543210", name = "Imported" }
      ]])
      nvim:command("Kit sessions")
      nvim:wait("_G.offered ~= nil")
      equal(
        vim.tbl_map(function(line) return (line:gsub(" ·.*", "")) end, nvim:get("_G.offered")),
        { "second", "first", "  ↳ look around", "  ↳ alone" }
      )
      nvim:command("Kit sessions export out.jsonl")
      nvim:wait("#_G.fake.ran('kit.session.export') == 1")
      equal(nvim:get("_G.fake.ran('kit.session.export')")[1].path, nvim.project .. "/out.jsonl")
      nvim:command("Kit sessions import a.txt")
      nvim:sees("# Imported")
      equal(nvim:get("_G.fake.ran('kit.session.import')"), { { path = nvim.project .. "/a.txt" } })
    end,
  },
}
