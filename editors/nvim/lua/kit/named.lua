-- Commands by name: prompt templates, skills, and what extensions and MCP servers bring. `:Kit /name …` and
-- `:Kit run name …` run them; with a name alone that needs arguments, they are asked for.
local client = require("kit.client")

local M = {}

local patience = 500
local fresh = 2000

local known, known_at = {}, 0 ---@type table[], integer

---@return table
local function about() return { session = require("kit.session").current } end

--- The commands that there are, for completion: asked for briefly, and again only after a while.
---@return table[]
local function list()
  local now = vim.uv.now()
  if now - known_at > fresh then
    local answer = client.execute_sync("kit.command.list", about(), patience)
    known, known_at = answer and answer.commands or known, now
  end
  return known
end

--- Their names, for completion.
---@return string[]
function M.names()
  return vim.tbl_map(function(command) return command.name end, list())
end

--- What fits behind a command's name, for completion: whole words that begin with `lead`.
---@param name string
---@param typed string Everything behind the name.
---@param lead string
---@return string[]
function M.arguments(name, typed, lead)
  local argument = about()
  argument.text = ("/%s %s"):format(name, typed)
  local answer = client.execute_sync("kit.prompt.complete", argument, patience)
  local words = {}
  for _, item in ipairs(answer and answer.items or {}) do
    local word = vim.trim(item.insertText)
    if vim.startswith(word, lead) and not word:find("%s") then words[#words + 1] = word end
  end
  return words
end

---@param name string
---@param arguments string
---@param context? table[]
local function send(name, arguments, context)
  local session = require("kit.session")
  local argument = {
    name = name,
    args = arguments ~= "" and arguments or nil,
    session = session.current,
    context = context and #context > 0 and context or nil,
  }
  client.execute("kit.command.run", argument, function(answer)
    if answer.session then return session.started(answer) end
    local output = vim.trim(answer.output or "")
    if output == "" then return end
    if output:find("\n", 1, true) or #output > vim.o.columns - 20 then
      return require("kit.listing").show("/" .. name, vim.split(output, "\n", { plain = true }))
    end
    client.notify(output)
  end)
end

---@param command table
---@return string
local function describe(command)
  local parts = { "/" .. command.name .. (command.arguments and " " .. command.arguments or "") }
  if command.description then parts[#parts + 1] = command.description:match("^[^\n]*") end
  parts[#parts + 1] = command.kind
  return table.concat(parts, " · ")
end

--- Runs the command of an extension that a prompt begins with; calls `otherwise` for any other prompt. Templates, skills
--- and prompts of MCP servers are filled in by the server.
---@param text string
---@param context? table[]
---@param otherwise fun()
function M.or_else(text, context, otherwise)
  local name, arguments = text:match("^%s*/([^%s/]+)%s*(.-)%s*$")
  if not name then return otherwise() end
  client.execute("kit.command.list", about(), function(answer)
    local is_command = vim.iter(answer.commands):any(function(command)
      return command.name == name and command.kind == "extension"
    end)
    if is_command then return send(name, arguments, context) end
    otherwise()
  end)
end

--- Runs a command, asking for arguments that it needs and does not have.
---@param name string
---@param arguments string
---@param range? { first: integer, last: integer }
function M.run(name, arguments, range)
  client.execute("kit.command.list", about(), function(answer)
    if name == "" then
      if #answer.commands == 0 then return client.notify("There are no commands in this workspace.") end
      local options = { prompt = "Run", format_item = describe, kind = "kit.command" }
      return vim.ui.select(answer.commands, options, function(command)
        if command then vim.schedule(function() M.run(command.name, "", range) end) end
      end)
    end
    local command = vim.iter(answer.commands):find(function(each) return each.name == name end)
    local context = require("kit.context").get(range)
    if not command or arguments ~= "" or (command.required or 0) == 0 then return send(name, arguments, context) end
    vim.ui.input({ prompt = ("/%s %s: "):format(name, command.arguments or "…") }, function(text)
      if text and text ~= "" then send(name, text, context) end
    end)
  end)
end

return M
