-- Completion while a prompt is written: `/commands` at its beginning and `@mentions`, as kit.prompt.complete gives them.
--
-- It is the prompt's 'omnifunc', which CTRL-X CTRL-O and the omni sources of completion plugins call, and it opens by
-- itself while such a word is typed, unless a completion plugin is there to do that.
local client = require("kit.client")

local M = {}

local api = vim.api
local patience = 400
local others = { "blink.cmp", "cmp", "mini.completion" }

---@param buffer integer
---@return table
local function argument(buffer)
  local cursor = api.nvim_win_get_cursor(0)
  local line = api.nvim_get_current_line()
  local server = client.get()
  return {
    text = table.concat(api.nvim_buf_get_lines(buffer, 0, -1, false), "\n"),
    position = {
      line = cursor[1] - 1,
      character = vim.str_utfindex(line, server and server.offset_encoding or "utf-16", cursor[2], false),
    },
    session = require("kit.session").current,
  }
end

---@param answer? table
---@return integer? start The byte column where the completed word begins.
---@return table[] words
local function to_words(answer)
  local items = answer and answer.items or {}
  local first = items[1]
  if not first then return nil, {} end
  local server = client.get()
  local encoding = server and server.offset_encoding or "utf-16"
  local line = api.nvim_buf_get_lines(0, first.range.start.line, first.range.start.line + 1, false)[1] or ""
  local start = vim.str_byteindex(line, encoding, first.range.start.character, false)
  local words = vim.tbl_map(function(item)
    return {
      word = item.insertText,
      abbr = item.label,
      kind = item.kind,
      menu = item.detail and item.detail:match("^[^\n]*") or "",
      icase = 1,
      dup = 1,
      -- The server has chosen what fits, also by other letters than the first.
      equal = 1,
    }
  end, items)
  return start, words
end

local found = {} ---@type table[]

--- 'omnifunc' of the prompt.
---@param findstart integer
---@return integer|table[]
function M.omnifunc(findstart)
  if findstart == 0 then return found end
  local start, words = to_words(client.execute_sync("kit.prompt.complete", argument(0), patience))
  found = words
  return start or -3
end

---@return boolean
local function is_wanted()
  local before = api.nvim_get_current_line():sub(1, api.nvim_win_get_cursor(0)[2])
  if before:find("^%s*/") then return api.nvim_win_get_cursor(0)[1] == 1 end
  return before:find("@%S*$") ~= nil or before:find('@"[^"]*$') ~= nil
end

---@param buffer integer
local function open(buffer)
  for _, name in ipairs(others) do
    if package.loaded[name] then return end
  end
  if not is_wanted() or api.nvim_get_mode().mode:sub(1, 1) ~= "i" then return end
  -- The word in the text is one that the user walks through; asking for it would end the walk.
  if vim.fn.pumvisible() == 1 and vim.fn.complete_info({ "selected" }).selected >= 0 then return end
  local asked = argument(buffer)
  client.execute("kit.prompt.complete", asked, function(answer)
    local is_current = api.nvim_get_current_buf() == buffer
      and api.nvim_get_mode().mode:sub(1, 1) == "i"
      and vim.deep_equal(argument(buffer), asked)
    if not is_current then return end
    local start, words = to_words(answer)
    if start then vim.fn.complete(start + 1, words) end
  end, function() end)
end

--- Makes a buffer complete prompts.
---@param buffer integer
function M.attach(buffer)
  vim.bo[buffer].omnifunc = "v:lua.require'kit.prompt_complete'.omnifunc"
  vim.bo[buffer].completeopt = "menuone,noinsert,noselect"
  api.nvim_create_autocmd({ "TextChangedI", "TextChangedP" }, {
    buffer = buffer,
    desc = "Complete commands and mentions of the prompt",
    callback = function() open(buffer) end,
  })
  local function map(key, open_key)
    vim.keymap.set("i", key, function() return vim.fn.pumvisible() == 1 and open_key or key end, {
      buffer = buffer,
      expr = true,
      desc = "Choose a completion",
    })
  end
  map("<Tab>", "<C-n>")
  map("<S-Tab>", "<C-p>")
end

return M
