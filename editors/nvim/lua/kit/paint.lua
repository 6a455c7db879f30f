-- Draws the agent's hunks into visible buffers: added lines colored and signed, deleted lines as virtual lines, a hint
-- at the end of each hunk's first line. Every hunk has an anchor, an extmark over its lines that moves with the text;
-- the anchors, not the lines that the server sent, say where a hunk is now.
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

---@type table<integer, table<integer, string>> Per buffer: the hunk of each anchor.
local hunk_of_anchor = {}

---@param total integer
---@param position integer
---@param hunk table
---@return string
local function hint(total, position, hunk)
  local keep, undo = keys.of("keep"), keys.of("undo")
  local mixed = hunk.mixed and " · with your edits" or ""
  return (" %s · %s · %d/%d · %s%s"):format(
    keep and "keep " .. keep or ":Kit keep",
    undo and "undo " .. undo or ":Kit undo",
    position,
    total,
    hunk.agent,
    mixed
  )
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

---@param buffer integer
---@param hunk table
---@param deleted string[]
local function draw_deleted(buffer, hunk, deleted)
  local limit = config.get().review.deleted_lines
  local tabs = (" "):rep(vim.bo[buffer].tabstop)
  local virtual = {}
  for index, line in ipairs(vim.list_slice(deleted, 1, limit)) do
    local shown = line:gsub("\r$", ""):gsub("\t", tabs)
    virtual[index] = { { shown == "" and " " or shown, "KitDelete" } }
  end
  if #deleted > limit then
    virtual[#virtual + 1] = { { ("… %d more (:Kit diff)"):format(#deleted - limit), "KitHint" } }
  end
  local last = api.nvim_buf_line_count(buffer) - 1
  local is_past_end = hunk.lines[1] > last
  api.nvim_buf_set_extmark(buffer, drawing, math.min(hunk.lines[1], last), 0, {
    virt_lines = virtual,
    virt_lines_above = not is_past_end,
    priority = priority,
    sign_text = hunk.kind == "delete" and "▁" or nil,
    sign_hl_group = hunk.kind == "delete" and "KitSignDelete" or nil,
  })
  -- Virtual lines above the first line are scrolled out of view unless the window is told to show them.
  if hunk.lines[1] == 0 then
    for _, window in ipairs(vim.fn.win_findbuf(buffer)) do
      api.nvim_win_call(window, function()
        local view = vim.fn.winsaveview()
        if view.topline == 1 and view.topfill < #virtual then
          vim.fn.winrestview({ topline = 1, topfill = #virtual })
        end
      end)
    end
  end
end

--- Whether a window shows the buffer in diff mode, where the baseline's lines stand beside it anyway.
---@param buffer integer
---@return boolean
local function is_compared(buffer)
  return vim.iter(vim.fn.win_findbuf(buffer)):any(function(window) return vim.wo[window].diff end)
end

---@param buffer integer
---@param hunk table
---@param position integer
---@param total integer
local function draw(buffer, hunk, position, total)
  local count = api.nvim_buf_line_count(buffer)
  local first, stop = math.min(hunk.lines[1], count - 1), math.min(hunk.lines[2], count)
  local deleted = format.lines(hunk.oldText)
  local is_inline = config.get().review.inline
  if #deleted > 0 and not is_compared(buffer) then draw_deleted(buffer, hunk, is_inline and deleted or {}) end
  local anchor = { end_row = math.max(stop, first), end_col = 0, strict = false, priority = priority }
  if stop > first and hunk.kind ~= "delete" then
    if is_inline then
      anchor.hl_group, anchor.hl_eol = "KitAdd", true
    end
    local group = hunk.kind == "add" and "KitSignAdd" or "KitSignChange"
    for row = first, math.min(stop, first + sign_limit) - 1 do
      api.nvim_buf_set_extmark(
        buffer,
        drawing,
        row,
        0,
        { sign_text = "▎", sign_hl_group = group, priority = priority }
      )
    end
    local lines = api.nvim_buf_get_lines(buffer, first, stop, false)
    if is_inline and #lines == #deleted and #lines <= word_limit then
      for index, line in ipairs(lines) do
        local from, to = changed_part(deleted[index], line)
        if to > from then
          local row = first + index - 1
          api.nvim_buf_set_extmark(
            buffer,
            drawing,
            row,
            from,
            { end_col = to, hl_group = "KitChange", priority = priority + 1 }
          )
        end
      end
    end
  end
  if config.get().review.hints then
    local text = { { hint(total, position, hunk), "KitHint" } }
    api.nvim_buf_set_extmark(
      buffer,
      drawing,
      first,
      0,
      { virt_text = text, virt_text_pos = "eol", hl_mode = "combine" }
    )
  end
  local id = api.nvim_buf_set_extmark(buffer, anchors, first, 0, anchor)
  hunk_of_anchor[buffer][id] = hunk.id
end

--- Removes everything from the buffer.
---@param buffer integer
function M.clear(buffer)
  hunk_of_anchor[buffer] = nil
  if api.nvim_buf_is_valid(buffer) then
    api.nvim_buf_clear_namespace(buffer, anchors, 0, -1)
    api.nvim_buf_clear_namespace(buffer, drawing, 0, -1)
  end
end

--- Draws the hunks, and nothing else that was there.
---@param buffer integer
---@param hunks table[]
function M.draw(buffer, hunks)
  M.clear(buffer)
  hunk_of_anchor[buffer] = {}
  for position, hunk in ipairs(hunks) do
    draw(buffer, hunk, position, #hunks)
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
  for _, mark in ipairs(api.nvim_buf_get_extmarks(buffer, anchors, 0, -1, { details = true })) do
    local id, row, _, details = unpack(mark)
    local hunk = (hunk_of_anchor[buffer] or {})[id]
    if hunk then places[#places + 1] = { id = hunk, first = row, stop = details.end_row or row } end
  end
  return places
end

--- Whether the buffer has been drawn.
---@param buffer integer
---@return boolean
function M.is_drawn(buffer) return hunk_of_anchor[buffer] ~= nil end

return M
