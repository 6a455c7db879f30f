-- What each kind of event does to a transcript: `show(transcript, lane, event)`, where the lane is that of the agent that
-- the event comes from. What a subagent does is shown in its lane; what it costs and how it ended, on the line of the
-- tool call that started it.
local format = require("kit.format")
local highlight = require("kit.highlight")
local lane = require("kit.lane")

local M = {}

local error_width = 120
local task_lines = 6

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
local is_bad_stop = { error = true, refusal = true }

---@param event table
---@param files table<string, { additions: integer, deletions: integer }>
---@return string[] parts How it ended, and what it cost.
local function turn_summary(event, files)
  local is_unstarted = event.llmCallCount == 0 and event.durationMs == 0
  if is_unstarted and event.stopReason == "cancelled" then return { "Taken back." } end
  local parts = { ("%s in %s"):format(stops[event.stopReason] or "Ended", format.duration(event.durationMs)) }
  if event.toolCallCount > 0 then parts[#parts + 1] = format.count(event.toolCallCount, "tool") end
  local count, additions, deletions = 0, 0, 0
  for _, file in pairs(files) do
    count, additions, deletions = count + 1, additions + file.additions, deletions + file.deletions
  end
  if count > 0 then parts[#parts + 1] = ("%s (+%d −%d)"):format(format.count(count, "file"), additions, deletions) end
  local has_usage = format.cost(event.usage) ~= ""
  return { table.concat(parts, " · "), has_usage and format.usage(event.usage) or nil }
end

---@param name string
---@param title? string
---@return string
local function tool_title(name, title)
  if not title or title == "" then
    title = name
  elseif not vim.startswith(title:lower(), name:lower()) and not vim.startswith(title, "$ ") then
    title = ("%-5s %s"):format(name, title)
  end
  return (title:gsub("%s*\n%s*", " "))
end

--- Begins the line of a tool call.
---@param into kit.Lane
---@param call string
---@param title string
---@param at integer
---@return kit.Item
function M.open_tool(into, call, title, at)
  local item = into:open("tool", { lane.icons.waiting .. " " })
  item.status, item.title, item.call, item.dropped, item.began = "waiting", title, call, 0, at
  into.tools[call] = item
  into.tool_count = into.tool_count + 1
  into:write_tool(item)
  return item
end

---@param into kit.Lane
---@param event table
---@return kit.Item
local function tool(into, event)
  return into.tools[event.toolCallId]
    or M.open_tool(into, event.toolCallId, tool_title(event.toolName or "tool", event.title), event.at)
end

---@param line string
---@return string?
local function diff_group(line) return ({ ["+"] = "KitSignAdd", ["-"] = "KitSignDelete" })[line:sub(1, 1)] end

--- Shows what a call changed, and counts it for the turn.
---@param transcript kit.Transcript
---@param into kit.Lane
---@param item kit.Item
---@param differences table[]
local function show_changes(transcript, into, item, differences)
  local additions, deletions, shown = 0, 0, {}
  for _, difference in ipairs(differences) do
    additions, deletions = additions + difference.additions, deletions + difference.deletions
    local file = transcript.files[difference.uri] or { additions = 0, deletions = 0 }
    file.additions, file.deletions = file.additions + difference.additions, file.deletions + difference.deletions
    transcript.files[difference.uri] = file
    vim.list_extend(shown, format.diff(difference.diffBlocks))
  end
  item.uri = differences[1].uri
  item.status, item.changes = "edited", ("+%d −%d"):format(additions, deletions)
  item.suffix = item.changes
  if item.lines == 0 then into:append_output(item, shown, diff_group) end
end

--- Shows what an extension wants to be shown of a call instead of its arguments and result.
---@param into kit.Lane
---@param item kit.Item
local function show_display(into, item)
  local display = item.display
  if display.name or display.header then
    item.title = tool_title(display.name or item.tool or "", display.header or item.plain_title)
  end
  if display.body then
    into:clear_output(item)
    into:append_output(item, format.lines(display.body), function() return display.background or "Normal" end)
  end
end

---@type table<string, fun(transcript: kit.Transcript, into: kit.Lane, event: table)>
local show = {}

--- Whether an event is of a turn that never ran, such as a prompt that was taken back, while another one runs.
---@param transcript kit.Transcript
---@param event table
---@return boolean
function M.is_aside(transcript, event) return transcript.turn ~= nil and event.turn ~= transcript.turn end

---@param transcript kit.Transcript
---@param into kit.Lane
---@param kind "prompt"|"notice"
---@param prompt string
local function show_prompt(transcript, into, kind, prompt)
  local lines = vim.list_extend({ "## You", "" }, vim.split(prompt, "\n", { plain = true }))
  local item = into:open(kind, lines)
  transcript.canvas:color(into:row(item), #into.prefix, #into.prefix + #lines[1], "KitUser")
end

function show.turn_start(transcript, into, event)
  if not event.agent and M.is_aside(transcript, event) then
    return show_prompt(transcript, into, "notice", event.prompt)
  end
  into.has_text, into.is_over = false, false
  into.step = into.step + 1
  local owner = into.owner
  if owner then
    owner.started, owner.status, owner.suffix = true, "running", "… running"
    into.parent:write_tool(owner)
    local task = vim.trim(event.prompt)
    if not owner.title:find(task, 1, true) then
      local lines = vim.split(task, "\n", { plain = true })
      local cut = #lines > task_lines and { ("… %s more"):format(format.count(#lines - task_lines, "line")) } or {}
      into:add_notice(table.concat(vim.list_extend(vim.list_slice(lines, 1, task_lines), cut), "\n"))
    end
    return
  end
  transcript.turn, transcript.files = event.turn, {}
  show_prompt(transcript, into, "prompt", event.prompt)
end

function show.steer_consumed(transcript, into, event) show_prompt(transcript, into, "prompt", event.prompt) end

function show.message_start(_, into)
  into.step, into.has_text = into.step + 1, false
end

--- The whole text, for a client that has not seen it arrive.
local function whole_text(_, into, event)
  if not into.has_text and event.content ~= "" then
    into.has_text = true
    into:append_text("text", event.content)
  end
end
show.message_end = whole_text
show.tool_call_content = whole_text
show.response = whole_text

function show.tool_call(_, into, event)
  local item = tool(into, event)
  item.tool, item.plain_title = event.toolName, event.title
  item.title = tool_title(event.toolName, event.title)
  if item.display then show_display(into, item) end
  into:write_tool(item)
end

function show.tool_execution_start(_, into, event)
  local item = tool(into, event)
  item.started, item.status, item.suffix, item.began = true, "running", "… running", event.at
  into:write_tool(item)
end

--- How a subagent ended, on the line of its call, whose result only repeats what its lane shows.
---@param into kit.Lane
---@param item kit.Item
---@param event table tool_result
local function finish_agent(into, item, event)
  if event.isError then
    item.status = "failed"
    if not item.lane.is_over then item.suffix = format.shorten(vim.trim(event.result):match("^[^\n]*"), error_width) end
  elseif not item.lane.is_over then
    return into:write_tool(item)
  end
  into:write_tool(item)
  into.canvas:fold(into:row(item) + 1, into:last_row(item))
end

function show.tool_result(transcript, into, event)
  local item = tool(into, event)
  local metadata = event.metadata or {}
  local differences = metadata.fileDiffs or {}
  item.started, item.child = true, metadata.subagentSession or item.child
  if item.lane then return finish_agent(into, item, event) end
  local took = event.at - item.began
  item.suffix = took >= 1 and format.duration(took) or nil
  item.status = event.isError and "failed" or "done"
  if event.isError then
    item.suffix = format.shorten(vim.trim(event.result):match("^[^\n]*"), error_width)
  elseif #differences > 0 then
    show_changes(transcript, into, item, differences)
  end
  if item.partial and item.partial ~= "" then
    into:append_output(item, { item.partial })
    item.partial = nil
  elseif item.lines == 0 and #differences == 0 then
    into:append_output(item, format.lines(event.result))
  end
  if item.dropped > 0 then item.suffix = vim.trim(("%s  … %d more lines"):format(item.suffix or "", item.dropped)) end
  into:write_tool(item)
  into.canvas:fold(into:row(item) + 1, into:last_row(item))
end

function show.tool_display(_, into, event)
  local item = tool(into, event)
  item.display = vim.tbl_extend("force", item.display or {}, {
    name = event.name,
    header = event.header,
    body = event.body,
    group = event.borderColor and highlight.foreground(event.borderColor),
    background = event.background and highlight.background(event.background),
  })
  show_display(into, item)
  into:write_tool(item)
  if item.status ~= "waiting" and item.status ~= "running" then
    into.canvas:fold(into:row(item) + 1, into:last_row(item))
  end
end

--- What a subagent has used so far, on the line of its call.
function show.step_usage(_, into, event)
  local owner = into.owner
  if not owner or into.is_over then return end
  for _, name in ipairs({ "inputTokens", "outputTokens", "cacheReadTokens", "cacheWriteTokens", "costMicros" }) do
    if event[name] then into.usage[name] = (into.usage[name] or 0) + event[name] end
  end
  into.usage.costKind = event.costKind
  local parts = { "… running" }
  if into.tool_count > 0 then parts[2] = format.count(into.tool_count, "tool") end
  parts[#parts + 1] = format.cost(into.usage)
  owner.suffix = table.concat(parts, " · ")
  into.parent:write_tool(owner)
end

function show.stream_reset(_, into) into:reset_step() end

function show.retry(_, into, event)
  into:add_notice(
    ("↻ Retry %d in %s: %s"):format(event.attempt, format.duration(event.afterMs), event.reason),
    "KitWaiting"
  )
end

function show.compaction(_, into, event)
  local before, after = format.tokens(event.originalTokens), format.tokens(event.compactedTokens)
  local messages = format.count(event.messagesRemoved, "message")
  into:add_notice(("◇ Compacted %s tokens to %s (%s summarized)"):format(before, after, messages))
end

function show.model_change(_, into, event)
  into:add_notice(("◇ Model: %s, was %s (%s)"):format(event.model, event.previous, event.source))
end

function show.notice(_, into, event) into:add_notice("◇ " .. event.message) end

function show.thinking_change(_, into, event)
  local text = "◇ Thinking level: %s, was %s"
  if event.source == "model_fallback" then text = "◇ This model thinks at level %s, it has no level %s" end
  into:add_notice(text:format(event.level, event.previous))
end

local plan_marks = { completed = "✓", in_progress = "●", pending = "○" }
local plan_groups = { completed = "KitDone", in_progress = "KitRunning", pending = "KitMeta" }

--- The plan stands where it was changed last.
function show.plan(_, into, event)
  if into.plan then into:drop(into.plan) end
  into.plan = nil
  if #event.entries == 0 then return end
  local done, lines = 0, {}
  for index, entry in ipairs(event.entries) do
    if entry.status == "completed" then done = done + 1 end
    lines[index] = ("  %s %s"):format(plan_marks[entry.status] or "○", (entry.content:gsub("%s+", " ")))
  end
  into.plan = into:add_notice(("◇ Plan %d/%d\n%s"):format(done, #lines, table.concat(lines, "\n")))
  local row = into:row(into.plan)
  for index, entry in ipairs(event.entries) do
    local from = #into.prefix + 2
    into.canvas:color(row + index, from, from + #"○", plan_groups[entry.status] or "KitMeta")
  end
end

function show.error(_, into, event) into:add_notice("✗ " .. format.sentence(event.message), "KitFailed") end

function show.queue(transcript, into, event)
  if into.owner then return end
  transcript.queued = event.length
  vim.cmd.redrawstatus({ bang = true })
end

function show.turn_end(transcript, into, event)
  local owner = into.owner
  if owner then
    into:finish()
    into.is_over = true
    owner.status = event.stopReason == "end_turn" and "done" or "failed"
    owner.suffix = table.concat(turn_summary(event, {}), " · ")
    into:trim()
    into.parent:write_tool(owner)
    return into.canvas:fold(into.parent:row(owner) + 1, into.parent:last_row(owner))
  end
  local is_aside = M.is_aside(transcript, event)
  if not is_aside then into:finish() end
  -- A line for each, because lines break behind any point, also that of an amount.
  local summary = turn_summary(event, is_aside and {} or transcript.files)
  into:add_notice(table.concat(summary, "\n"), is_bad_stop[event.stopReason] and "KitFailed" or "KitMeta")
  if not is_aside then
    transcript.turn, transcript.files = nil, {}
  end
end

--- What shows an event, or nil for events that are not shown.
---@param event table
---@return fun(transcript: kit.Transcript, into: kit.Lane, event: table)?
function M.of_type(event)
  -- The session's own sums are those of its turn's end.
  if event.type == "step_usage" and not event.agent then return end
  return show[event.type]
end

return M
