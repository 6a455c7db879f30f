-- Panels: small windows above and below the transcript that hold what extensions show until they remove it.
-- A panel exists while it has lines and the session is in view; it never takes the cursor, and one that the user closes
-- stays closed until the session is shown anew.
local highlight = require("kit.highlight")

local M = {}

local api = vim.api
local namespace = highlight.namespace("panel")
local largest_share = 1 / 3

---@class kit.PanelEntry
---@field text string
---@field is_markdown boolean
---@field border? string The group of a bar at its left.
---@field background? string The group of its lines.

---@alias kit.PanelPlace "above"|"below"

---@class kit.Panel
---@field buffer? integer
---@field window? integer
---@field entries kit.PanelEntry[]
---@field is_closed_by_user? boolean

---@type table<kit.PanelPlace, kit.Panel>
local panels = { above = { entries = {} }, below = { entries = {} } }
local closing = false

---@param panel kit.Panel
---@return boolean
local function is_shown(panel)
  return panel.window ~= nil
    and api.nvim_win_is_valid(panel.window)
    and api.nvim_win_get_tabpage(panel.window) == api.nvim_get_current_tabpage()
end

---@param panel kit.Panel
local function close(panel)
  if panel.window and api.nvim_win_is_valid(panel.window) and #api.nvim_list_wins() > 1 then
    closing = true
    pcall(api.nvim_win_close, panel.window, true)
    closing = false
  end
  panel.window = nil
end

---@param panel kit.Panel
---@param place kit.PanelPlace
local function fill(panel, place)
  if not panel.buffer or not api.nvim_buf_is_valid(panel.buffer) then
    panel.buffer = api.nvim_create_buf(false, true)
    api.nvim_buf_set_name(panel.buffer, "kit://panel/" .. place)
    vim.bo[panel.buffer].bufhidden = "hide"
    vim.bo[panel.buffer].filetype = "kitpanel"
  end
  local lines, marks, has_markdown = {}, {}, false
  for _, entry in ipairs(panel.entries) do
    has_markdown = has_markdown or entry.is_markdown
    for _, line in ipairs(vim.split(vim.trim(entry.text), "\n", { plain = true })) do
      lines[#lines + 1] = line
      marks[#lines] = entry
    end
  end
  vim.bo[panel.buffer].modifiable = true
  api.nvim_buf_set_lines(panel.buffer, 0, -1, false, lines)
  vim.bo[panel.buffer].modifiable, vim.bo[panel.buffer].modified = false, false
  api.nvim_buf_clear_namespace(panel.buffer, namespace, 0, -1)
  for row, entry in pairs(marks) do
    api.nvim_buf_set_extmark(panel.buffer, namespace, row - 1, 0, {
      virt_text = entry.border and { { "▎ ", entry.border } } or nil,
      virt_text_pos = "inline",
      right_gravity = false,
      line_hl_group = entry.background,
    })
  end
  highlight.markdown(panel.buffer, has_markdown)
end

local window_options = {
  winfixheight = true,
  winfixbuf = true,
  number = false,
  relativenumber = false,
  signcolumn = "no",
  foldcolumn = "0",
  spell = false,
  wrap = true,
  linebreak = true,
  cursorline = false,
  conceallevel = 2,
  concealcursor = "nvic",
  winbar = "",
  statusline = " ",
}

---@param panel kit.Panel
---@param place kit.PanelPlace
---@param session_window integer
local function open(panel, place, session_window)
  if not is_shown(panel) then
    close(panel)
    panel.window = api.nvim_open_win(panel.buffer, false, { win = session_window, split = place, height = 1 })
    for name, value in pairs(window_options) do
      vim.wo[panel.window][0][name] = value
    end
  end
  local height = api.nvim_win_text_height(panel.window, {}).all
  api.nvim_win_set_height(panel.window, math.max(math.min(height, math.floor(vim.o.lines * largest_share)), 1))
end

--- Draws the panels anew, or closes them when no session is in view.
function M.refresh()
  if vim.fn.getcmdwintype() ~= "" then return end
  local session = package.loaded["kit.session"]
  local session_window = session and session.window()
  for place, panel in pairs(panels) do
    if not session_window or #panel.entries == 0 or panel.is_closed_by_user then
      close(panel)
    else
      fill(panel, place)
      open(panel, place, session_window)
    end
  end
end

--- Sets what a panel holds.
---@param place kit.PanelPlace
---@param entries kit.PanelEntry[]
function M.set(place, entries)
  panels[place].entries = entries
  M.refresh()
end

--- Shows panels that the user has closed, too.
function M.reopen()
  for _, panel in pairs(panels) do
    panel.is_closed_by_user = nil
  end
  M.refresh()
end

--- The panel's window below the transcript in this tab, or nil.
---@return integer?
function M.lowest() return is_shown(panels.below) and panels.below.window or nil end

local group = api.nvim_create_augroup("kit.panel", {})
api.nvim_create_autocmd("WinClosed", {
  group = group,
  desc = "Panels go with their session",
  callback = function(event)
    local window = tonumber(event.match)
    for _, panel in pairs(panels) do
      if panel.window == window and not closing then
        panel.window, panel.is_closed_by_user = nil, true
      end
    end
    if window and api.nvim_win_is_valid(window) and vim.w[window].kit_session then vim.schedule(M.refresh) end
  end,
})
api.nvim_create_autocmd({ "TabEnter", "VimResized", "CmdwinLeave" }, {
  group = group,
  desc = "Panels follow their session",
  callback = function() vim.schedule(M.refresh) end,
})

return M
