local editor = require("editor")
local equal = editor.equal

local capabilities = {
  version = 1,
  events = true,
  status = true,
  review = true,
  permission = true,
  ask = true,
  save = true,
  diagnostics = true,
  ui = true,
}

return {
  {
    "declares what it can do and passes the settings on",
    function()
      local nvim = editor.start({ ["a.txt"] = "one\n" }, {
        open = "a.txt",
        before = "_G.options = { settings = { model = 'scripted/demo' } }",
      })
      equal(nvim:get("_G.fake.initialize.capabilities.experimental.kit"), capabilities)
      equal(nvim:get("_G.fake.initialize.initializationOptions"), { model = "scripted/demo" })
      equal(nvim:get("_G.fake.initialize.workspaceFolders[1].name"), nvim.project)
    end,
  },
  {
    "sends each change at once",
    function()
      local nvim = editor.start({ ["a.txt"] = "one\n" }, { open = "a.txt" })
      nvim:type("x")
      nvim:wait("vim.fn.getline(1) == 'ne'")
      equal(nvim:get("_G.fake.documents[...].text", nvim:uri("a.txt")), "ne\n")
    end,
  },
  {
    "reads files again that a shell command changed, except those with unsaved changes",
    function()
      local nvim = editor.start({ ["a.txt"] = "one\n", ["b.txt"] = "b\n" }, { open = "a.txt" })
      nvim:command("edit b.txt")
      nvim:wait("_G.fake.is_open(...)", nvim:uri("b.txt"))
      nvim:command("normal! Atyped")
      for _, name in ipairs({ "a.txt", "b.txt" }) do
        local file = assert(io.open(nvim.project .. "/" .. name, "wb"))
        file:write("changed by sed\n")
        file:close()
      end
      nvim:notify("kit/event", { session = "s1", seq = 1, at = 0, type = "turn_start", prompt = "go" })
      nvim:notify("kit/event", {
        session = "s1",
        seq = 2,
        at = 0,
        type = "tool_result",
        toolCallId = "c1",
        toolName = "bash",
        toolKind = "execute",
        toolArgs = "{}",
        result = "",
        isError = false,
      })
      nvim:wait("_G.fake.documents[...].text == 'changed by sed\\n'", nvim:uri("a.txt"))
      equal(nvim:lines(), { "btyped" })
    end,
  },
  {
    "knows files without a filetype and lone files, and no others",
    function()
      local nvim = editor.start({ ["a.txt"] = "one\n", ["plain"] = "text\n" }, { open = "a.txt" })
      nvim:command("edit plain")
      nvim:wait("_G.fake.is_open(...)", nvim:uri("plain"))
      local lone = vim.fn.tempname() .. ".c"
      vim.fn.writefile({ "int x;" }, lone)
      nvim:command("edit " .. lone)
      nvim:wait("_G.fake.is_open(...)", vim.uri_from_fname(lone))
      nvim:command("enew")
      nvim:command("edit oil:///tmp/")
      equal(nvim:get("vim.tbl_count(_G.fake.documents)"), 3)
      equal(nvim:get("#vim.lsp.get_clients({ name = 'kit' })"), 1)
    end,
  },
  {
    "adds a second root to the same server as a workspace folder",
    function()
      local nvim = editor.start(
        { ["a.txt"] = "one\n", ["inner/.git/HEAD"] = "", ["inner/b.txt"] = "b\n" },
        { open = "a.txt" }
      )
      nvim:command("edit inner/b.txt")
      nvim:wait("_G.fake.is_open(...)", nvim:uri("inner/b.txt"))
      local added = nvim:get([[vim.iter(_G.fake.notifications):filter(function(entry)
        return entry.method == "workspace/didChangeWorkspaceFolders"
      end):map(function(entry) return entry.params.event.added[1].uri end):totable()]])
      equal(added, { nvim:uri("inner") })
    end,
  },
  {
    "starts the server for a command when no file is open",
    function()
      local nvim = editor.start({ ["a.txt"] = "one\n" })
      nvim:lua("_G.fake.replies['kit.session.prompt'] = { session = 's', turn = 't', queued = false }")
      nvim:command("Kit ask hello")
      nvim:wait("#_G.fake.ran('kit.session.prompt') == 1")
      equal(nvim:get("_G.fake.ran('kit.session.prompt')"), { { text = "hello" } })
      equal(nvim:get("_G.fake.initialize.workspaceFolders[1].name"), nvim.project)
    end,
  },
  {
    "restarts the server and attaches the files again",
    function()
      local nvim = editor.start({ ["a.txt"] = "one\n" }, { open = "a.txt" })
      local before = nvim:get("vim.lsp.get_clients({ name = 'kit' })[1].id")
      nvim:lua("_G.fake.documents = {}")
      nvim:command("Kit restart")
      nvim:wait("_G.fake.is_open(...)", nvim:uri("a.txt"))
      equal(nvim:get("vim.lsp.get_clients({ name = 'kit' })[1].id") ~= before, true)
    end,
  },
  {
    "tells a missing server once",
    function()
      local nvim = editor.start({ ["a.txt"] = "one\n", ["b.txt"] = "two\n" })
      nvim:lua("require('kit').setup({ cmd = { 'no-such-kit-ls' } })")
      nvim:command("edit a.txt")
      nvim:command("edit b.txt")
      equal(nvim:get("_G.messages"), {
        'Kit: The server "no-such-kit-ls" was not found; install it or set cmd (:help kit-install).',
      })
    end,
  },
  {
    "names the option that is meant",
    function()
      local nvim = editor.start({ ["a.txt"] = "one\n" })
      nvim:lua("require('kit').setup({ setings = {} })")
      nvim:lua("require('kit').setup({ session = { position = 'up' } })")
      equal(nvim:get("_G.messages"), {
        'Kit: Unknown option "setings". Did you mean "settings"?',
        'Kit: Option "session.position" must be one of right, left, bottom, top, tab.',
      })
    end,
  },
  {
    "names the subcommand that is meant, and completes",
    function()
      local nvim = editor.start({ ["a.txt"] = "one\n" }, { open = "a.txt" })
      nvim:command("Kit reviwe")
      nvim:command("Kit keep fiel")
      equal(nvim:get("_G.messages"), {
        'Kit: :Kit has no "reviwe". Did you mean "review"?',
        'Kit: "fiel" is none of hunk, file, turn, all. Did you mean "file"?',
      })
      equal(nvim:get("vim.fn.getcompletion('Kit re', 'cmdline')"), { "restart", "retry", "revert", "review", "rewind" })
      equal(nvim:get([[vim.fn.getcompletion("'<,'>Kit undo ", 'cmdline')]]), { "hunk", "file", "turn", "all" })
      nvim:lua("_G.fake.replies['kit.model.list'] = { models = { { id = 'scripted/demo' } } }")
      equal(nvim:get("vim.fn.getcompletion('Kit model s', 'cmdline')"), { "scripted/demo" })
    end,
  },
  {
    "chooses model, mode and thinking, and trusts the root",
    function()
      local nvim = editor.start({ ["a.txt"] = "one\n" }, { open = "a.txt" })
      nvim:lua([[
        for command, key in pairs({ ["kit.model.set"] = "model", ["kit.mode.set"] = "mode", ["kit.thinking.set"] = "level" }) do
          _G.fake.replies[command] = function(argument) return { [key] = argument[key] } end
        end
        _G.fake.replies["kit.model.list"] = { models = {
          { id = "scripted/demo", contextWindow = 200000, price = { input = 1000000, output = 5000000 } },
        } }
        _G.fake.replies["kit.trust.set"] = function(argument) return argument end
        _G.offered = {}
        vim.ui.select = function(items, options, choose)
          table.insert(_G.offered, (options.format_item or tostring)(items[#items]))
          choose(items[#items], #items)
        end
      ]])
      nvim:command("Kit model")
      nvim:wait("#_G.offered == 1")
      nvim:command("Kit mode plan")
      nvim:command("Kit thinking")
      nvim:command("Kit trust")
      nvim:wait("#_G.fake.commands == 5")
      equal(nvim:get("_G.fake.ran('kit.model.set')"), { { model = "scripted/demo" } })
      equal(nvim:get("_G.offered"), { "scripted/demo · 200.0k context · $1.00 in, $5.00 out per million", "high" })
      equal(nvim:get("_G.fake.ran('kit.mode.set')"), { { mode = "plan" } })
      equal(nvim:get("_G.fake.ran('kit.thinking.set')"), { { level = "high" } })
      equal(nvim:get("_G.fake.ran('kit.trust.set')"), { { root = vim.uri_from_fname(nvim.project), trusted = true } })
    end,
  },
  {
    "asks for the provider first when there are many models",
    function()
      local nvim = editor.start({ ["a.txt"] = "one\n" }, { open = "a.txt" })
      nvim:lua([[
        _G.fake.replies["kit.model.set"] = function(argument) return { model = argument.model } end
        _G.fake.replies["kit.model.list"] = function(argument)
          local models = {}
          for number = 1, 60 do
            local provider = number > 50 and "small" or "large"
            if (argument.provider or provider) == provider then
              table.insert(models, { id = provider .. "/" .. number, provider = provider, contextWindow = 0 })
            end
          end
          return { models = models }
        end
        _G.offered = {}
        vim.ui.select = function(items, options, choose)
          table.insert(_G.offered, options.format_item(items[#items]) .. " of " .. #items)
          choose(items[#items], #items)
        end
      ]])
      nvim:command("Kit model")
      nvim:wait("#_G.fake.ran('kit.model.set') == 1")
      nvim:command("Kit model large")
      nvim:wait("#_G.fake.ran('kit.model.set') == 2")
      equal(nvim:get("_G.offered"), { "small · 10 models of 2", "small/60 of 10", "large/50 of 50" })
      nvim:command("Kit model nobody")
      nvim:wait("#_G.messages == 3")
      equal(nvim:get("_G.messages[3]"), 'Kit: There is no provider "nobody"; models are written provider/name.')
    end,
  },
  {
    "reads virtual documents from the server",
    function()
      local nvim = editor.start({ ["a.txt"] = "one\n" }, { open = "a.txt" })
      nvim:lua("_G.fake.contents['kit-session:s1'] = '# Hello\\n\\ntext\\n'")
      nvim:command("edit kit-session:s1")
      nvim:wait("vim.fn.getline(1) == '# Hello'")
      equal(
        nvim:get("{ vim.bo.filetype, vim.bo.modifiable, vim.bo.modified, vim.fn.line('$') }"),
        { "kit", false, false, 3 }
      )
    end,
  },
  {
    "checks its health against a running server",
    function()
      local nvim = editor.start({ ["a.txt"] = "one\n" }, { open = "a.txt" })
      nvim:lua([[
        _G.fake.replies["kit.review.list"] = { revision = 0, summary = {}, files = {} }
        _G.fake.replies["kit.doctor"] = { checks = {
          { name = "model", ok = true, detail = "scripted/demo" },
          { name = "sandbox", ok = false, detail = "the kernel has none", fix = "use a newer kernel" },
        } }
      ]])
      nvim:command("Kit doctor")
      nvim:wait("vim.bo.filetype == 'checkhealth' and vim.fn.search('sandbox: the kernel has none', 'nw') > 0")
      local report = table.concat(nvim:lines(), "\n")
      for _, expected in ipairs({
        "kit-ls 0.0.0 runs",
        "The protocol's version is 1",
        "model: scripted/demo",
        "use a newer kernel",
      }) do
        equal({ expected, report:find(expected, 1, true) ~= nil }, { expected, true })
      end
      equal(report:find("ERROR", 1, true), nil)
    end,
  },
  {
    "shows usage",
    function()
      local nvim = editor.start({ ["a.txt"] = "one\n" }, { open = "a.txt" })
      nvim:lua([[
        local function totals(fields)
          local base = { inputTokens = 1000, outputTokens = 200, cacheReadTokens = 0, cacheWriteTokens = 0, costKind = "unknown" }
          return vim.tbl_extend("force", base, fields or {})
        end
        _G.fake.replies["kit.usage.get"] = {
          session = totals(), today = totals({ costKind = "priced", costMicros = 1250000 }),
          context = { used = 50, window = 200 },
          calls = { totals({ call = 1, step = 0, provider = "scripted", model = "demo" }) },
        }
      ]])
      nvim:command("Kit usage")
      nvim:sees("Session  1.0k in / 200 out")
      nvim:sees("Today    1.0k in / 200 out · $1.25")
      nvim:sees("Context  50 of 200 (25%)")
      nvim:sees("1  scripted/demo  1.0k in / 200 out")
    end,
  },
  {
    "costs nothing before it is used",
    function()
      local nvim = editor.start({ ["a.txt"] = "one\n" })
      local loaded =
        nvim:get([[vim.iter(_G.loaded_at_start):filter(function(name) return name:match("^kit") end):totable()]])
      equal(loaded, {})
      equal(nvim:get("vim.fn.exists(':Kit')"), 2)
    end,
  },
}
