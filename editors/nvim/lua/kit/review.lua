-- The agent's changes that wait for the user, as kit/review sends them, and what the user does with them.
--
-- The server's state replaces ours as a whole. Only buffers that a window shows are drawn; the others when they are
-- shown. A state that was computed for an older text than the buffer's is not drawn at once: the next one, for the
-- text as it is, follows within moments, and what is drawn moves along with the text until then.
local client = require("kit.client")
local config = require("kit.config")
local documents = require("kit.documents")
local paint = require("kit.paint")

local M = {}

local api = vim.api
local stale_wait = 300

local empty = { revision = -1, summary = { files = 0, hunks = 0, additions = 0, deletions = 0 }, files = {} }
local state = empty
local drawn = {} ---@type table<integer, integer> The revision that each buffer shows.
---@class kit.CallReview
---@field agent string
---@field call string
---@field waiting boolean
---@field outcomes table<string, string>

local review_of_call = {} ---@type table<string, kit.CallReview>
local call_of_hunk = {} ---@type table<string, string>
local outcome_of_hunk = {} ---@type table<string, string>

---@param buffer integer
---@return table? file
local function file_of(buffer)
  for _, file in ipairs(state.files) do
    if documents.find(file.uri) == buffer then return file end
  end
end

---@param buffer integer
---@param file table?
---@param is_late boolean Whether a newer state has been waited for.
local function draw(buffer, file, is_late)
  if not file then
    if paint.is_drawn(buffer) then paint.clear(buffer) end
    drawn[buffer] = nil
    return
  end
  if file.version and file.version ~= documents.version(buffer) and not is_late then
    local revision = state.revision
    vim.defer_fn(function()
      if state.revision == revision and api.nvim_buf_is_loaded(buffer) then draw(buffer, file, true) end
    end, stale_wait)
    return
  end
  paint.draw(buffer, file.hunks)
  drawn[buffer] = state.revision
end

---@return table<integer, true>
local function visible_buffers()
  local buffers = {}
  for _, window in ipairs(api.nvim_list_wins()) do
    buffers[api.nvim_win_get_buf(window)] = true
  end
  return buffers
end

local function draw_visible()
  local visible = visible_buffers()
  local files = {}
  for _, file in ipairs(state.files) do
    local buffer = documents.find(file.uri)
    if buffer then files[buffer] = file end
  end
  for buffer in pairs(vim.tbl_extend("keep", visible, drawn)) do
    if files[buffer] == nil or visible[buffer] then
      if api.nvim_buf_is_loaded(buffer) then draw(buffer, files[buffer], false) end
    end
  end
end

---@param review kit.CallReview
---@return string? words Nothing when later changes or native undo have taken the hunks' place.
local function describe(review)
  if review.waiting then return "pending" end
  local counts = {}
  for _, outcome in pairs(review.outcomes) do
    counts[outcome] = (counts[outcome] or 0) + 1
  end
  if counts.kept and counts.undone then return ("%d kept, %d undone"):format(counts.kept, counts.undone) end
  return (next(counts))
end

--- Says in the transcripts what became of each tool call's changes.
function M.refresh_transcripts()
  local session = package.loaded["kit.session"]
  if not session then return end
  for _, review in pairs(review_of_call) do
    session.each_transcript(function(transcript) transcript:set_review(review.agent, review.call, describe(review)) end)
  end
end

--- What names the call that wrote a hunk; models number their calls anew in each agent.
---@param hunk table
---@return string
local function call_key(hunk) return hunk.agent .. " " .. hunk.toolCallId end

---@param previous table
local function follow_calls(previous)
  for _, review in pairs(review_of_call) do
    review.waiting = false
  end
  local present = {}
  for _, file in ipairs(state.files) do
    for _, hunk in ipairs(file.hunks) do
      local key = call_key(hunk)
      present[hunk.id], call_of_hunk[hunk.id] = true, key
      local review = review_of_call[key] or { agent = hunk.agent, call = hunk.toolCallId, outcomes = {} }
      review.waiting, review.outcomes[hunk.id] = true, nil
      review_of_call[key] = review
    end
  end
  for _, file in ipairs(previous.files) do
    for _, hunk in ipairs(file.hunks) do
      local review = review_of_call[call_key(hunk)]
      if review and not present[hunk.id] then review.outcomes[hunk.id] = outcome_of_hunk[hunk.id] end
    end
  end
  M.refresh_transcripts()
end

---@param file table
---@return string
local function ids(file)
  return table.concat(vim.tbl_map(function(hunk) return hunk.id end, file.hunks), " ")
end

--- Reads the files again whose changes were decided or made elsewhere.
---@param previous table
local function reload_changed(previous)
  local before = {}
  for _, file in ipairs(previous.files) do
    before[file.uri] = file
  end
  local changed = {}
  for _, file in ipairs(state.files) do
    local old = before[file.uri]
    before[file.uri] = nil
    if not old or ids(old) ~= ids(file) then changed[#changed + 1] = file.uri end
  end
  for _, uri in ipairs(vim.list_extend(changed, vim.tbl_keys(before))) do
    local buffer = documents.find(uri)
    if buffer then documents.reload(buffer) end
  end
end

--- Handles kit/review.
---@param review table
function M.on_review(review)
  if review.revision < state.revision then return end
  local previous = state
  state = review
  draw_visible()
  reload_changed(previous)
  follow_calls(previous)
  require("kit.hunklist").refresh()
  api.nvim_exec_autocmds("User", { pattern = "KitReview", modeline = false, data = review.summary })
end

--- The last kit/review.
---@return table
function M.get() return state end

--- Forgets all changes: the server is gone.
function M.clear()
  state = empty
  for buffer in pairs(drawn) do
    paint.clear(buffer)
  end
  drawn, review_of_call, call_of_hunk, outcome_of_hunk = {}, {}, {}, {}
end

--- The hunk under the cursor; a deletion belongs to the lines beside it.
---@return kit.Place? place
---@return kit.Place[] places
---@return integer? index
function M.at_cursor()
  local places = paint.places(0)
  local row = api.nvim_win_get_cursor(0)[1] - 1
  for index, place in ipairs(places) do
    if place.first <= row and row < place.stop then return place, places, index end
  end
  for index, place in ipairs(places) do
    if place.stop == place.first and (row == place.first or row == place.first - 1) then return place, places, index end
  end
  return nil, places
end

---@param row integer
local function go_to(row)
  vim.cmd("normal! m'")
  api.nvim_win_set_cursor(0, { math.min(row + 1, api.nvim_buf_line_count(0)), 0 })
  vim.cmd("normal! zv")
end

---@param file table
---@param hunk table
local function open(file, hunk)
  api.nvim_set_current_win(require("kit.context").file_window() or api.nvim_get_current_win())
  local buffer = documents.find(file.uri) or vim.fn.bufadd(vim.uri_to_fname(file.uri))
  vim.bo[buffer].buflisted = true
  vim.cmd("normal! m'")
  api.nvim_win_set_buf(0, buffer)
  go_to(hunk.lines[1])
end

--- Moves to the next or previous hunk, through the files in their order and around.
---@param step 1|-1
function M.jump(step)
  if #state.files == 0 then return client.notify("No changes wait for review.") end
  local row = api.nvim_win_get_cursor(0)[1] - 1
  local places = paint.places(0)
  for index = step == 1 and 1 or #places, step == 1 and #places or 1, step do
    local place = places[index]
    local last = math.max(place.stop - 1, place.first)
    if step == 1 and place.first > row or step == -1 and last < row then return go_to(place.first) end
  end
  local here = 0
  for index, file in ipairs(state.files) do
    if documents.find(file.uri) == api.nvim_get_current_buf() then here = index end
  end
  for offset = 1, #state.files do
    local file = state.files[(here - 1 + step * offset) % #state.files + 1]
    local hunk = file.hunks[step == 1 and 1 or #file.hunks]
    if hunk and file.status ~= "deleted" then return open(file, hunk) end
  end
end

---@param answer table
---@param outcome string
local function report(answer, outcome)
  -- The new state may have arrived before the answer, without saying what became of the hunks.
  for _, id in ipairs(answer.applied) do
    outcome_of_hunk[id] = outcome
    local review = review_of_call[call_of_hunk[id]]
    if review then review.outcomes[id] = outcome end
  end
  M.refresh_transcripts()
  local conflicts = answer.conflicts or {}
  if #conflicts + #answer.applied == 0 then
    client.notify("No change waits for review there.")
  elseif #conflicts > 0 then
    local more = #conflicts > 1 and (" (and %d more)"):format(#conflicts - 1) or ""
    client.notify(conflicts[1].why .. more, vim.log.levels.WARN)
  end
end

---@alias kit.ReviewAction "keep"|"undo"

--- Keeps or undoes what `arguments` choose.
---@param action kit.ReviewAction
---@param arguments table
---@param on_done? fun()
function M.act(action, arguments, on_done)
  local outcome = action == "keep" and "kept" or "undone"
  client.execute("kit.review." .. action, arguments, function(answer)
    report(answer, outcome)
    if on_done then on_done() end
  end)
end

---@return string uri
---@return integer version
local function here()
  local buffer = api.nvim_get_current_buf()
  return vim.uri_from_bufnr(buffer), documents.version(buffer)
end

--- Keeps or undoes the hunk under the cursor and moves to the next one of the buffer.
---@param action kit.ReviewAction
---@param reason? string
function M.act_at_cursor(action, reason)
  local place, places, index = M.at_cursor()
  if not place then return client.notify("No change of the agent is under the cursor.") end
  local buffer = api.nvim_get_current_buf()
  local following = places[index + 1] or places[index - 1]
  M.act(action, { hunks = { place.id }, version = documents.version(buffer), reason = reason }, function()
    if not config.get().review.jump or not following or api.nvim_get_current_buf() ~= buffer then return end
    for _, candidate in ipairs(paint.places(0)) do
      if candidate.id == following.id then return go_to(candidate.first) end
    end
  end)
end

--- Keeps or undoes the lines `first` to `last`, counted from 1.
---@param action kit.ReviewAction
---@param first integer
---@param last integer
---@param reason? string
function M.act_on_lines(action, first, last, reason)
  local uri, version = here()
  M.act(action, { uri = uri, lines = { first - 1, last }, version = version, reason = reason })
end

--- Keeps or undoes everything of a file, of the turn of the hunk under the cursor (else the last turn), or at all.
---@param action kit.ReviewAction
---@param scope "file"|"turn"|"all"
---@param reason? string
function M.act_on_scope(action, scope, reason)
  local arguments = { reason = reason }
  if scope == "file" then
    arguments.uri, arguments.version = here()
  elseif scope == "all" then
    arguments.all = true
  else
    local place = M.at_cursor()
    for _, file in ipairs(state.files) do
      for _, hunk in ipairs(file.hunks) do
        if place and hunk.id == place.id then arguments.turn = hunk.turn end
      end
    end
    arguments.turn = arguments.turn or require("kit.session").last_turn()
    if not arguments.turn then return client.notify("No turn is known.") end
  end
  M.act(action, arguments)
end

--- Takes back the last keep, undo or rewind of files.
function M.revert()
  client.execute(
    "kit.review.revert",
    {},
    function(answer)
      local conflict = (answer.conflicts or {})[1]
      local is_done = #answer.applied + #(answer.files or {}) > 0
      if conflict then return client.notify(conflict.why, vim.log.levels.WARN) end
      client.notify(is_done and "The last keep, undo or rewind is taken back." or "There is nothing to take back.")
    end
  )
end

api.nvim_create_autocmd("OptionSet", {
  group = api.nvim_create_augroup("kit.review", {}),
  pattern = "diff",
  desc = "Deleted lines are not drawn in diff mode",
  callback = function()
    local buffer = api.nvim_get_current_buf()
    vim.schedule(function()
      if drawn[buffer] and api.nvim_buf_is_loaded(buffer) then draw(buffer, file_of(buffer), false) end
    end)
  end,
})
api.nvim_create_autocmd("BufWinEnter", {
  group = "kit.review",
  desc = "Draw the agent's changes in buffers that come into view",
  callback = function(event)
    if drawn[event.buf] ~= state.revision and state ~= empty then
      local file = file_of(event.buf)
      if file or drawn[event.buf] then draw(event.buf, file, false) end
    end
  end,
})

return M
