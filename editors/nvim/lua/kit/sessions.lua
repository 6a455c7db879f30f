-- Stored sessions: open, rename, fork, export or delete one that is picked or named; make or import one. Sessions of
-- subagents stand below the session that started them.
--
-- A session is named by its id, the beginning of one, or its title; `pick` lists them. What names none is about the
-- current session: its new name, or the file that it is exported to.
local client = require("kit.client")
local format = require("kit.format")
local near = require("kit.near")
local session = require("kit.session")

local M = {}

local patience = 500
local title_width = 60
-- The digits of an id that titles show.
local id_width = 8
-- Fewer are as likely a word.
local shortest_id = 6

---@param summary table
---@return string
local function title_of(summary)
  local title = format.head(summary.name or summary.subagentTask or summary.firstMessage, title_width)
  return title ~= "" and title or "(empty)"
end

---@param summary table
---@return string
local function describe(summary)
  local parts = { title_of(summary), format.count(summary.messageCount, "message") }
  parts[#parts + 1] = summary.modified:gsub("T", " "):match("^%S+ %d+:%d+") or summary.modified
  if summary.running then parts[#parts + 1] = "running" end
  if summary.id == session.current then parts[#parts + 1] = "current" end
  return (summary.subagentTask and "  ↳ " or "") .. table.concat(parts, " · ")
end

--- The sessions as they came, subagents behind their parents.
---@param summaries table[]
---@return table[]
local function by_parent(summaries)
  local present, children, sorted = {}, {}, {}
  for _, summary in ipairs(summaries) do
    present[summary.id] = true
  end
  for _, summary in ipairs(summaries) do
    local parent = summary.subagentTask and summary.parentSession
    if parent and present[parent] then
      children[parent] = children[parent] or {}
      table.insert(children[parent], summary)
    else
      sorted[#sorted + 1] = summary
    end
  end
  local flat = {}
  for _, summary in ipairs(sorted) do
    flat[#flat + 1] = summary
    vim.list_extend(flat, children[summary.id] or {})
  end
  return flat
end

---@param found table[]
---@param prompt string
---@param use fun(summary: table)
local function choose(found, prompt, use)
  if #found == 0 then return client.notify("No sessions are stored for this workspace.") end
  vim.ui.select(found, { prompt = prompt, format_item = describe, kind = "kit.session" }, function(choice)
    if choice then vim.schedule(function() use(choice) end) end
  end)
end

---@param summaries table[]
---@param start string
---@return table[]
local function by_id(summaries, start)
  if #start < shortest_id then return {} end
  return vim.tbl_filter(function(summary) return vim.startswith(summary.id, start) end, summaries)
end

---@param summaries table[]
---@param text string
---@return table[]
local function by_title(summaries, text)
  local wanted = text:lower()
  return vim.tbl_filter(function(summary) return title_of(summary):lower() == wanted end, summaries)
end

---@class kit.SessionWish
---@field prompt string What the list says when one is picked.
---@field is_current? boolean Whether no text means the current session.
---@field takes_text? boolean Whether a text that names no session is meant for `use`, and the session is the current one.

--- Calls `use` with the session that `text` names or the user picks, and with the text that is not its name.
---@param text string
---@param wish kit.SessionWish
---@param use fun(summary: table, rest: string)
local function with_session(text, wish, use)
  local first, rest = text:match("^(%S*)%s*(.-)$")
  client.execute("kit.session.list", { scope = "root" }, function(answer)
    local summaries = answer.sessions
    -- A session that is still empty is not listed.
    local current = wish.is_current
      and session.current
      and (by_id(summaries, session.current)[1] or { id = session.current })
    if first == "pick" or text == "" and not current then
      return choose(by_parent(summaries), wish.prompt, function(summary) use(summary, rest) end)
    elseif text == "" then
      return use(current, "")
    end
    local found, behind = by_title(summaries, text), ""
    if #found == 0 then found = by_id(summaries, text) end
    if #found == 0 and wish.takes_text then
      found, behind = by_id(summaries, first), rest
    end
    if #found == 1 then return use(found[1], behind) end
    if #found > 1 then
      return choose(found, wish.prompt, function(summary) use(summary, behind) end)
    end
    if wish.takes_text and current then return use(current, text) end
    local hint = near.hint(text, vim.tbl_map(title_of, summaries))
    client.notify(('No session of this workspace is called "%s".%s'):format(text, hint), vim.log.levels.WARN)
  end)
end

--- Opens a session; of one that another editor has, a copy can go on here.
---@param summary table
local function open(summary)
  client.execute("kit.session.open", { session = summary.id }, session.switch, function(problem)
    if (problem.data or {}).kind ~= "busy" then return client.report(problem) end
    local prompt = ('"%s" is open in another editor'):format(title_of(summary))
    vim.ui.select({ "Go on here with a copy", "Leave it there" }, { prompt = prompt }, function(_, index)
      if index == 1 then client.execute("kit.session.fork", { session = summary.id }, session.switch) end
    end)
  end)
end

M.subject = "sessions"
M.actions = {} ---@type table<string, fun(rest: string)>

function M.actions.open(text) with_session(text, { prompt = "Open session" }, open) end

function M.actions.all()
  client.execute(
    "kit.session.list",
    { scope = "all" },
    function(answer) choose(by_parent(answer.sessions), "Open session of any workspace", open) end
  )
end

function M.actions.new(name)
  local arguments = { name = name ~= "" and name or nil, path = require("kit.documents").edited_file() }
  client.execute("kit.session.new", arguments, session.switch)
end

function M.actions.rename(text)
  local wish = { prompt = "Rename session", is_current = true, takes_text = true }
  with_session(text, wish, function(summary, name)
    local function rename(chosen)
      if not chosen or chosen == "" then return end
      client.execute("kit.session.rename", { session = summary.id, name = chosen }, function(answer)
        session.rename(answer)
        client.notify(('The session is called "%s" now.'):format(chosen))
      end)
    end
    if name ~= "" then return rename(name) end
    vim.ui.input({ prompt = "Name of the session: ", default = summary.name }, rename)
  end)
end

function M.actions.fork(text)
  with_session(text, { prompt = "Fork session", is_current = true }, function(summary)
    client.execute("kit.session.fork", { session = summary.id }, function(answer)
      session.switch(answer)
      client.notify("The session is copied; the copy is the current one.")
    end)
  end)
end

function M.actions.delete(text)
  with_session(text, { prompt = "Delete session" }, function(summary)
    vim.ui.select({ "Delete", "Cancel" }, { prompt = "Delete " .. vim.trim(describe(summary)) .. "?" }, function(choice)
      if choice ~= "Delete" then return end
      client.execute("kit.session.delete", { session = summary.id }, function(answer)
        for _, id in ipairs(answer.deleted or { summary.id }) do
          session.forget(id)
        end
        local more = #(answer.deleted or {}) - 1
        local tail = more > 0 and (", with %s"):format(format.count(more, "subagent")) or ""
        client.notify(("The session is deleted%s."):format(tail))
      end)
    end)
  end)
end

---@param prompt string
---@param path string
---@param default string
---@param use fun(path: string)
local function with_path(prompt, path, default, use)
  local function absolute(text)
    if text and text ~= "" then use(vim.fs.abspath(vim.fs.normalize(text))) end
  end
  if path ~= "" then return absolute(path) end
  vim.ui.input({ prompt = prompt, default = default, completion = "file" }, absolute)
end

function M.actions.export(text)
  local wish = { prompt = "Export session", is_current = true, takes_text = true }
  with_session(text, wish, function(summary, path)
    local default = vim.fs.joinpath(vim.fn.getcwd(), "session.jsonl")
    with_path("Export the session to: ", path, default, function(target)
      client.execute(
        "kit.session.export",
        { session = summary.id, path = target },
        function(answer)
          client.notify(("The session is exported to %s."):format(vim.fn.fnamemodify(answer.path or target, ":~")))
        end
      )
    end)
  end)
end

function M.actions.import(path)
  with_path(
    "Import the session from: ",
    path,
    "",
    function(source) client.execute("kit.session.import", { path = source }, session.switch) end
  )
end

function M.default() M.actions.open("") end

local of_sessions = { open = true, rename = true, fork = true, export = true, delete = true }

--- What stands behind an action, for completion: titles and ids of sessions, and files.
---@param action string
---@param lead string
---@param typed string Everything behind the action.
---@return string[]
function M.words(action, lead, typed)
  local words = {}
  if of_sessions[action] then
    local answer = client.execute_sync("kit.session.list", { scope = "root" }, patience)
    local summaries = answer and answer.sessions or {}
    local candidates = vim.list_extend({ "pick" }, vim.tbl_map(title_of, summaries))
    vim.list_extend(candidates, vim.tbl_map(function(summary) return summary.id:sub(1, id_width) end, summaries))
    for _, candidate in ipairs(candidates) do
      -- A title has several words; those that stand there already are not given again.
      if vim.startswith(candidate, typed) then words[#words + 1] = candidate:sub(#typed - #lead + 1) end
    end
  end
  if action == "export" or action == "import" then vim.list_extend(words, vim.fn.getcompletion(lead, "file")) end
  return words
end

return M
