-- The sessions that this editor has seen, the current one, and the window that shows it.
--
-- The events of a session are shown strictly in the order of their numbers. After a gap, and for a session that is
-- seen for the first time in its middle, the missing events are fetched and the newer ones wait. The window is opened
-- beside the others and never takes the cursor unless the user asked for it.
local client = require("kit.client")
local config = require("kit.config")
local documents = require("kit.documents")
local events = require("kit.transcript_events")
local transcript = require("kit.transcript")

local M = {}

local api = vim.api

---@class kit.Session
---@field id string
---@field next_seq integer
---@field waiting? table[] Events that arrived while missing ones are fetched.
---@field is_stale boolean Whether the server that numbered the events is gone.
---@field is_opening? boolean Whether a new server has been asked for it.
---@field transcript kit.Transcript
---@field name? string
---@field last_turn? string

local sessions = {} ---@type table<string, kit.Session>

--- The session that prompts go to, or nil before the first.
M.current = nil ---@type string?

---@param session kit.Session
---@return string
local function title(session) return session.name or "Session " .. session.id:sub(1, 8) end

---@param id string
---@return kit.Session
local function get(id)
  local session = sessions[id]
  if not session or not api.nvim_buf_is_valid(session.transcript.buffer) then
    session = { id = id, next_seq = 1, is_stale = false, name = session and session.name }
    session.transcript = transcript.new(title(session))
    api.nvim_buf_set_name(session.transcript.buffer, "kit://" .. id)
    local function map(key, action, description)
      vim.keymap.set("n", key, action, { buffer = session.transcript.buffer, nowait = true, desc = description })
    end
    map("<C-c>", M.stop, "Stop the turn")
    map("i", M.prompt, "Write a prompt")
    map("q", "<Cmd>close<CR>", "Close the session")
    map("<CR>", function() M.open_at_cursor(session) end, "Open the subagent or file of this line")
    map("X", function() M.stop_at_cursor(session) end, "Stop the subagent of this line")
    map("T", function() require("kit.tree").open(id) end, "Show the session's tree")
    sessions[id] = session
    require("kit.shortcuts").bind(session.transcript.buffer)
  end
  return session
end

local may_change_disk = { execute = true, agent = true, other = true }

---@param session kit.Session
---@param event table
local function consume(session, event)
  session.next_seq = event.seq + 1
  if not event.agent and not events.is_aside(session.transcript, event) then
    if event.type == "turn_start" then
      session.last_turn = event.turn
      M.current = M.current or session.id
      M.set_busy(session, 1)
    elseif event.type == "turn_end" then
      M.set_busy(session, 0)
      require("kit.question").withdraw(session.id)
    end
  elseif event.agent and event.type == "turn_end" then
    require("kit.question").withdraw(session.id, event.agent.id)
  end
  if event.type == "tool_result" and may_change_disk[event.toolKind] then
    local server = client.get()
    for buffer in pairs(server and server.attached_buffers or {}) do
      documents.reload(buffer)
    end
  end
  session.transcript:on_event(event)
  -- The review may have arrived before the result of the call that it names.
  local review = package.loaded["kit.review"]
  if event.type == "tool_result" and review then review.refresh_transcripts() end
end

---@param session kit.Session
---@param events table[]
local function consume_all(session, events)
  for _, event in ipairs(events) do
    if event.seq >= session.next_seq then consume(session, event) end
  end
end

--- Fetches what was missed, then shows what arrived meanwhile.
---@param session kit.Session
local function catch_up(session)
  local function continue(next_seq)
    local waiting = session.waiting or {}
    session.waiting = nil
    session.next_seq = math.max(session.next_seq, next_seq)
    consume_all(session, waiting)
  end
  session.waiting = session.waiting or {}
  client.execute("kit.session.transcript", { session = session.id, from = session.next_seq }, function(answer)
    consume_all(session, answer.events)
    continue(answer.nextSeq)
  end, function(problem)
    session.transcript:notice("✗ Earlier events could not be read: " .. (problem.message or "no reason"), "KitFailed")
    continue(session.waiting[1] and session.waiting[1].seq or session.next_seq)
  end)
end

--- Begins again when the server that numbered the events is gone.
---@param session kit.Session
local function renew(session)
  if session.is_stale then
    session.is_stale, session.is_opening, session.next_seq, session.waiting = false, false, 1, nil
    session.transcript:clear(title(session))
  end
end

--- Reads all of a session anew, because another branch of it is the current one.
---@param id string
function M.reread(id)
  local session = sessions[id]
  if not session then return end
  session.next_seq, session.waiting = 1, nil
  session.transcript:clear(title(session))
  catch_up(session)
end

--- Handles kit/event.
---@param event table
function M.on_event(event)
  local session = get(event.session)
  renew(session)
  if session.waiting then
    table.insert(session.waiting, event)
  elseif event.seq == session.next_seq then
    consume(session, event)
  elseif event.seq > session.next_seq then
    session.waiting = { event }
    catch_up(session)
  end
end

--- The server is gone: what is shown stays, and is read anew when a server answers again.
function M.disconnect()
  for _, session in pairs(sessions) do
    session.is_stale, session.is_opening, session.waiting = true, false, nil
    session.transcript.queued = 0
    M.set_busy(session, 0)
  end
end

--- A server is there again: the session in the window is read anew.
function M.reconnect()
  local session = M.current and sessions[M.current]
  if session and session.is_stale and M.window() then M.show(session.id) end
end

--- Marks the session's buffer as busy, for the default statusline of Neovim 0.12.
---@param session kit.Session
---@param busy integer
function M.set_busy(session, busy)
  if vim.fn.exists("+busy") == 1 and api.nvim_buf_is_valid(session.transcript.buffer) then
    vim.bo[session.transcript.buffer].busy = busy
  end
end

---@param window integer
local function dress(window)
  local options = {
    winbar = "%{%v:lua.require'kit.ui'.winbar()%}",
    wrap = true,
    linebreak = true,
    number = false,
    relativenumber = false,
    signcolumn = "no",
    spell = false,
    foldmethod = "manual",
    foldtext = "v:lua.require'kit.transcript'.foldtext()",
    foldlevel = 0,
    foldenable = true,
    fillchars = "fold: ",
    conceallevel = 0,
    winfixbuf = true,
  }
  for name, value in pairs(options) do
    vim.wo[window][0][name] = value
  end
end

--- The window that shows a session in this tab, or nil.
---@return integer?
function M.window()
  for _, window in ipairs(api.nvim_tabpage_list_wins(0)) do
    if vim.w[window].kit_session then return window end
  end
end

local splits = { right = "right", left = "left", bottom = "below", top = "above" }

---@param buffer integer
---@return integer window
local function open_window(buffer)
  local options = config.get().session
  if options.position == "tab" then
    local previous = api.nvim_get_current_tabpage()
    vim.cmd("tab sbuffer " .. buffer)
    local window = api.nvim_get_current_win()
    api.nvim_set_current_tabpage(previous)
    return window
  end
  local is_vertical = options.position == "right" or options.position == "left"
  local whole = is_vertical and vim.o.columns or vim.o.lines
  local size = options.size < 1 and math.floor(whole * options.size) or options.size
  return api.nvim_open_win(buffer, false, {
    win = -1,
    split = splits[options.position],
    [is_vertical and "width" or "height"] = math.max(math.floor(size), 10),
  })
end

--- Shows a session without moving the cursor to it.
---@param id string
---@return integer window
function M.show(id)
  local session = get(id)
  if session.is_stale and not session.is_opening then
    session.is_opening = true
    client.execute("kit.session.open", { session = id }, M.switch, function(problem)
      session.is_opening = false
      client.report(problem)
    end)
  end
  local window = M.window()
  if window then
    vim.wo[window].winfixbuf = false
    api.nvim_win_set_buf(window, session.transcript.buffer)
  else
    window = open_window(session.transcript.buffer)
    vim.w[window].kit_session = true
  end
  dress(window)
  session.transcript:fold_all(window)
  api.nvim_win_set_cursor(window, { api.nvim_buf_line_count(session.transcript.buffer), 0 })
  require("kit.panel").reopen()
  return window
end

--- Makes a session the current one and shows all of it.
---@param answer { session: string, name?: string }
function M.switch(answer)
  M.current = answer.session
  local session = get(answer.session)
  M.rename(answer)
  renew(session)
  if not session.waiting then catch_up(session) end
  M.show(answer.session)
end

--- Names a session as its file does.
---@param answer { session: string, name?: string }
function M.rename(answer)
  local session = sessions[answer.session]
  if session and answer.name then
    session.name = answer.name
    session.transcript:set_title(title(session))
  end
end

--- Forgets a deleted session.
---@param id string
function M.forget(id)
  local session = sessions[id]
  if session and api.nvim_buf_is_valid(session.transcript.buffer) then
    api.nvim_buf_delete(session.transcript.buffer, { force = true })
  end
  sessions[id] = nil
  M.current = M.current ~= id and M.current or nil
end

--- Calls `use` with the current session's id, making a session when there is none.
---@param use fun(id: string)
function M.with_current(use)
  if M.current then return use(M.current) end
  client.execute("kit.session.new", { path = documents.edited_file() }, function(answer)
    M.current = M.current or answer.session
    use(M.current)
  end)
end

--- Calls `use` with the current session's id, or says that there is none.
---@param use fun(id: string)
function M.with_existing(use)
  if M.current then return use(M.current) end
  client.notify("There is no session yet; ask something first.")
end

--- Shows the current session with a prompt, and moves the cursor to it.
---@param context? table[]
function M.prompt(context)
  M.with_current(function(id)
    local window = M.window()
    if not window or not sessions[id] or api.nvim_win_get_buf(window) ~= sessions[id].transcript.buffer then
      window = M.show(id)
    end
    require("kit.prompt").open(window, context)
  end)
end

--- Sends a prompt to its session, else the current one, and shows it.
---@param arguments table
function M.send(arguments)
  arguments.session = arguments.session or M.current
  client.execute("kit.session.prompt", arguments, M.started)
end

--- Shows the session in which a turn began.
---@param answer { session: string }
function M.started(answer)
  M.current = answer.session
  if config.get().session.open_on_ask and not M.window() then M.show(answer.session) end
end

--- Starts a turn, or joins the running one. A command of an extension is run instead.
---@param text string
---@param options kit.AskOptions
function M.ask(text, options)
  local context = options.context and #options.context > 0 and options.context or nil
  require("kit.named").or_else(text, context, function()
    M.send({ text = text, delivery = options.delivery, context = context })
  end)
end

--- Stops the current session's turn, or all.
---@param scope? "all"
function M.stop(scope)
  local arguments = { session = scope ~= "all" and M.current or nil }
  client.execute("kit.session.cancel", arguments, function(answer)
    if #answer.cancelled == 0 then client.notify("Nothing is running.") end
  end)
end

--- Opens what the line under the cursor is about: a subagent's transcript or a changed file.
---@param session kit.Session
function M.open_at_cursor(session)
  local item = session.transcript:tool_at(api.nvim_win_get_cursor(0)[1] - 1)
  if item and item.child then
    require("kit.agents").open(item.child)
  elseif item and item.uri then
    vim.cmd("tab sbuffer " .. vim.fn.bufadd(vim.uri_to_fname(item.uri)))
  else
    client.notify("This line names no subagent and no changed file.")
  end
end

--- Stops the subagent whose lines the cursor is in, and nothing else.
---@param session kit.Session
function M.stop_at_cursor(session)
  local item = session.transcript:tool_at(api.nvim_win_get_cursor(0)[1] - 1, true)
  if not item then return client.notify("No subagent is under the cursor.") end
  require("kit.agents").stop(item.child)
end

--- Whether the cursor is in the session's window or its prompt.
---@return boolean
function M.has_focus() return vim.w.kit_session == true or vim.bo.filetype == "kitprompt" end

--- The last turn of the current session, or nil.
---@return string?
function M.last_turn() return M.current and sessions[M.current] and sessions[M.current].last_turn end

--- Shows a line in the current session, if there is one.
---@param text string
---@param group? string
---@param id? string
---@return fun(text: string, group?: string) replace Writes the line anew.
function M.notice(text, group, id)
  local session = sessions[id or M.current or ""]
  if session and api.nvim_buf_is_valid(session.transcript.buffer) then return session.transcript:notice(text, group) end
  return function() end
end

--- Shows a block of an extension in the current session, if there is one.
---@param head string
---@param lines string[]
---@param group string
---@param text_group? string
function M.block(head, lines, group, text_group)
  local session = sessions[M.current or ""]
  if session and session.transcript.canvas:is_valid() then session.transcript:block(head, lines, group, text_group) end
end

--- How many prompts wait in the current session.
---@return integer
function M.queued() return M.current and sessions[M.current] and sessions[M.current].transcript.queued or 0 end

--- Calls `use` with every transcript.
---@param use fun(transcript: kit.Transcript)
function M.each_transcript(use)
  for _, session in pairs(sessions) do
    use(session.transcript)
  end
end

return M
