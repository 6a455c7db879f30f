-- Extensions: what they are and do, and what the user allows them.
local client = require("kit.client")
local format = require("kit.format")
local listing = require("kit.listing")

local M = {}

M.subject = "extensions"
M.actions = {} ---@type table<string, fun(name: string)>

local icons = { running = "●", disabled = "○", broken = "✗" }

---@param extension table
---@return string
local function describe(extension)
  local parts = { ("%s %s"):format(icons[extension.state] or "·", extension.name) }
  if extension.version then parts[1] = parts[1] .. " " .. extension.version end
  if extension.state ~= "running" then parts[#parts + 1] = extension.state end
  for _, kind in ipairs({ "tool", "command", "event" }) do
    local count = #(extension[kind .. "s"] or {})
    if count > 0 then parts[#parts + 1] = format.count(count, kind) end
  end
  if extension.error then parts[#parts + 1] = extension.error:match("^[^\n]*") end
  return table.concat(parts, " · ")
end

--- What a kind of permission allows.
---@type table<string, string>
local phrases =
  { http = "fetch from %s", exec = "run %s", ["fs.read"] = "read %s", ["fs.write"] = "write %s", env = "see the variables %s" }

--- The permissions of an extension as lines; what a newer server adds is shown as it is.
---@param permissions any
---@param prefix? string
---@return string[]
local function lines(permissions, prefix)
  if type(permissions) ~= "table" then return {} end
  local found = {}
  for _, key in ipairs(vim.fn.sort(vim.tbl_keys(permissions))) do
    local name, value = (prefix or "") .. key, permissions[key]
    if not vim.islist(value) then
      vim.list_extend(found, lines(value, name .. "."))
    elseif #value > 0 then
      local values, phrase = table.concat(value, ", "), phrases[name]
      found[#found + 1] = phrase and phrase:format(values) or ("%s: %s"):format(name, values)
    end
  end
  return found
end

---@param permissions any
---@return string
local function words(permissions)
  local found = lines(permissions)
  return #found == 0 and "nothing" or table.concat(found, "; ")
end

---@param extension table
---@return string[]
local function details(extension)
  local lines = { describe(extension) }
  local function add(label, text)
    if text and text ~= "" then lines[#lines + 1] = ("    %-9s %s"):format(label, text) end
  end
  add("", extension.description)
  add("file", vim.fn.fnamemodify(extension.path, ":~:."))
  add("tools", table.concat(extension.tools or {}, ", "))
  add("commands", table.concat(vim.tbl_map(function(name) return "/" .. name end, extension.commands or {}), ", "))
  local keys = vim.tbl_map(
    function(shortcut) return ("%s (%s)"):format(shortcut.key, shortcut.description) end,
    extension.shortcuts or {}
  )
  add("keys", table.concat(keys, ", "))
  if extension.asks then
    add("asks for", words(extension.asks))
    add("granted", words(extension.grants))
  end
  return lines
end

---@param answer table
local function show(answer)
  require("kit.shortcuts").refresh()
  if #answer.extensions == 0 then return client.notify("There are no extensions.") end
  local lines = {}
  for _, extension in ipairs(answer.extensions) do
    vim.list_extend(lines, details(extension))
  end
  listing.show("Extensions", lines)
end

---@param name string
---@param use fun(name: string)
local function with_name(name, use)
  if name ~= "" then return use(name) end
  client.execute("kit.extension.list", {}, function(answer)
    if #answer.extensions == 0 then return client.notify("There are no extensions.") end
    local options = { prompt = "Extension", format_item = describe, kind = "kit.extension" }
    vim.ui.select(answer.extensions, options, function(choice)
      if choice then vim.schedule(function() use(choice.name) end) end
    end)
  end)
end

function M.actions.list() client.execute("kit.extension.list", {}, show) end

function M.actions.reload(name) client.execute("kit.extension.reload", { name = name ~= "" and name or nil }, show) end

--- Shows what an extension asks for before it is given.
function M.actions.grant(name)
  with_name(name, function(chosen)
    client.execute("kit.extension.list", { name = chosen }, function(answer)
      local extension = answer.extensions[1]
      if not extension then return client.notify(('There is no extension "%s".'):format(chosen)) end
      if not extension.asks then return client.notify(chosen .. " asks for nothing.") end
      require("kit.question").ask({
        kind = "confirm",
        message = ("Grant **%s** all that it asks for?\n\n%s"):format(chosen, words(extension.asks)),
        default = false,
      }, function(said)
        if said.value then client.execute("kit.extension.grant", { name = chosen, grants = true }, show) end
      end)
    end)
  end)
end

function M.actions.revoke(name)
  with_name(name, function(chosen) client.execute("kit.extension.grant", { name = chosen, grants = false }, show) end)
end

function M.default() M.actions.list("") end

--- Names of extensions, for completion.
---@param action string
---@return string[]
function M.words(action)
  local answer = action ~= "list" and client.execute_sync("kit.extension.list", {}, 500)
  return vim.tbl_map(function(extension) return extension.name end, answer and answer.extensions or {})
end

return M
