-- Draws the agent's hunks into visible buffers: added lines colored and signed, deleted lines as virtual lines, a hint
-- at the end of each hunk's first line. Every hunk has an anchor, an extmark over its lines that moves with the text;
-- the anchors, not the lines that the server sent, say where a hunk is now. While the user types, a hunk that is as it
-- was and whose anchor has moved to its new place is left alone, so that many hunks cost a key little.
local config = require("kit.config")
local format = require("kit.format")
local highlight = require("kit.highlight")
local keys = require("kit.keys")

local M = {}

local api = vim.api
local anchors = highlight.namespace("review.anchors")
local drawing = highlight.namespace("review.drawing")
local sign_limit = 2000
local word_limit = 5
-- Below syntax (100) so that the text keeps its colors, above other backgrounds.
local priority = 90

--- What all hunks of a buffer are drawn with.
---@class kit.Look
---@field total integer
---@field is_inline boolean
---@field is_compared boolean Whether a window shows the baseline's lines beside the buffer anyway.
---@field deleted_lines integer
---@field keys? string How a hunk is kept and undone, where hints are wanted.

---@class kit.Drawn
---@field hunk table
---@field position integer
---@field anchor integer
---@field marks integer[]

---@class kit.Drawing
---@field look kit.Look
---@field hunks table<string, kit.Drawn> By the hunks' ids.
---@field of_anchor table<integer, string> The hunk of each anchor.

local drawings = {} ---@type table<integer, kit.Drawing> By buffer.

---@param buffer integer
---@param total integer
---@return kit.Look
local function look_of(buffer, total)
  local options = config.get().review
  local keep, undo = keys.of("keep"), keys.of("undo")
  local names = ("%s · %s"):format(keep and "keep " .. keep or ":Kit keep", undo and "undo " .. undo or ":Kit undo")
  return {
    total = total,
    is_inline = options.inline,
    is_compared = vim.iter(vim.fn.win_findbuf(buffer)):any(function(window) return vim.wo[window].diff end),
    deleted_lines = options.deleted_lines,
    keys = options.hints and names or nil,
  }
end

--- The part of `new` that differs from `old`, as bytes from and to.
---@param old string
---@param new string
---@return integer from
---@return integer to
local function changed_part(old, new)
  local shorter = math.min(#old, #new)
  local prefix = 0
  while prefix < shorter and old:byte(prefix + 1) == new:byte(prefix + 1) do
    prefix = prefix + 1
  end
  local suffix = 0
  while suffix < shorter - prefix and old:byte(#old - suffix) == new:byte(#new - suffix) do
    suffix = suffix + 1
  end
  return prefix, #new - suffix
end

---@param look kit.Look
---@param hunk table
---@return string[] deleted The lines to show, and how many more there are as the last of them.
local function deleted_lines(look, hunk)
  local deleted = look.is_inline and format.lines(hunk.oldText) or {}
  local more = #deleted - look.deleted_lines
  if more <= 0 then return deleted end
  deleted = vim.list_slice(deleted, 1, look.deleted_lines)
  deleted[#deleted + 1] = ("… %d more (:Kit diff)"):format(more)
  return deleted
end

---@param buffer integer
---@param look kit.Look
---@param hunk table
---@return integer mark
local function draw_deleted(buffer, look, hunk)
  local tabs = (" "):rep(vim.bo[buffer].tabstop)
  local virtual = {}
  for index, line in ipairs(deleted_lines(look, hunk)) do
    local shown = line:gsub("\r$", ""):gsub("\t", tabs)
    virtual[index] = { { shown == "" and " " or shown, index > look.deleted_lines and "KitHint" or "KitDelete" } }
  end
  local last = api.nvim_buf_line_count(buffer) - 1
  local is_past_end = hunk.lines[1] > last
  return api.nvim_buf_set_extmark(buffer, drawing, math.min(hunk.lines[1], last), 0, {
    virt_lines = virtual,
    virt_lines_above = not is_past_end,
    priority = priority,
    sign_text = hunk.kind == "delete" and "▁" or nil,
    sign_hl_group = hunk.kind == "delete" and "KitSignDelete" or nil,
  })
end

--- Virtual lines above the first line are scrolled out of view unless the window is told to show them.
---@param buffer integer
---@param count integer
local function reveal_top(buffer, count)
  for _, window in ipairs(vim.fn.win_findbuf(buffer)) do
    api.nvim_win_call(window, function()
      local view = vim.fn.winsaveview()
      if view.topline == 1 and view.topfill < count then vim.fn.winrestview({ topline = 1, topfill = count }) end
    end)
  end
end

--- The rows that a hunk covers.
---@param hunk table
---@param count integer Lines of the buffer.
---@return integer first
---@return integer stop
local function rows(hunk, count) return math.min(hunk.lines[1], count - 1), math.min(hunk.lines[2], count) end

---@param buffer integer
---@param look kit.Look
---@param hunk table
---@param position integer
---@return kit.Drawn
local function draw(buffer, look, hunk, position)
  local first, stop = rows(hunk, api.nvim_buf_line_count(buffer))
  local marks = {}
  local function mark(row, column, options)
    marks[#marks + 1] = api.nvim_buf_set_extmark(buffer, drawing, row, column, options)
  end
  if hunk.oldText ~= "" and not look.is_compared then marks[1] = draw_deleted(buffer, look, hunk) end
  local anchor = { end_row = math.max(stop, first), end_col = 0, strict = false, priority = priority }
  if stop > first and hunk.kind ~= "delete" then
    if look.is_inline then
      anchor.hl_group, anchor.hl_eol = "KitAdd", true
    end
    local group = hunk.kind == "add" and "KitSignAdd" or "KitSignChange"
    for row = first, math.min(stop, first + sign_limit) - 1 do
      mark(row, 0, { sign_text = "▎", sign_hl_group = group, priority = priority })
    end
    local deleted = format.lines(hunk.oldText)
    if look.is_inline and stop - first == #deleted and #deleted <= word_limit then
      for index, line in ipairs(api.nvim_buf_get_lines(buffer, first, stop, false)) do
        local from, to = changed_part(deleted[index], line)
        if to > from then
          mark(first + index - 1, from, { end_col = to, hl_group = "KitChange", priority = priority + 1 })
        end
      end
    end
  end
  if look.keys then
    local mixed = hunk.mixed and " · with your edits" or ""
    local hint = (" %s · %d/%d · %s%s"):format(look.keys, position, look.total, hunk.agent, mixed)
    mark(first, 0, { virt_text = { { hint, "KitHint" } }, virt_text_pos = "eol", hl_mode = "combine" })
  end
  local id = api.nvim_buf_set_extmark(buffer, anchors, first, 0, anchor)
  return { hunk = hunk, position = position, anchor = id, marks = marks }
end

local drawn_fields = { "kind", "oldText", "newText", "mixed", "agent" }

--- Whether a hunk that has been drawn would be drawn the same again.
---@param drawn kit.Drawn
---@param hunk table
---@param position integer
---@param count integer Lines of the buffer.
---@param row? integer Where its anchor begins; where it ends follows from its text.
---@return boolean
local function is_as_drawn(drawn, hunk, position, count, row)
  if row ~= rows(hunk, count) or drawn.position ~= position then return false end
  for _, field in ipairs(drawn_fields) do
    if drawn.hunk[field] ~= hunk[field] then return false end
  end
  return true
end

--- Removes everything from the buffer.
---@param buffer integer
function M.clear(buffer)
  drawings[buffer] = nil
  if api.nvim_buf_is_valid(buffer) then
    api.nvim_buf_clear_namespace(buffer, anchors, 0, -1)
    api.nvim_buf_clear_namespace(buffer, drawing, 0, -1)
  end
end

---@param buffer integer
---@param drawn kit.Drawn
local function erase(buffer, drawn)
  api.nvim_buf_del_extmark(buffer, anchors, drawn.anchor)
  for _, mark in ipairs(drawn.marks) do
    api.nvim_buf_del_extmark(buffer, drawing, mark)
  end
end

--- Draws the hunks, and nothing else that was there.
---@param buffer integer
---@param hunks table[]
function M.draw(buffer, hunks)
  local look, known = look_of(buffer, #hunks), drawings[buffer]
  if known and not vim.deep_equal(known.look, look) then
    M.clear(buffer)
    known = nil
  end
  known = known or { look = look, hunks = {}, of_anchor = {} }
  local row_of_anchor = {}
  for _, mark in ipairs(api.nvim_buf_get_extmarks(buffer, anchors, 0, -1, {})) do
    row_of_anchor[mark[1]] = mark[2]
  end
  local count, now = api.nvim_buf_line_count(buffer), {}
  for position, hunk in ipairs(hunks) do
    local drawn = known.hunks[hunk.id]
    if drawn and is_as_drawn(drawn, hunk, position, count, row_of_anchor[drawn.anchor]) then
      now[hunk.id] = drawn
    end
  end
  for id, drawn in pairs(known.hunks) do
    if not now[id] then erase(buffer, drawn) end
  end
  local of_anchor = {}
  for position, hunk in ipairs(hunks) do
    now[hunk.id] = now[hunk.id] or draw(buffer, look, hunk, position)
    of_anchor[now[hunk.id].anchor] = hunk.id
  end
  drawings[buffer] = { look = look, hunks = now, of_anchor = of_anchor }
  local top = hunks[1]
  if top and top.lines[1] == 0 and top.oldText ~= "" and not look.is_compared then
    reveal_top(buffer, #deleted_lines(look, top))
  end
end

---@class kit.Place
---@field id string The hunk.
---@field first integer Its first row.
---@field stop integer The row after its last; equal to `first` for deleted lines.

--- Where the drawn hunks are now, from top to bottom.
---@param buffer integer
---@return kit.Place[]
function M.places(buffer)
  buffer = buffer == 0 and api.nvim_get_current_buf() or buffer
  local places = {}
  local of_anchor = drawings[buffer] and drawings[buffer].of_anchor or {}
  for _, mark in ipairs(api.nvim_buf_get_extmarks(buffer, anchors, 0, -1, { details = true })) do
    local id, row, _, details = unpack(mark)
    local hunk = of_anchor[id]
    if hunk then places[#places + 1] = { id = hunk, first = row, stop = details.end_row or row } end
  end
  return places
end

--- Whether the buffer has been drawn.
---@param buffer integer
---@return boolean
function M.is_drawn(buffer) return drawings[buffer] ~= nil end

return M
