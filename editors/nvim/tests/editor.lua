-- A Neovim that a test drives over its channel, with the plugin and the fake server loaded, and a screen to look at.
local M = {}

local folder = vim.fs.dirname(vim.fs.abspath(debug.getinfo(1, "S").source:sub(2)))
local deadline = 5000

---@class test.Editor
---@field channel integer
---@field project string
local Editor = {}
Editor.__index = Editor

local open = {} ---@type test.Editor[]

--- How this Neovim was started, up to the program's name: it may run through a dynamic loader.
---@return string[]
local function program()
  local file = io.open("/proc/self/cmdline", "rb")
  local command = {}
  for word in (file and file:read("*a") or ""):gmatch("%Z+") do
    command[#command + 1] = word
    if vim.fs.basename(word) == "nvim" then return command end
  end
  return { vim.v.progpath }
end

--- Starts an editor in a new project folder with the given files; opens the first one.
---@param files table<string, string>
---@param options? { open?: string, width?: integer, height?: integer, before?: string }
---@return test.Editor
function M.start(files, options)
  options = options or {}
  local project = vim.uv.fs_realpath(vim.fn.tempname():match("^(.*)/")) .. "/" .. vim.fs.basename(vim.fn.tempname())
  vim.fn.mkdir(project .. "/.git", "p")
  for path, text in pairs(files) do
    vim.fn.mkdir(vim.fs.dirname(project .. "/" .. path), "p")
    local file = assert(io.open(project .. "/" .. path, "wb"))
    file:write(text)
    file:close()
  end
  local command = vim.list_extend(program(), { "--headless", "--embed", "--clean", "-n" })
  vim.list_extend(
    command,
    { "--cmd", "set rtp^=" .. vim.fs.dirname(folder), "--cmd", "lua " .. (options.before or "_G.options = {}") }
  )
  local environment = { NVIM_LOG_FILE = project .. "/.git/nvim.log" }
  local channel = vim.fn.jobstart(command, { rpc = true, cwd = project, env = environment })
  assert(channel > 0, "Neovim did not start")
  local self = setmetatable({ channel = channel, project = project }, Editor)
  open[#open + 1] = self
  self:lua("vim.o.columns, vim.o.lines = ...", options.width or 100, options.height or 30)
  self:lua("package.path = ... .. '/?.lua;' .. package.path", folder)
  self:lua([[
    _G.loaded_at_start = vim.tbl_keys(package.loaded)
    vim.o.swapfile, vim.o.showmode, vim.o.ruler, vim.o.shortmess = false, false, false, "filnxtToOFIc"
    _G.messages = {}
    vim.notify = function(text) table.insert(_G.messages, text) end
    _G.fake = require("fake_server")
    require("kit").setup(vim.tbl_deep_extend("force", { cmd = _G.fake.start }, _G.options or {}))
    vim.lsp.enable("kit")
  ]])
  if options.open then
    self:command("edit " .. options.open)
    self:wait("#vim.lsp.get_clients({ name = 'kit', bufnr = 0 }) == 1 and _G.fake.is_open(vim.uri_from_bufnr(0))")
  end
  return self
end

function M.close_all()
  for _, editor in ipairs(open) do
    -- Nothing outlives it, the server being inside of it, so that it need not be asked to leave.
    vim.uv.kill(vim.fn.jobpid(editor.channel), "sigkill")
    vim.fn.jobwait({ editor.channel }, deadline)
    vim.fn.delete(editor.project, "rf")
  end
  open = {}
end

---@param code string
function Editor:lua(code, ...) return vim.rpcrequest(self.channel, "nvim_exec_lua", code, { ... }) end

--- The value of a Lua expression.
---@param expression string
function Editor:get(expression, ...) return self:lua("return " .. expression, ...) end

---@param command string
function Editor:command(command) vim.rpcrequest(self.channel, "nvim_command", command) end

---@param keys string
function Editor:type(keys) vim.rpcrequest(self.channel, "nvim_input", keys) end

--- Waits until a Lua expression is true, and gives its value.
---@param expression string
function Editor:wait(expression, ...)
  local arguments = { ... }
  local value
  local came = vim.wait(deadline, function()
    value = self:lua("return " .. expression, unpack(arguments))
    return value ~= nil and value ~= vim.NIL and value ~= false
  end, 5)
  if not came then
    error(
      ("never true: %s\nmessages: %s\n%s"):format(expression, vim.inspect(self:get("_G.messages")), self:screen()),
      2
    )
  end
  return value
end

--- The screen as text, without trailing blanks.
---@return string
function Editor:screen()
  return self:lua([[
    vim.cmd.redraw()
    local rows = {}
    for row = 1, vim.o.lines do
      local cells = {}
      for column = 1, vim.o.columns do
        cells[column] = vim.fn.screenstring(row, column)
      end
      rows[row] = (table.concat(cells):gsub("%s+$", ""))
    end
    return table.concat(rows, "\n")
  ]])
end

--- Waits until the screen contains the plain text.
---@param text string
function Editor:sees(text)
  local screen
  local came = vim.wait(deadline, function()
    screen = self:screen()
    return screen:find(text, 1, true) ~= nil
  end, 10)
  if not came then
    error(("never on the screen: %s\nmessages: %s\n%s"):format(text, vim.inspect(self:get("_G.messages")), screen), 2)
  end
end

--- Whether the screen shows the plain text now.
---@param text string
---@return boolean
function Editor:shows(text) return self:screen():find(text, 1, true) ~= nil end

--- Sends a notification as the server would.
---@param method string
---@param parameters table
function Editor:notify(method, parameters) self:lua("_G.fake.notify(...)", method, parameters) end

--- Sends a request as the server would; its answer is found by `answer`.
---@param name string
---@param method string
---@param parameters table
function Editor:request(name, method, parameters) self:lua("_G.fake.request(...)", name, method, parameters) end

--- The answer to a request of the server.
---@param name string
function Editor:answer(name) return self:wait("_G.fake.answers[...]", name) end

--- The lines of a buffer.
---@param buffer? integer
---@return string[]
function Editor:lines(buffer) return self:get("vim.api.nvim_buf_get_lines(..., 0, -1, false)", buffer or 0) end

---@param path string
---@return string
function Editor:uri(path) return vim.uri_from_fname(self.project .. "/" .. path) end

---@param path string
---@return string
function Editor:read(path)
  local file = assert(io.open(self.project .. "/" .. path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

--- Fails unless both values are equal at any depth.
function M.equal(actual, expected)
  if not vim.deep_equal(actual, expected) then
    error(("got %s\nexpected %s"):format(vim.inspect(actual), vim.inspect(expected)), 2)
  end
end

return M
