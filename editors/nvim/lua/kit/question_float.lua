-- The float at the bottom right that shows the first question. It never takes the cursor by itself; the user moves in to
-- answer by a key, and is brought back to where they were, insert mode included.
local highlight = require("kit.highlight")
local keys = require("kit.keys")

local M = {}

local api = vim.api
local width_limit = 76

local float = {} ---@type { window?: integer, buffer?: integer, origin?: table, mapped?: string[] }

---@return boolean
local function is_focused() return float.window ~= nil and api.nvim_get_current_win() == float.window end

local function close()
  if float.window and api.nvim_win_is_valid(float.window) then api.nvim_win_close(float.window, true) end
  float.window = nil
end

--- Goes back to where the user was before entering the float, insert mode included.
function M.leave()
  if not is_focused() then return end
  local origin = float.origin
  float.origin = nil
  if not origin or not api.nvim_win_is_valid(origin.window) then return end
  api.nvim_set_current_win(origin.window)
  if origin.is_insert then
    api.nvim_win_set_cursor(origin.window, origin.cursor)
    vim.cmd.startinsert({ bang = origin.is_at_end })
  end
end

---@param question kit.Question
---@return string[]
local function lines_of(question)
  local lines = question.kind.lines(is_focused())
  local choices = question.kind.choices()
  if #choices > 0 and lines[#lines] ~= "" then lines[#lines + 1] = "" end
  for _, choice in ipairs(choices) do
    lines[#lines + 1] = ("%s  %s"):format(choice.key, choice.label)
  end
  return vim.tbl_map(function(line) return (line:gsub("%s*\n%s*", " ")) end, lines)
end

---@param lines string[]
---@param is_markdown boolean
local function fill(lines, is_markdown)
  if not float.buffer or not api.nvim_buf_is_valid(float.buffer) then
    float.buffer = api.nvim_create_buf(false, true)
    vim.bo[float.buffer].bufhidden = "hide"
  end
  vim.bo[float.buffer].modifiable = true
  api.nvim_buf_set_lines(float.buffer, 0, -1, false, lines)
  vim.bo[float.buffer].modifiable = false
  highlight.markdown(float.buffer, is_markdown)
end

---@param lines string[]
---@return integer
local function width_of(lines)
  local width = 30
  for _, line in ipairs(lines) do
    width = math.max(width, vim.fn.strdisplaywidth(line))
  end
  return math.min(width, width_limit, vim.o.columns - 4)
end

--- Shows a question, or nothing when none waits.
---@param question? kit.Question
---@param count integer How many wait.
function M.show(question, count)
  if not question or vim.fn.getcmdwintype() ~= "" then return close() end
  local lines = lines_of(question)
  fill(lines, question.kind.is_markdown)
  local place = count > 1 and (" · 1 of %d"):format(count) or ""
  local hint = is_focused() and "q later" or (keys.of("permit") or ":Kit permit") .. " answers"
  local settings = {
    relative = "editor",
    anchor = "SE",
    row = vim.o.lines - vim.o.cmdheight - 1,
    col = vim.o.columns,
    width = width_of(lines),
    height = 1,
    style = "minimal",
    border = "rounded",
    title = { { (" Kit asks%s "):format(place), "KitWaiting" } },
    footer = { { (" %s "):format(hint), "KitMeta" } },
    footer_pos = "right",
    zindex = 60,
    -- Only `:Kit permit` moves in, because it maps the keys for the question that is shown.
    focusable = false,
  }
  local is_here = float.window
    and api.nvim_win_is_valid(float.window)
    and api.nvim_win_get_tabpage(float.window) == api.nvim_get_current_tabpage()
  if is_here then
    api.nvim_win_set_config(float.window, settings)
  else
    close()
    float.window = api.nvim_open_win(float.buffer, false, vim.tbl_extend("force", settings, { noautocmd = true }))
    for name, value in pairs({ wrap = true, linebreak = true, conceallevel = 2, concealcursor = "nc" }) do
      vim.wo[float.window][0][name] = value
    end
  end
  settings.height = math.min(api.nvim_win_text_height(float.window, {}).all, math.max(vim.o.lines - 6, 1))
  api.nvim_win_set_config(float.window, settings)
end

--- Moves the cursor into the float, where the key of a choice chooses it.
---@param question kit.Question
---@param count integer
---@param choose fun(choice: kit.Choice)
function M.enter(question, count, choose)
  M.show(question, count)
  if not float.window then return end
  if not is_focused() then
    local window, mode = api.nvim_get_current_win(), api.nvim_get_mode().mode
    local cursor = api.nvim_win_get_cursor(window)
    float.origin = {
      window = window,
      cursor = cursor,
      is_insert = mode:sub(1, 1) == "i",
      is_at_end = cursor[2] >= #api.nvim_get_current_line(),
    }
    vim.cmd.stopinsert()
    api.nvim_set_current_win(float.window)
  end
  M.show(question, count)
  for _, key in ipairs(float.mapped or {}) do
    pcall(vim.keymap.del, "n", key, { buffer = float.buffer })
  end
  float.mapped = {}
  local function map(key, action)
    float.mapped[#float.mapped + 1] = key
    vim.keymap.set("n", key, action, { buffer = float.buffer, nowait = true })
  end
  for index, choice in ipairs(question.kind.choices()) do
    local function take() choose(question.kind.choices()[index]) end
    map(choice.key, take)
    if choice.key ~= tostring(index) and vim.list_contains(choice.aliases, tostring(index)) then
      map(tostring(index), take)
    end
  end
  for _, key in ipairs({ "q", "<Esc>" }) do
    map(key, function()
      M.leave()
      M.show(question, count)
    end)
  end
end

return M
