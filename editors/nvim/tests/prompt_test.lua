local editor = require("editor")
local equal = editor.equal

local session = "0123456789abcdef"

local function start()
  local nvim = editor.start({ ["a.txt"] = "one\n" }, { open = "a.txt" })
  nvim:lua("_G.fake.replies['kit.session.new'] = { session = ... }", session)
  nvim:lua("_G.fake.replies['kit.session.prompt'] = { session = ..., turn = 't1', queued = false }", session)
  nvim:lua([[
    _G.fake.replies["kit.command.list"] = { commands = {
      { name = "review", kind = "template" }, { name = "tick", kind = "extension" },
    } }
    _G.fake.replies["kit.command.run"] = { output = "ticked" }
    _G.fake.replies["kit.prompt.complete"] = function(argument)
      local line = vim.split(argument.text, "\n")[argument.position.line + 1]
      local start = line:find("[/@][^ ]*$")
      if not start then return { items = {}, isIncomplete = false } end
      local lead = line:sub(start)
      local items = {}
      for _, word in ipairs({ "/review ", "/retry", "@src/main.rs ", "@selection " }) do
        if vim.startswith(word, lead) then
          table.insert(items, {
            label = vim.trim(word), kind = lead:sub(1, 1) == "/" and "command" or "file", detail = "about " .. vim.trim(word),
            insertText = word,
            range = { start = { line = argument.position.line, character = start - 1 }, ["end"] = argument.position },
          })
        end
      end
      return { items = items, isIncomplete = false }
    end
  ]])
  nvim:command("Kit")
  nvim:wait("vim.bo.filetype == 'kitprompt' and vim.fn.mode() == 'i'")
  return nvim
end

return {
  {
    "completes commands and mentions while they are typed, and sends with the next <CR>",
    function()
      local nvim = start()
      nvim:type("/re")
      nvim:wait("vim.fn.pumvisible() == 1")
      nvim:sees("about /review")
      nvim:type("<Tab>")
      nvim:wait("vim.fn.complete_info({ 'selected' }).selected == 0")
      nvim:type("<CR>")
      nvim:wait("vim.fn.getline(1) == '/review ' and vim.fn.pumvisible() == 0")
      nvim:type("see @s")
      nvim:sees("@selection")
      nvim:type("<Tab><CR><CR>")
      nvim:wait("#_G.fake.ran('kit.session.prompt') == 1")
      equal(nvim:get("_G.fake.ran('kit.session.prompt')")[1].text, "/review see @src/main.rs")
    end,
  },
  {
    "runs a command of an extension instead of sending it",
    function()
      local nvim = start()
      nvim:type("/tick twice or more<CR>")
      nvim:wait("#_G.fake.ran('kit.command.run') == 1")
      local ran = nvim:get("_G.fake.ran('kit.command.run')")[1]
      equal({ ran.name, ran.args, ran.session }, { "tick", "twice or more", session })
      nvim:wait("_G.messages[1] == 'Kit: ticked'")
      equal(nvim:get("#_G.fake.ran('kit.session.prompt')"), 0)
    end,
  },
  {
    "completes by CTRL-X CTRL-O, for itself and for completion plugins",
    function()
      local nvim = start()
      nvim:lua("package.loaded['blink.cmp'] = {}")
      nvim:type("go @se<C-x><C-o>")
      nvim:wait("vim.fn.pumvisible() == 1")
      nvim:type("<C-n><C-y>")
      nvim:wait("vim.fn.getline(1) == 'go @selection '")
    end,
  },
  {
    "tells the running turn with <M-CR>",
    function()
      local nvim = start()
      nvim:type("hurry<M-CR>")
      nvim:wait("#_G.fake.ran('kit.session.prompt') == 1")
      equal(nvim:get("_G.fake.ran('kit.session.prompt')")[1].delivery, "steer")
    end,
  },
  {
    "takes a waiting prompt back into the window where it was written",
    function()
      local nvim = start()
      nvim:lua([[
        local waiting = { { id = "1", turn = "t2", delivery = "queue", text = "and tests" } }
        _G.fake.replies["kit.queue.list"] = { items = waiting }
        _G.fake.replies["kit.queue.remove"] = { items = {} }
        vim.ui.select = function(items, options, choose)
          _G.offered = vim.tbl_map(options.format_item, items)
          choose(items[1], 1)
        end
      ]])
      nvim:command("Kit queue")
      nvim:wait("vim.fn.getline(1) == 'and tests'")
      equal(nvim:get("_G.offered"), { "and tests · after the turn" })
      equal(nvim:get("_G.fake.ran('kit.queue.remove')"), { { session = session, id = "1" } })
    end,
  },
}
