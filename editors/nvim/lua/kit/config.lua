-- Options: defaults, then vim.g.kit, then setup(). They are read when they are used, so that setup() is optional
-- and may be called at any time before the server starts.
local near = require("kit.near")

local M = {}

---@class kit.Options
---@field cmd? string[]|fun(dispatchers: vim.lsp.rpc.Dispatchers): vim.lsp.rpc.PublicClient The server's command.
---@field env? table<string, string> Further environment variables of the server.
---@field settings? table Settings of the server, as in .kit.yml; they win over files.
---@field max_file_size? integer Files larger than this many bytes are not attached.
---@field session? { position?: "right"|"left"|"bottom"|"top"|"tab", size?: number, open_on_ask?: boolean }
---@field review? { inline?: boolean, hints?: boolean, deleted_lines?: integer, jump?: boolean }
---@field progress? boolean Whether Neovim 0.12 shows the running tool as a progress message.
---@field shortcuts? "session"|"global"|"off" Where the keys of extensions are bound.

---@type kit.Options
local defaults = {
  cmd = { "kit-ls" },
  env = {},
  settings = {},
  max_file_size = 16 * 1024 * 1024,
  session = { position = "right", size = 0.42, open_on_ask = true },
  review = { inline = true, hints = true, deleted_lines = 30, jump = true },
  progress = true,
  shortcuts = "session",
}

local from_setup = {} ---@type kit.Options

local choices = {
  ["session.position"] = { "right", "left", "bottom", "top", "tab" },
  shortcuts = { "session", "global", "off" },
}

---@param options table
---@param known table
---@param path string
---@return string? problem One sentence.
local function find_problem(options, known, path)
  for key, value in pairs(options) do
    local name = path .. tostring(key)
    local default = known[key]
    if default == nil then
      return ('Unknown option "%s".%s'):format(name, near.hint(tostring(key), vim.tbl_keys(known)))
    end
    local is_command = name == "cmd" and type(value) == "function"
    if type(value) ~= type(default) and not is_command then
      return ('Option "%s" must be a %s, not a %s.'):format(name, type(default), type(value))
    end
    if choices[name] and not vim.list_contains(choices[name], value) then
      return ('Option "%s" must be one of %s.'):format(name, table.concat(choices[name], ", "))
    end
    if name == "session" or name == "review" then
      local problem = find_problem(value, default, name .. ".")
      if problem then return problem end
    end
  end
end

--- What is wrong with the options, as one sentence, or nil.
---@return string?
function M.problem() return find_problem(vim.tbl_deep_extend("force", vim.g.kit or {}, from_setup), defaults, "") end

--- The options in force.
---@return kit.Options
function M.get()
  local options = vim.tbl_deep_extend("force", defaults, vim.g.kit or {}, from_setup)
  if find_problem(options, defaults, "") then return defaults end
  return options
end

--- Sets options beside those of `vim.g.kit`.
---@param options? kit.Options
function M.set(options)
  from_setup = options or {}
  local problem = M.problem()
  if problem then vim.notify("Kit: " .. problem, vim.log.levels.ERROR) end
end

return M
