-- The lines of one agent in a transcript: the session's own at the left, those of a subagent indented below the tool
-- call that started it.
--
-- A lane grows at its end; that of the session ends with the buffer, that of a subagent at its height below its owner.
-- Three exceptions: a tool's output is inserted below the tool's line, a text or reasoning that is being written goes on
-- above the notices that came meanwhile, and a stream_reset removes items of the last step.
-- Every item (prompt, text, reasoning, tool call, notice) owns the lines from its mark to the next item's mark. The mark
-- sits inside the item's first line, or on the blank line before it where that line may be empty, so that lines inserted
-- above an item move its mark and text appended to an item does not.
local format = require("kit.format")
local highlight = require("kit.highlight")

local api = vim.api
local marks = highlight.namespace("transcript.items")
local output_limit = 200

---@class kit.Item
---@field kind "prompt"|"text"|"reasoning"|"tool"|"notice" A notice is said beside the conversation and ends no text.
---@field mark integer
---@field is_marked_above boolean Whether the mark is on the blank line before the item.
---@field step integer
---@field lead integer Blank lines before the item that belong to it.
---@field trimmed? integer Empty lines at the end of a text that were taken away, though it may go on.
---@field is_over? boolean Whether a text or reasoning goes on no more.
---@field started? boolean
---@field status? string
---@field call? string
---@field title? string
---@field suffix? string
---@field lines integer Output lines shown.
---@field dropped? integer Output lines not shown.
---@field began? integer
---@field partial? string The beginning of an output line that is not complete yet.
---@field tool? string
---@field plain_title? string
---@field display? table What an extension shows instead.
---@field changes? string
---@field review? string
---@field uri? string The file that the call changed.
---@field lane? kit.Lane The subagent that the call started.
---@field child? string The session of that subagent.

---@class kit.Lane
---@field canvas kit.Canvas
---@field agent? string The subagent's id; nil for the session itself.
---@field parent? kit.Lane
---@field owner? kit.Item The tool call that started the subagent.
---@field prefix string What every line begins with.
---@field items kit.Item[]
---@field tools table<string, kit.Item>
---@field pending { kind: string, tool?: string, text: string }[] Text that is not in the buffer yet.
---@field step integer
---@field has_text boolean Whether the current step has shown text.
---@field height integer Lines of a subagent.
---@field is_over boolean Whether the subagent has ended.
---@field tool_count integer
---@field plan? kit.Item The agent's plan.
---@field usage table Sums over the subagent's model calls so far.
local Lane = {}
Lane.__index = Lane

local M = {}

--- What lines of output and of subagents begin with, once for each level.
M.indent = "┆ "

M.icons = { waiting = "○", running = "●", done = "▸", edited = "▾", failed = "✗" }
local icon_groups =
  { waiting = "KitMeta", running = "KitRunning", done = "KitDone", edited = "KitDone", failed = "KitFailed" }

--- An empty lane.
---@param canvas kit.Canvas
---@param parent? kit.Lane
---@param owner? kit.Item
---@return kit.Lane
function M.new(canvas, parent, owner)
  return setmetatable({
    canvas = canvas,
    parent = parent,
    owner = owner,
    prefix = parent and parent.prefix .. M.indent or "",
    items = {},
    tools = {},
    pending = {},
    step = 0,
    has_text = false,
    height = 0,
    is_over = false,
    tool_count = 0,
    usage = {},
  }, Lane)
end

--- The row behind the last line.
---@return integer
function Lane:stop()
  if not self.owner then return api.nvim_buf_line_count(self.canvas.buffer) end
  return self.parent:row(self.owner) + 1 + self.owner.lines + self.height
end

---@param count integer
function Lane:grow(count)
  self.height = self.height + count
  if self.parent then self.parent:grow(count) end
end

---@param row integer
---@param lines string[]
function Lane:insert(row, lines)
  api.nvim_buf_set_lines(self.canvas.buffer, row, row, false, lines)
  self:grow(#lines)
end

---@param start integer
---@param stop integer
function Lane:remove(start, stop)
  api.nvim_buf_set_lines(self.canvas.buffer, start, stop, false, {})
  self:grow(start - stop)
end

--- The row of an item's first line.
---@param item kit.Item
---@return integer
function Lane:row(item)
  local row = api.nvim_buf_get_extmark_by_id(self.canvas.buffer, marks, item.mark, {})[1]
  return item.is_marked_above and row + 1 or row
end

--- The row of the last line of a tool call, with its output and its subagent.
---@param item kit.Item
---@return integer
function Lane:last_row(item) return self:row(item) + item.lines + (item.lane and item.lane.height or 0) end

--- The row behind the last line of an item.
---@param index integer
---@return integer
function Lane:stop_of(index)
  local following = self.items[index + 1]
  return following and self:row(following) - following.lead or self:stop()
end

--- The place of the text or reasoning that may go on, behind which only notices stand, or 0.
---@return integer
function Lane:written()
  for index = #self.items, 1, -1 do
    local item = self.items[index]
    if item.kind ~= "notice" then
      local is_written = item.kind == "text" or item.kind == "reasoning"
      return is_written and not item.is_over and index or 0
    end
  end
  return 0
end

--- Ends the text or reasoning that is written last.
function Lane:finish()
  local index = self:written()
  local item = self.items[index]
  if not item then return end
  item.is_over = true
  if item.kind == "reasoning" then self.canvas:fold(self:row(item), self:stop_of(index) - 1) end
end

--- Models like to end a text with empty lines.
function Lane:trim()
  local last = self.items[#self.items]
  while last and last.kind == "text" do
    local stop = self:stop()
    local line = api.nvim_buf_get_lines(self.canvas.buffer, stop - 1, stop, false)[1]
    if line ~= self.prefix or stop - 1 <= self:row(last) then return end
    self:remove(stop - 1, stop)
    last.trimmed = (last.trimmed or 0) + 1
  end
end

--- Begins an item at the end: in the session's own lane after a blank line, except between tool calls.
---@param kind string
---@param lines string[]
---@return kit.Item
function Lane:open(kind, lines)
  local previous = self.items[#self.items]
  self:trim()
  if kind ~= "notice" then self:finish() end
  local is_adjacent = kind == "tool" and previous and previous.kind == "tool"
  local item = { kind = kind, step = self.step, lines = 0, is_marked_above = not self.owner and kind ~= "tool" }
  item.lead = (self.owner or is_adjacent) and 0 or 1
  local row = self:stop()
  local shown = vim.tbl_map(function(line) return self.prefix .. line end, lines)
  if item.lead == 1 then table.insert(shown, 1, "") end
  self:insert(row, shown)
  if item.is_marked_above then
    item.mark = api.nvim_buf_set_extmark(self.canvas.buffer, marks, row, 0, {})
  else
    item.mark = api.nvim_buf_set_extmark(self.canvas.buffer, marks, row + item.lead, 1, { right_gravity = false })
  end
  if self.owner then
    for offset = 0, #shown - 1 do
      self.canvas:color(row + offset, 0, #self.prefix, "KitMeta")
    end
  end
  self.items[#self.items + 1] = item
  return item
end

--- Adds a line or more that is not part of the conversation.
---@param text string
---@param group? string
---@return kit.Item
function Lane:add_notice(text, group)
  local lines = vim.split(text, "\n", { plain = true })
  local item = self:open("notice", lines)
  local row = self:row(item)
  for offset, line in ipairs(lines) do
    self.canvas:color(row + offset - 1, #self.prefix, #self.prefix + #line, group or "KitMeta")
  end
  return item
end

--- Writes a notice of one line anew.
---@param item kit.Item
---@param text string
---@param group? string
function Lane:replace_notice(item, text, group)
  local row = self:row(item)
  local line = self.prefix .. text:gsub("%s*\n%s*", " ")
  local old = api.nvim_buf_get_lines(self.canvas.buffer, row, row + 1, false)[1]
  api.nvim_buf_set_text(self.canvas.buffer, row, 0, row, #old, { line })
  if not item.is_marked_above then self:mark_line(item, row) end
  self.canvas:color(row, #self.prefix, #line, group or "KitMeta")
end

---@param item kit.Item
---@param row integer
function Lane:mark_line(item, row)
  api.nvim_buf_set_extmark(self.canvas.buffer, marks, row, 1, { id = item.mark, right_gravity = false })
end

---@param kind "text"|"reasoning"
---@param text string
function Lane:append_text(kind, text)
  local written = self:written()
  local item = self.items[written]
  local lead = kind == "reasoning" and M.indent or ""
  if not item or item.kind ~= kind or item.step ~= self.step then
    if vim.trim(text) == "" then return end
    item, written = self:open(kind, { lead }), #self.items
    text = text:gsub("^%s+", "")
  end
  text, item.trimmed = ("\n"):rep(item.trimmed or 0) .. text, nil
  local prefix = self.prefix .. lead
  if prefix ~= "" then text = text:gsub("\n", "\n" .. prefix) end
  local row = self:stop_of(written) - 1
  local column = #api.nvim_buf_get_lines(self.canvas.buffer, row, row + 1, false)[1]
  local lines = vim.split(text, "\n", { plain = true })
  api.nvim_buf_set_text(self.canvas.buffer, row, column, row, column, lines)
  self:grow(#lines - 1)
  for offset, line in ipairs(lines) do
    local from = offset == 1 and column or 0
    local to = kind == "reasoning" and from + #line or #self.prefix
    if to > from then
      self.canvas:color(row + offset - 1, from, to, kind == "reasoning" and "KitReasoning" or "KitMeta")
    end
  end
end

--- Adds lines below a tool's line, up to the limit.
---@param item kit.Item
---@param lines string[]
---@param group? fun(line: string): string?
function Lane:append_output(item, lines, group)
  local room = math.max(output_limit - item.lines, 0)
  item.dropped = item.dropped + math.max(#lines - room, 0)
  local row = self:row(item) + 1 + item.lines
  local prefix = self.prefix .. M.indent
  local shown = vim.list_slice(lines, 1, room)
  for index, line in ipairs(shown) do
    shown[index] = prefix .. line:gsub("\r", ""):gsub("\27%[[%d;?]*%a", "")
  end
  self:insert(row, shown)
  item.lines = item.lines + #shown
  for index, line in ipairs(shown) do
    self.canvas:color(row + index - 1, 0, #line, group and group(line:sub(#prefix + 1)) or "KitMeta")
  end
end

--- Takes a tool's output away, to show another.
---@param item kit.Item
function Lane:clear_output(item)
  local row = self:row(item) + 1
  self:remove(row, row + item.lines)
  item.lines, item.dropped, item.partial = 0, 0, nil
end

--- Writes a tool's line anew, in place.
---@param item kit.Item
function Lane:write_tool(item)
  local icon = self.prefix .. M.icons[item.status]
  local line = icon .. " " .. item.title .. (item.suffix and "  " .. item.suffix or "")
  local row = self:row(item)
  local old = api.nvim_buf_get_lines(self.canvas.buffer, row, row + 1, false)[1]
  if line ~= old then api.nvim_buf_set_text(self.canvas.buffer, row, 0, row, #old, { line }) end
  self:mark_line(item, row)
  self.canvas:clear_colors(row)
  if self.owner then self.canvas:color(row, 0, #self.prefix, "KitMeta") end
  self.canvas:color(row, #self.prefix, #icon, icon_groups[item.status])
  local display = item.display
  if display and display.group then self.canvas:color(row, #icon + 1, #icon + 1 + #item.title, display.group) end
  if item.suffix then
    local group = item.status == "failed" and "KitFailed" or item.suffix:find("pending", 1, true) and "KitPending"
    self.canvas:color(row, #line - #item.suffix, #line, group or "KitMeta")
  end
end

--- Shows what was collected.
function Lane:flush()
  local pending = self.pending
  self.pending = {}
  for _, part in ipairs(pending) do
    local item = part.tool and self.tools[part.tool]
    if item then
      local text = (item.partial or "") .. part.text
      local complete, rest = text:match("^(.*\n)(.-)$")
      item.partial = rest or text
      if complete then self:append_output(item, format.lines(complete)) end
    elseif not part.tool then
      self:append_text(part.kind, part.text)
    end
  end
end

--- Takes an item with its lines away.
---@param item kit.Item
function Lane:drop(item)
  for index, each in ipairs(self.items) do
    if each == item then
      self:remove(self:row(item) - item.lead, self:stop_of(index))
      api.nvim_buf_del_extmark(self.canvas.buffer, marks, item.mark)
      table.remove(self.items, index)
      return
    end
  end
end

--- Collects text for the next flush.
---@param kind string
---@param text string
---@param tool? string
function Lane:collect(kind, text, tool)
  local last = self.pending[#self.pending]
  if last and last.kind == kind and last.tool == tool then
    last.text = last.text .. text
  else
    self.pending[#self.pending + 1] = { kind = kind, tool = tool, text = text }
  end
end

--- Removes what the current step has shown: its text, its reasoning, and tool calls that have not started.
function Lane:reset_step()
  self.pending = vim.tbl_filter(function(part) return part.tool ~= nil end, self.pending)
  local stop = self:stop()
  for index = #self.items, 1, -1 do
    local item = self.items[index]
    local start = self:row(item) - item.lead
    if item.step ~= self.step then break end
    if item.kind == "text" or item.kind == "reasoning" or item.kind == "tool" and not item.started then
      self:remove(start, stop)
      api.nvim_buf_del_extmark(self.canvas.buffer, marks, item.mark)
      table.remove(self.items, index)
      if item.call then self.tools[item.call] = nil end
    end
    stop = start
  end
  self.has_text = false
end

--- Makes the folds of a window that has begun to show the lane, from the inside to the outside.
---@param window integer
function Lane:fold_all(window)
  for index, item in ipairs(self.items) do
    if item.kind == "reasoning" and item.is_over then
      self.canvas:fold(self:row(item), self:stop_of(index) - 1, window)
    elseif item.kind == "tool" then
      if item.lane then item.lane:fold_all(window) end
      if item.status ~= "running" then self.canvas:fold(self:row(item) + 1, self:last_row(item), window) end
    end
  end
end

--- The innermost tool call whose lines hold the row.
---@param row integer
---@return kit.Item? item
---@return kit.Lane? lane
function Lane:at(row)
  for _, item in ipairs(self.items) do
    if item.kind == "tool" then
      local first = self:row(item)
      if row >= first and row <= self:last_row(item) then
        local inner, lane
        if item.lane and row > first then
          inner, lane = item.lane:at(row)
        end
        return inner or item, lane or self
      end
    end
  end
end

return M
