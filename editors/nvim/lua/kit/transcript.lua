-- A session's events as Markdown in a buffer.
--
-- The buffer only grows at its end, with two exceptions: a tool's output is inserted below the tool's line, and a
-- stream_reset removes the items of the current step. Text is collected and appended at most twenty times a second;
-- nothing is ever rendered again. Every item (prompt, text, reasoning, tool call, notice) owns the lines from its mark
-- to the next item's mark. The mark of a tool sits inside its line and that of any other item on the blank line before
-- it, so that lines inserted above an item move its mark and text appended to an item does not.
-- Reasoning and output are shown while they arrive and fold when they are complete. The folds are made by hand, per
-- window, because Neovim does not compute folds while the user is in insert mode, such as in the prompt.
local format = require("kit.format")
local highlight = require("kit.highlight")

local M = {}

local api = vim.api
local marks = highlight.namespace("transcript.items")
local colors = highlight.namespace("transcript.colors")
local flush_interval = 50
local fold_prefix = "┆ "
local output_limit = 200
local follow_width = 60

---@class kit.Item
---@field kind "prompt"|"text"|"reasoning"|"tool"|"notice"
---@field mark integer
---@field step integer
---@field lead integer Blank lines of the item before its mark.
---@field started? boolean
---@field status? string
---@field call? string
---@field title? string
---@field suffix? string
---@field agent? string
---@field lines? integer Output lines shown.
---@field dropped? integer Output lines not shown.
---@field began? integer
---@field partial? string The beginning of an output line that is not complete yet.
---@field changes? string
---@field review? string

---@class kit.Transcript
---@field buffer integer
---@field items kit.Item[]
---@field tools table<string, kit.Item>
---@field pending { kind: string, tool?: string, text: string }[]
---@field step integer
---@field has_text boolean Whether the current step has shown text.
---@field files table<string, { additions: integer, deletions: integer }> What the turn did to files.
local Transcript = {}
Transcript.__index = Transcript

--- A transcript in a new, hidden buffer.
---@param title string
---@return kit.Transcript
function M.new(title)
  local buffer = api.nvim_create_buf(false, true)
  vim.bo[buffer].bufhidden = "hide"
  vim.bo[buffer].undolevels = -1
  vim.bo[buffer].modifiable = false
  local self = setmetatable({ buffer = buffer }, Transcript)
  self:clear(title)
  vim.treesitter.language.register("markdown", "kit")
  vim.bo[buffer].filetype = "kit"
  if not pcall(vim.treesitter.start, buffer, "markdown") then vim.bo[buffer].syntax = "markdown" end
  return self
end

--- Empties the buffer but for its title.
---@param title string
function Transcript:clear(title)
  self.items, self.tools, self.pending, self.files = {}, {}, {}, {}
  self.step, self.has_text = 0, false
  api.nvim_buf_clear_namespace(self.buffer, marks, 0, -1)
  api.nvim_buf_clear_namespace(self.buffer, colors, 0, -1)
  self:change(function() api.nvim_buf_set_lines(self.buffer, 0, -1, false, { "# " .. title }) end)
end

--- The first line.
---@param title string
function Transcript:set_title(title)
  self:change(function() api.nvim_buf_set_lines(self.buffer, 0, 1, false, { "# " .. title }) end)
end

--- Changes the buffer; windows whose cursor stands on the last line follow its end.
---@param body fun()
function Transcript:change(body)
  if not api.nvim_buf_is_valid(self.buffer) then return end
  local last = api.nvim_buf_line_count(self.buffer)
  local following = vim.tbl_filter(
    function(window) return api.nvim_win_get_cursor(window)[1] >= last end,
    vim.fn.win_findbuf(self.buffer)
  )
  vim.bo[self.buffer].modifiable = true
  body()
  vim.bo[self.buffer].modifiable, vim.bo[self.buffer].modified = false, false
  last = api.nvim_buf_line_count(self.buffer)
  for _, window in ipairs(following) do
    api.nvim_win_set_cursor(window, { last, 0 })
  end
end

---@param lines string[]
function Transcript:append(lines) api.nvim_buf_set_lines(self.buffer, -1, -1, false, lines) end

---@param row integer
---@param from integer
---@param to integer
---@param group string
function Transcript:color(row, from, to, group)
  api.nvim_buf_set_extmark(self.buffer, colors, row, from, { end_col = to, hl_group = group, priority = 150 })
end

--- Begins an item at the end of the buffer: a blank line, except between tool calls, then its lines.
---@param kind string
---@param lines string[]
---@return kit.Item
function Transcript:open(kind, lines)
  local previous = self.items[#self.items]
  local is_adjacent = kind == "tool" and previous and previous.kind == "tool"
  local count = api.nvim_buf_line_count(self.buffer)
  -- Models like to end a text with empty lines.
  while
    previous
    and previous.kind == "text"
    and api.nvim_buf_get_lines(self.buffer, count - 1, count, false)[1] == ""
  do
    api.nvim_buf_set_lines(self.buffer, count - 1, count, false, {})
    count = count - 1
  end
  if previous and previous.kind == "reasoning" then self:fold(self:row(previous) + 1, count - 1) end
  if not is_adjacent then self:append({ "" }) end
  local row = api.nvim_buf_line_count(self.buffer)
  self:append(lines)
  local item = { kind = kind, step = self.step, lead = 0 }
  if kind == "tool" then
    item.lead = is_adjacent and 0 or 1
    item.mark = api.nvim_buf_set_extmark(self.buffer, marks, row, 1, { right_gravity = false })
  else
    item.mark = api.nvim_buf_set_extmark(self.buffer, marks, row - 1, 0, {})
  end
  self.items[#self.items + 1] = item
  return item
end

--- Closes the lines from `first` to `last` in a window, or in all that show the transcript.
---@param first integer
---@param last integer
---@param window? integer
function Transcript:fold(first, last, window)
  if last <= first then return end
  for _, each in ipairs(window and { window } or vim.fn.win_findbuf(self.buffer)) do
    api.nvim_win_call(each, function() vim.cmd(("silent! %d,%dfold"):format(first + 1, last + 1)) end)
  end
end

--- Makes the folds of a window that has begun to show the transcript.
---@param window integer
function Transcript:fold_all(window)
  api.nvim_win_call(window, function() vim.cmd("silent! normal! zE") end)
  for index, item in ipairs(self.items) do
    local following = self.items[index + 1]
    if item.kind == "reasoning" and following then
      self:fold(self:row(item) + 1, self:row(following) - following.lead - 1, window)
    elseif item.kind == "tool" and item.status ~= "running" then
      self:fold(self:row(item) + 1, self:row(item) + item.lines, window)
    end
  end
end

---@param item kit.Item
---@return integer
function Transcript:row(item) return api.nvim_buf_get_extmark_by_id(self.buffer, marks, item.mark, {})[1] end

---@param text string
---@param group? string
---@return kit.Item
function Transcript:add_notice(text, group)
  local lines = vim.split(text, "\n", { plain = true })
  local item = self:open("notice", lines)
  local row = self:row(item) + 1
  for offset, line in ipairs(lines) do
    self:color(row + offset - 1, 0, #line, group or "KitMeta")
  end
  return item
end

--- A line of its own that is not part of the conversation.
---@param text string
---@param group? string
---@return fun(text: string, group?: string) replace Writes the line anew.
function Transcript:notice(text, group)
  self:flush()
  local item
  self:change(function() item = self:add_notice(text, group) end)
  return function(new_text, new_group)
    if not api.nvim_buf_is_valid(self.buffer) or not vim.list_contains(self.items, item) then return end
    self:change(function()
      local row = self:row(item) + 1
      new_text = new_text:gsub("%s*\n%s*", " ")
      api.nvim_buf_set_lines(self.buffer, row, row + 1, false, { new_text })
      self:color(row, 0, #new_text, new_group or "KitMeta")
    end)
  end
end

---@param kind "text"|"reasoning"
---@param text string
function Transcript:append_text(kind, text)
  local item = self.items[#self.items]
  if not item or item.kind ~= kind or item.step ~= self.step then
    if vim.trim(text) == "" then return end
    self:open(kind, { kind == "reasoning" and fold_prefix or "" })
    text = text:gsub("^%s+", "")
  end
  if kind == "reasoning" then text = text:gsub("\n", "\n" .. fold_prefix) end
  local row = api.nvim_buf_line_count(self.buffer) - 1
  local column = #api.nvim_buf_get_lines(self.buffer, row, row + 1, false)[1]
  local lines = vim.split(text, "\n", { plain = true })
  api.nvim_buf_set_text(self.buffer, row, column, row, column, lines)
  if kind == "reasoning" then
    for offset, line in ipairs(lines) do
      local from = offset == 1 and column or 0
      self:color(row + offset - 1, from, from + #line, "KitReasoning")
    end
  end
end

--- Adds lines below a tool's line, up to the limit.
---@param item kit.Item
---@param lines string[]
---@param group? fun(line: string): string?
function Transcript:append_output(item, lines, group)
  local room = math.max(output_limit - item.lines, 0)
  item.dropped = item.dropped + math.max(#lines - room, 0)
  local row = self:row(item) + 1 + item.lines
  local shown = vim.list_slice(lines, 1, room)
  for index, line in ipairs(shown) do
    shown[index] = fold_prefix .. line:gsub("\r", ""):gsub("\27%[[%d;?]*%a", "")
  end
  api.nvim_buf_set_lines(self.buffer, row, row, false, shown)
  item.lines = item.lines + #shown
  for index, line in ipairs(shown) do
    self:color(row + index - 1, 0, #line, group and group(line:sub(#fold_prefix + 1)) or "KitMeta")
  end
end

local icons = { waiting = "○", running = "●", done = "▸", edited = "▾", failed = "✗" }
local icon_groups =
  { waiting = "KitMeta", running = "KitRunning", done = "KitDone", edited = "KitDone", failed = "KitFailed" }

--- Writes a tool's line anew, in place.
---@param item kit.Item
function Transcript:write_tool(item)
  local indent = item.agent and "  " or ""
  local icon = indent .. icons[item.status]
  local title = (item.agent and "[" .. item.agent .. "] " or "") .. item.title
  local line = icon .. " " .. title .. (item.suffix and "  " .. item.suffix or "")
  local row = self:row(item)
  local old = api.nvim_buf_get_lines(self.buffer, row, row + 1, false)[1]
  api.nvim_buf_set_text(self.buffer, row, 0, row, #old, { line })
  api.nvim_buf_set_extmark(self.buffer, marks, row, 1, { id = item.mark, right_gravity = false })
  api.nvim_buf_clear_namespace(self.buffer, colors, row, row + 1)
  self:color(row, 0, #icon, icon_groups[item.status])
  if item.suffix then
    local group = item.status == "failed" and "KitFailed" or item.suffix:find("pending", 1, true) and "KitPending"
    self:color(row, #line - #item.suffix, #line, group or "KitMeta")
  end
end

--- Appends collected text now.
function Transcript:flush()
  if #self.pending == 0 then return end
  local pending = self.pending
  self.pending = {}
  self:change(function()
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
  end)
end

---@param kind string
---@param text string
---@param tool? string
function Transcript:collect(kind, text, tool)
  local last = self.pending[#self.pending]
  if last and last.kind == kind and last.tool == tool then
    last.text = last.text .. text
  else
    self.pending[#self.pending + 1] = { kind = kind, tool = tool, text = text }
  end
  if not self.flush_planned then
    self.flush_planned = true
    vim.defer_fn(function()
      self.flush_planned = false
      self:flush()
    end, flush_interval)
  end
end

--- Removes what the current step has shown: its text, its reasoning, and tool calls that have not started.
function Transcript:reset_step()
  self.pending = vim.tbl_filter(function(part) return part.tool ~= nil end, self.pending)
  self:change(function()
    local stop = api.nvim_buf_line_count(self.buffer)
    for index = #self.items, 1, -1 do
      local item = self.items[index]
      local start = self:row(item) - item.lead
      if item.step ~= self.step then break end
      if item.kind == "text" or item.kind == "reasoning" or item.kind == "tool" and not item.started then
        api.nvim_buf_set_lines(self.buffer, start, stop, false, {})
        api.nvim_buf_del_extmark(self.buffer, marks, item.mark)
        table.remove(self.items, index)
        if item.call then self.tools[item.call] = nil end
      end
      stop = start
    end
  end)
  self.has_text = false
end

--- Sets what a tool's line says about the review of its changes.
---@param call string
---@param state? string
function Transcript:set_review(call, state)
  local item = self.tools[call]
  if item and item.changes and item.review ~= state then
    item.review = state
    item.suffix = state and ("%s · %s"):format(item.changes, state) or item.changes
    self:change(function() self:write_tool(item) end)
  end
end

local stops = {
  end_turn = "Done",
  tool_use = "Done",
  cancelled = "Stopped",
  budget = "Paused by the budget",
  max_steps = "Stopped at the step limit",
  max_tokens = "Cut off at the token limit",
  refusal = "Refused",
  error = "Failed",
}

---@param event table
---@param files table<string, { additions: integer, deletions: integer }>
---@return string
local function turn_summary(event, files)
  local parts = { ("%s in %s"):format(stops[event.stopReason] or "Ended", format.duration(event.durationMs)) }
  if event.toolCallCount > 0 then parts[#parts + 1] = format.count(event.toolCallCount, "tool") end
  local count, additions, deletions = 0, 0, 0
  for _, file in pairs(files) do
    count, additions, deletions = count + 1, additions + file.additions, deletions + file.deletions
  end
  if count > 0 then parts[#parts + 1] = ("%s (+%d −%d)"):format(format.count(count, "file"), additions, deletions) end
  parts[#parts + 1] = format.usage(event.usage)
  return table.concat(parts, " · ")
end

---@param event table
---@return string
local function tool_title(event)
  local title = event.title or ""
  if title == "" then
    title = event.toolName
  elseif not vim.startswith(title:lower(), event.toolName:lower()) and not vim.startswith(title, "$ ") then
    title = ("%-5s %s"):format(event.toolName, title)
  end
  return (title:gsub("%s*\n%s*", " "))
end

---@param event table
---@return kit.Item
function Transcript:tool(event)
  local item = self.tools[event.toolCallId]
  if not item then
    item = self:open("tool", { icons.waiting .. " " })
    item.status, item.title = "waiting", tool_title(event)
    item.call, item.lines, item.dropped, item.began = event.toolCallId, 0, 0, event.at
    item.agent = event.agent and (event.agent.name or event.agent.id) or nil
    self.tools[event.toolCallId] = item
    self:write_tool(item)
  end
  return item
end

---@param line string
---@return string?
local function diff_group(line) return ({ ["+"] = "KitSignAdd", ["-"] = "KitSignDelete" })[line:sub(1, 1)] end

---@param event table
function Transcript:finish_tool(event)
  local item = self:tool(event)
  local differences = event.metadata and event.metadata.fileDiffs or {}
  local took = event.at - item.began
  item.started = true
  item.suffix = took >= 1 and format.duration(took) or nil
  item.status = event.isError and "failed" or "done"
  if event.isError then
    item.suffix = format.shorten(vim.trim(event.result):match("^[^\n]*"), follow_width * 2)
  elseif #differences > 0 then
    local additions, deletions, shown = 0, 0, {}
    for _, difference in ipairs(differences) do
      additions, deletions = additions + difference.additions, deletions + difference.deletions
      local file = self.files[difference.uri] or { additions = 0, deletions = 0 }
      file.additions, file.deletions = file.additions + difference.additions, file.deletions + difference.deletions
      self.files[difference.uri] = file
      vim.list_extend(shown, format.diff(difference.diffBlocks))
    end
    item.status, item.changes = "edited", ("+%d −%d"):format(additions, deletions)
    item.suffix = item.changes
    if item.lines == 0 then self:append_output(item, shown, diff_group) end
  end
  if item.partial and item.partial ~= "" then
    self:append_output(item, { item.partial })
    item.partial = nil
  elseif item.lines == 0 and #differences == 0 then
    self:append_output(item, format.lines(event.result))
  end
  if item.dropped > 0 then item.suffix = vim.trim(("%s  … %d more lines"):format(item.suffix or "", item.dropped)) end
  self:write_tool(item)
  self:fold(self:row(item) + 1, self:row(item) + item.lines)
end

---@type table<string, fun(self: kit.Transcript, event: table)>
local on_event = {}

function on_event.turn_start(self, event)
  self.files, self.has_text = {}, false
  self.step = self.step + 1
  local lines = vim.list_extend({ "## You", "" }, vim.split(event.prompt, "\n", { plain = true }))
  local item = self:open("prompt", lines)
  self:color(self:row(item) + 1, 0, #lines[1], "KitUser")
end

function on_event.message_start(self)
  self.step, self.has_text = self.step + 1, false
end

--- The whole text, for a client that has not seen it arrive.
local function whole_text(self, event)
  if not self.has_text and event.content ~= "" then
    self.has_text = true
    self:append_text("text", event.content)
  end
end
on_event.message_end = whole_text
on_event.tool_call_content = whole_text
on_event.response = whole_text

function on_event.tool_call(self, event)
  local item = self:tool(event)
  item.title = tool_title(event)
  self:write_tool(item)
end

function on_event.tool_execution_start(self, event)
  local item = self:tool(event)
  item.started, item.status, item.suffix, item.began = true, "running", "… running", event.at
  self:write_tool(item)
end

function on_event.tool_result(self, event) self:finish_tool(event) end

function on_event.stream_reset(self) self:reset_step() end

function on_event.retry(self, event)
  self:add_notice(
    ("↻ Retry %d in %s: %s"):format(event.attempt, format.duration(event.afterMs), event.reason),
    "KitWaiting"
  )
end

function on_event.compaction(self, event)
  local before, after = format.tokens(event.originalTokens), format.tokens(event.compactedTokens)
  local messages = format.count(event.messagesRemoved, "message")
  self:add_notice(("◇ Compacted %s tokens to %s (%s summarized)"):format(before, after, messages))
end

function on_event.model_change(self, event)
  self:add_notice(("◇ Model: %s, was %s (%s)"):format(event.model, event.previous, event.source))
end

function on_event.notice(self, event) self:add_notice("◇ " .. event.message) end

function on_event.thinking_change(self, event)
  local text = "◇ Thinking level: %s, was %s"
  if event.source == "model_fallback" then text = "◇ This model thinks at level %s, it has no level %s" end
  self:add_notice(text:format(event.level, event.previous))
end

function on_event.error(self, event) self:add_notice("✗ " .. event.message, "KitFailed") end

function on_event.queue(self, event)
  if event.length > 0 then self:add_notice("◇ " .. format.count(event.length, "prompt") .. " queued") end
end

function on_event.turn_end(self, event)
  local group = (event.stopReason == "error" or event.stopReason == "refusal") and "KitFailed" or "KitMeta"
  self:add_notice(turn_summary(event, self.files), group)
  self.files = {}
end

-- A subagent's words reach its parent as a tool result; its own stream shows what it does.
local shown_of_subagents = {
  tool_call = true,
  tool_execution_start = true,
  tool_output = true,
  tool_result = true,
  error = true,
  retry = true,
}

--- Shows one event.
---@param event table kit/event
function Transcript:on_event(event)
  if not api.nvim_buf_is_valid(self.buffer) or event.agent and not shown_of_subagents[event.type] then return end
  if event.type == "message_update" then
    self.has_text = true
    return self:collect("text", event.chunk)
  elseif event.type == "reasoning_delta" then
    return self:collect("reasoning", event.delta)
  elseif event.type == "tool_output" then
    return self:collect("output", event.chunk, event.toolCallId)
  end
  local show = on_event[event.type]
  if not show then return end
  if event.type ~= "stream_reset" then self:flush() end
  self:change(function() show(self, event) end)
end

--- 'foldtext' of windows that show a transcript.
---@return string
function M.foldtext()
  local count = vim.v.foldend - vim.v.foldstart + 1
  local first = vim.trim(vim.fn.getline(vim.v.foldstart):sub(#fold_prefix + 1))
  return ("%s%s  (%s)"):format(fold_prefix, format.shorten(first, follow_width), format.count(count, "line"))
end

return M
