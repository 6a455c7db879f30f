-- Lists to read in a float at the cursor, and the words of subcommands that have actions.
local client = require("kit.client")
local near = require("kit.near")

local M = {}

--- Longer lines are wrapped.
M.width = 110

--- Moves what does not fit beside the cursor, such as into the small window of the prompt, to the middle of the screen.
---@param window integer
local function center(window)
  local api = vim.api
  local height = math.min(api.nvim_win_text_height(window, {}).all, vim.o.lines - vim.o.cmdheight - 4)
  if api.nvim_win_get_height(window) >= height then return end
  local width = api.nvim_win_get_width(window)
  api.nvim_win_set_config(window, {
    relative = "editor",
    anchor = "NW",
    row = math.max(0, math.floor((vim.o.lines - height) / 2) - 1),
    col = math.max(0, math.floor((vim.o.columns - width) / 2) - 1),
    height = height,
    width = width,
  })
end

---@param lines string[]
---@return string[] # Without line ends in them.
local function flat(lines)
  return vim.tbl_map(function(line) return (line:gsub("%s*\n%s*", " ")) end, lines)
end

--- Shows lines in a float that the next movement closes; `:Kit` with the same words moves into it.
---@param title string
---@param lines string[]
---@return integer window
function M.show(title, lines)
  local shown = flat(lines)
  local focus_id = "kit." .. title
  -- One that shows something older is replaced and not moved into.
  local is_same = vim.iter(vim.api.nvim_tabpage_list_wins(0)):any(function(window)
    local buffer = vim.api.nvim_win_get_buf(window)
    return vim.w[window][focus_id] ~= nil and vim.deep_equal(vim.api.nvim_buf_get_lines(buffer, 0, -1, false), shown)
  end)
  local _, window = vim.lsp.util.open_floating_preview(shown, "", {
    border = "rounded",
    title = (" %s "):format(title),
    focus_id = focus_id,
    focus = is_same,
    wrap = true,
    max_width = M.width,
  })
  center(window)
  return window
end

--- Shows other lines in a float that is open, which takes the room that they need.
---@param window integer
---@param lines string[]
function M.update(window, lines)
  local api = vim.api
  local shown = flat(lines)
  local buffer = api.nvim_win_get_buf(window)
  if vim.deep_equal(api.nvim_buf_get_lines(buffer, 0, -1, false), shown) then return end
  vim.bo[buffer].modifiable = true
  api.nvim_buf_set_lines(buffer, 0, -1, false, shown)
  vim.bo[buffer].modifiable = false
  local widest = math.max(unpack(vim.tbl_map(vim.fn.strdisplaywidth, shown)))
  api.nvim_win_set_width(window, math.max(api.nvim_win_get_width(window), math.min(widest, M.width)))
  local room = vim.o.lines - api.nvim_win_get_position(window)[1] - vim.o.cmdheight - 3
  api.nvim_win_set_height(window, math.max(1, math.min(api.nvim_win_text_height(window, {}).all, room)))
  center(window)
end

---@class kit.Subject What `:Kit SUBJECT ACTION …` is about: a module with these.
---@field subject string
---@field actions table<string, fun(rest: string)>
---@field default fun() What happens without an action.
---@field words fun(action: string, lead: string, typed: string): string[] What stands behind an action.

---@param actions table<string, fun(rest: string)>
---@return string[]
function M.names(actions)
  local names = vim.tbl_keys(actions)
  table.sort(names)
  return names
end

--- Runs the action of `:Kit SUBJECT ACTION …`, or says which ones there are.
---@param module kit.Subject
---@param action? string
---@param rest string
function M.run(module, action, rest)
  if not action then return module.default() end
  if module.actions[action] then return module.actions[action](rest) end
  local names = M.names(module.actions)
  local hint = near.hint(action, names)
  if hint == "" then hint = (" It has %s."):format(table.concat(names, ", ")) end
  client.notify((':Kit %s has no "%s".%s'):format(module.subject, action, hint), vim.log.levels.ERROR)
end

return M
