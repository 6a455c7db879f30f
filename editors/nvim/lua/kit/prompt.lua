-- The prompt: a small window below the session. <CR> sends, <S-CR> and <C-j> begin a new line, <Up> and <Down> on the
-- first and last line walk through what was asked before, <C-c> stops the turn. Commands and mentions complete
-- (kit.prompt_complete).
local format = require("kit.format")

local M = {}

local api = vim.api
local height = 4

local buffer ---@type integer?
local selection ---@type table[]? What the next prompt is about, instead of the file in view.
local history = {} ---@type string[]
local place = 0 ---@type integer Which entry of the history is shown; 0 is what is being written.
local draft = ""

---@return string
local function get_text() return table.concat(api.nvim_buf_get_lines(buffer, 0, -1, false), "\n") end

---@param text string
local function set_text(text)
  local lines = vim.split(text, "\n", { plain = true })
  api.nvim_buf_set_lines(buffer, 0, -1, false, lines)
  for _, window in ipairs(vim.fn.win_findbuf(buffer)) do
    api.nvim_win_set_cursor(window, { #lines, #lines[#lines] })
  end
end

---@param step integer
local function recall(step)
  local target = place + step
  if target < 0 or target > #history then return end
  if place == 0 then draft = get_text() end
  place = target
  set_text(place == 0 and draft or history[#history + 1 - place])
end

---@param key string
---@param edge fun(): integer
---@param step integer
local function walk(key, edge, step)
  return function()
    if api.nvim_win_get_cursor(0)[1] == edge() then
      recall(step)
    else
      api.nvim_feedkeys(api.nvim_replace_termcodes(key, true, false, true), "n", false)
    end
  end
end

--- Words for the context in the window's bar.
---@return string
function M.winbar()
  local names = {}
  for _, item in ipairs(selection or require("kit.context").get()) do
    local path = vim.fn.fnamemodify(vim.uri_to_fname(item.uri), ":t")
    local range = item.range
    local last = range and (range["end"].character == 0 and range["end"].line or range["end"].line + 1)
    names[#names + 1] = range and ("%s:%d-%d"):format(path, range.start.line + 1, last) or path
  end
  local about = #names > 0 and " about " .. format.shorten(table.concat(names, ", "), 40) or ""
  local room = api.nvim_win_get_width(0) - vim.fn.strdisplaywidth("Ask" .. about) - 2
  local hints = "<CR> sends"
  for _, hint in ipairs({ "<C-c> stops", "<S-CR> new line", "<M-CR> steers" }) do
    local longer = hints .. " · " .. hint
    if vim.fn.strdisplaywidth(longer) <= room then hints = longer end
  end
  return ("Ask%s%%=%s"):format(about:gsub("%%", "%%%%"), hints)
end

--- Sends what is written, and keeps the window for the next prompt.
---@param delivery? "queue"|"steer"
local function send(delivery)
  local text = vim.trim(get_text())
  if text == "" then return end
  history[#history + 1] = text
  place, draft = 0, ""
  set_text("")
  local context = selection or require("kit.context").get()
  selection = nil
  require("kit.session").ask(text, { context = context, delivery = delivery })
end

--- Takes the chosen completion, else sends the prompt.
local function enter()
  if vim.fn.pumvisible() == 1 and vim.fn.complete_info({ "selected" }).selected >= 0 then
    -- Before what was typed meanwhile, such as the next <CR>.
    return api.nvim_feedkeys(api.nvim_replace_termcodes("<C-y>", true, false, true), "in", false)
  end
  send()
end

local function create()
  buffer = api.nvim_create_buf(false, true)
  api.nvim_buf_set_name(buffer, "kit://prompt")
  vim.bo[buffer].bufhidden = "hide"
  vim.bo[buffer].filetype = "kitprompt"
  local function map(modes, key, action, description)
    vim.keymap.set(modes, key, action, { buffer = buffer, desc = description })
  end
  local function first_line() return 1 end
  local function last_line() return api.nvim_buf_line_count(buffer) end
  map({ "n", "i" }, "<CR>", enter, "Send the prompt")
  map({ "n", "i" }, "<M-CR>", function() send("steer") end, "Tell it to the running turn")
  map("i", "<S-CR>", "<C-o>o", "New line")
  map("i", "<C-j>", "<C-o>o", "New line")
  map({ "n", "i" }, "<Up>", walk("<Up>", first_line, 1), "Earlier prompt")
  map({ "n", "i" }, "<Down>", walk("<Down>", last_line, -1), "Later prompt")
  map({ "n", "i" }, "<C-c>", function() require("kit.session").stop() end, "Stop the turn")
  map("n", "q", "<Cmd>close<CR>", "Close the prompt")
  require("kit.prompt_complete").attach(buffer)
  require("kit.shortcuts").bind(buffer)
end

--- Replaces what is written. The window stays as it is.
---@param text string
function M.fill(text)
  if not buffer or not api.nvim_buf_is_valid(buffer) then create() end
  place, draft = 0, ""
  set_text(text)
end

--- Opens the prompt below the session's window and moves the cursor into it.
---@param session_window integer
---@param context? table[] What the prompt is about, instead of the file in view.
function M.open(session_window, context)
  if not buffer or not api.nvim_buf_is_valid(buffer) then create() end
  selection = context
  local window = vim.fn.win_findbuf(buffer)[1]
  if window and api.nvim_win_get_tabpage(window) == api.nvim_get_current_tabpage() then
    api.nvim_set_current_win(window)
  else
    local above = require("kit.panel").lowest() or session_window
    window = api.nvim_open_win(buffer, true, { win = above, split = "below", height = height })
    for name, value in pairs({
      winbar = "%{%v:lua.require'kit.prompt'.winbar()%}",
      winfixheight = true,
      winfixbuf = true,
      number = false,
      relativenumber = false,
      signcolumn = "no",
      wrap = true,
      linebreak = true,
    }) do
      vim.wo[window][0][name] = value
    end
    api.nvim_create_autocmd("WinClosed", {
      pattern = tostring(session_window),
      once = true,
      desc = "The prompt goes with its session",
      callback = function()
        vim.schedule(function()
          if api.nvim_win_is_valid(window) and #api.nvim_list_wins() > 1 then api.nvim_win_close(window, true) end
        end)
      end,
    })
  end
  vim.cmd.startinsert({ bang = true })
end

return M
