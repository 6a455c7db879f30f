-- A session's events as Markdown in a buffer.
--
-- The session's own agent and each subagent have a lane of lines (kit.lane). Text is collected and appended at most
-- twenty times a second; nothing is ever rendered again. Reasoning, output and the work of subagents are shown while they
-- arrive and fold when they are complete. What each kind of event does stands in kit.transcript_events.
local canvas = require("kit.canvas")
local events = require("kit.transcript_events")
local format = require("kit.format")
local lane = require("kit.lane")

local M = {}

local api = vim.api
local flush_interval = 50
local follow_width = 60

---@class kit.Transcript
---@field buffer integer
---@field canvas kit.Canvas
---@field main kit.Lane
---@field lanes table<string, kit.Lane> Of subagents, by their ids.
---@field turn? string The turn that runs.
---@field queued integer Prompts that wait.
---@field files table<string, { additions: integer, deletions: integer }> What the turn did to files.
local Transcript = {}
Transcript.__index = Transcript

--- A transcript in a new, hidden buffer.
---@param title string
---@return kit.Transcript
function M.new(title)
  local self = setmetatable({ canvas = canvas.new() }, Transcript)
  self.buffer = self.canvas.buffer
  self:clear(title)
  return self
end

--- Empties the buffer but for its title.
---@param title string
function Transcript:clear(title)
  self.main, self.lanes, self.files = lane.new(self.canvas), {}, {}
  self.turn, self.queued = nil, 0
  self.canvas:clear("# " .. title)
end

--- The first line.
---@param title string
function Transcript:set_title(title)
  self.canvas:change(function() api.nvim_buf_set_lines(self.buffer, 0, 1, false, { "# " .. title }) end)
end

--- Makes the folds of a window that has begun to show the transcript.
---@param window integer
function Transcript:fold_all(window)
  api.nvim_win_call(window, function() vim.cmd("silent! normal! zE") end)
  self.main:fold_all(window)
end

--- A line of its own that is not part of the conversation.
---@param text string
---@param group? string
---@return fun(text: string, group?: string) replace Writes the line anew.
function Transcript:notice(text, group)
  self:flush()
  local main, item = self.main, nil
  self.canvas:change(function() item = main:add_notice(text, group) end)
  return function(new_text, new_group)
    if not self.canvas:is_valid() or self.main ~= main then return end
    self.canvas:change(function() main:replace_notice(item, new_text, new_group) end)
  end
end

--- A block of an extension: a first line that names it, then its text.
---@param head string
---@param lines string[]
---@param group string
---@param text_group? string
function Transcript:block(head, lines, group, text_group)
  self:flush()
  self.canvas:change(function()
    local main = self.main
    local shown = { "╭ " .. head }
    for _, line in ipairs(lines) do
      shown[#shown + 1] = "│ " .. line
    end
    local row = main:row(main:open("notice", shown))
    self.canvas:color(row, 0, #shown[1], group)
    for offset = 1, #lines do
      self.canvas:color(row + offset, 0, #"│", group)
      local length = #shown[offset + 1]
      if text_group and length > #"│ " then self.canvas:color(row + offset, #"│ ", length, text_group) end
    end
  end)
end

--- Appends collected text now.
function Transcript:flush()
  local lanes = vim.tbl_filter(function(each) return #each.pending > 0 end, vim.tbl_values(self.lanes))
  if #self.main.pending > 0 then table.insert(lanes, 1, self.main) end
  if #lanes == 0 then return end
  self.canvas:change(function()
    for _, each in ipairs(lanes) do
      each:flush()
    end
  end)
end

---@param into kit.Lane
---@param kind string
---@param text string
---@param tool? string
function Transcript:collect(into, kind, text, tool)
  into:collect(kind, text, tool)
  if not self.flush_planned then
    self.flush_planned = true
    vim.defer_fn(function()
      self.flush_planned = false
      self:flush()
    end, flush_interval)
  end
end

--- The tool call that started a subagent, in the lane of the one above it.
---@param agent table kit.AgentRef
---@return kit.Lane? above
---@return kit.Item? owner
function Transcript:owner_of(agent)
  if not agent.toolCallId then return end
  local depth = #(agent.path or {})
  for _, above in ipairs(vim.list_extend({ self.main }, vim.tbl_values(self.lanes))) do
    local owner = above.tools[agent.toolCallId]
    local is_above = depth <= 1 and not above.owner or depth > 1 and above.owner ~= nil
    if owner and is_above and (not owner.lane or owner.lane.agent == agent.id) then return above, owner end
  end
end

--- The lane of a subagent. One that was started by no tool call of this transcript gets a line of its own; one that goes
--- on with another call gets a new lane below that.
---@param agent? table kit.AgentRef
---@param at integer
---@return kit.Lane
function Transcript:lane_of(agent, at)
  if not agent then return self.main end
  local known = self.lanes[agent.id]
  local above, owner = self:owner_of(agent)
  if known and (not owner or known.owner == owner) then return known end
  if not owner then
    above = self.main
    local call = agent.toolCallId or "agent:" .. agent.id
    owner = events.open_tool(above, call, agent.name or "agent", at)
  end
  local made = lane.new(self.canvas, above, owner)
  made.agent, owner.lane, owner.child = agent.id, made, agent.id
  self.lanes[agent.id] = made
  return made
end

--- Sets what a tool's line says about the review of its changes.
---@param agent string
---@param call string
---@param state? string
function Transcript:set_review(agent, call, state)
  local found = self.lanes[agent] or self.main
  local item = found.tools[call]
  if item and item.changes and item.review ~= state then
    item.review = state
    item.suffix = state and ("%s · %s"):format(item.changes, state) or item.changes
    self.canvas:change(function() found:write_tool(item) end)
  end
end

--- The tool call that a line of the buffer belongs to: the innermost one, or the innermost with a subagent.
---@param row integer
---@param is_agent? boolean
---@return kit.Item?
function Transcript:tool_at(row, is_agent)
  local item, found = self.main:at(row)
  while is_agent and item and not item.child do
    item, found = found.owner, found.parent
  end
  return item
end

--- Shows one event.
---@param event table kit/event
function Transcript:on_event(event)
  if not self.canvas:is_valid() then return end
  if event.type == "message_update" or event.type == "reasoning_delta" or event.type == "tool_output" then
    local into = self.lanes[(event.agent or {}).id] or not event.agent and self.main
    if not into then self.canvas:change(function() into = self:lane_of(event.agent, event.at) end) end
    if event.type == "message_update" then
      into.has_text = true
      return self:collect(into, "text", event.chunk)
    elseif event.type == "reasoning_delta" then
      return self:collect(into, "reasoning", event.delta)
    end
    return self:collect(into, "output", event.chunk, event.toolCallId)
  end
  local show = events.of_type(event)
  if not show then return end
  if event.type ~= "stream_reset" then self:flush() end
  self.canvas:change(function() show(self, self:lane_of(event.agent, event.at), event) end)
end

--- 'foldtext' of windows that show a transcript.
---@return string
function M.foldtext()
  local count = vim.v.foldend - vim.v.foldstart + 1
  local first, levels = vim.fn.getline(vim.v.foldstart), 0
  while vim.startswith(first, lane.indent) do
    first, levels = first:sub(#lane.indent + 1), levels + 1
  end
  local text = format.shorten(vim.trim(first), follow_width)
  return ("%s%s  (%s)"):format(lane.indent:rep(math.max(levels, 1)), text, format.count(count, "line"))
end

return M
