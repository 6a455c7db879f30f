-- Keys of extensions: bound in the buffers of the session, everywhere or not at all, as the option `shortcuts` says.
-- A key that is mapped already in such a buffer, or globally by the user, is left alone.
local client = require("kit.client")
local config = require("kit.config")

local M = {}

local modifiers = { ctrl = "C", alt = "M", shift = "S", meta = "D" }
local names = {
  enter = "CR",
  esc = "Esc",
  escape = "Esc",
  space = "Space",
  tab = "Tab",
  backspace = "BS",
  delete = "Del",
  pageup = "PageUp",
  pagedown = "PageDown",
}

local buffers = {} ---@type table<integer, table<string, boolean>> The keys that are bound in each buffer.
local everywhere = {} ---@type table<string, boolean>

--- The key in Neovim's notation: `ctrl+shift+k` is `<C-S-K>`.
---@param key string
---@return string
local function to_lhs(key)
  local words = vim.split(key:lower(), "+", { plain = true, trimempty = true })
  local last = table.remove(words) or ""
  local parts = vim.tbl_map(function(word) return modifiers[word] or word end, words)
  last = names[last] or last:find("^f%d+$") and last:upper() or #last > 1 and last:gsub("^%l", string.upper) or last
  if #parts == 0 and #last == 1 then return last end
  parts[#parts + 1] = last
  return ("<%s>"):format(table.concat(parts, "-"))
end

--- Presses the key of an extension.
---@param key string
local function press(key)
  local argument = { key = key, session = require("kit.session").current }
  client.execute("kit.extension.shortcut", argument, function(answer)
    local output = vim.trim(answer.output or "")
    if output ~= "" then client.notify(output) end
  end)
end

---@param extensions table[]
---@return table<string, table> by_lhs Of several extensions with the same key the last has it.
local function by_key(extensions)
  local found = {}
  for _, extension in ipairs(extensions) do
    for _, shortcut in ipairs(extension.state == "running" and extension.shortcuts or {}) do
      found[to_lhs(shortcut.key)] = shortcut
    end
  end
  return found
end

---@param bound table<string, boolean>
---@param buffer? integer
---@param shortcuts table<string, table>
local function apply(bound, buffer, shortcuts)
  for lhs in pairs(bound) do
    pcall(vim.keymap.del, "n", lhs, { buffer = buffer })
    bound[lhs] = nil
  end
  for lhs, shortcut in pairs(shortcuts) do
    local is_free = vim.api.nvim_buf_call(buffer or 0, function() return vim.fn.mapcheck(lhs, "n") == "" end)
    if is_free then
      local options = { buffer = buffer, nowait = true, desc = "Kit: " .. shortcut.description }
      vim.keymap.set("n", lhs, function() press(shortcut.key) end, options)
      bound[lhs] = true
    end
  end
end

--- Asks for the keys and binds them where they belong.
function M.refresh()
  local where = config.get().shortcuts
  local server = client.get()
  if where == "off" or not server or not client.offers(server, "kit.extension.shortcut") then return end
  client.execute("kit.extension.list", {}, function(answer)
    local shortcuts = by_key(answer.extensions)
    if where == "global" then return apply(everywhere, nil, shortcuts) end
    for buffer, bound in pairs(buffers) do
      if vim.api.nvim_buf_is_valid(buffer) then
        apply(bound, buffer, shortcuts)
      else
        buffers[buffer] = nil
      end
    end
  end, function() end)
end

--- Makes a buffer one of those in which the keys hold.
---@param buffer integer
function M.bind(buffer)
  buffers[buffer] = buffers[buffer] or {}
  M.refresh()
end

--- The keys, for completion.
---@return string[]
function M.keys()
  local answer = client.execute_sync("kit.extension.list", {}, 500)
  local keys = vim.tbl_map(
    function(shortcut) return shortcut.key end,
    vim.tbl_values(by_key(answer and answer.extensions or {}))
  )
  table.sort(keys)
  return keys
end

--- `:Kit shortcut [key]`.
---@param key string
function M.run(key)
  if key ~= "" then return press(key) end
  client.execute("kit.extension.list", {}, function(answer)
    local shortcuts = vim.tbl_values(by_key(answer.extensions))
    if #shortcuts == 0 then return client.notify("No extension has a shortcut.") end
    table.sort(shortcuts, function(left, right) return left.key < right.key end)
    vim.ui.select(shortcuts, {
      prompt = "Shortcut",
      format_item = function(shortcut) return ("%s · %s"):format(shortcut.key, shortcut.description) end,
      kind = "kit.shortcut",
    }, function(choice)
      if choice then press(choice.key) end
    end)
  end)
end

return M
