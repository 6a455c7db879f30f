-- Stored sessions: pick one to open, rename, fork, export or delete; make or import one. Sessions of subagents stand
-- below the session that started them.
local client = require("kit.client")
local format = require("kit.format")
local listing = require("kit.listing")
local session = require("kit.session")

local M = {}

--- What `:Kit sessions` does.
M.actions = { "all", "delete", "export", "fork", "import", "new", "open", "rename" }

---@param summary table
---@return string
local function describe(summary)
  local title = format.head(summary.name or summary.subagentTask or summary.firstMessage, 60)
  local parts = { title ~= "" and title or "(empty)", format.count(summary.messageCount, "message") }
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

---@param prompt string
---@param use fun(summary: table)
---@param scope? "root"|"all"
local function pick(prompt, use, scope)
  client.execute("kit.session.list", { scope = scope or "root" }, function(answer)
    local found = by_parent(answer.sessions)
    if #found == 0 then return client.notify("No sessions are stored for this workspace.") end
    vim.ui.select(found, { prompt = prompt, format_item = describe, kind = "kit.session" }, function(choice)
      if choice then use(choice) end
    end)
  end)
end

---@param summary table
local function open(summary) client.execute("kit.session.open", { session = summary.id }, session.switch) end

local actions = {}

function actions.open() pick("Open session", open) end

function actions.all() pick("Open session of any workspace", open, "all") end

function actions.new(name) client.execute("kit.session.new", { name = name ~= "" and name or nil }, session.switch) end

function actions.rename(name)
  local function rename(text)
    if text and text ~= "" then
      client.execute("kit.session.rename", { session = session.current, name = text }, session.rename)
    end
  end
  if name ~= "" then return rename(name) end
  vim.ui.input({ prompt = "Name of the session: " }, rename)
end

function actions.fork() client.execute("kit.session.fork", { session = session.current }, session.switch) end

function actions.delete()
  pick("Delete session", function(summary)
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

function actions.export(path)
  with_path("Export the session to: ", path, vim.fs.joinpath(vim.fn.getcwd(), "session.jsonl"), function(target)
    client.execute(
      "kit.session.export",
      { session = session.current, path = target },
      function(answer)
        client.notify(("The session is exported to %s."):format(vim.fn.fnamemodify(answer.path or target, ":~")))
      end
    )
  end)
end

function actions.import(path)
  with_path(
    "Import the session from: ",
    path,
    "",
    function(source) client.execute("kit.session.import", { path = source }, session.switch) end
  )
end

--- Runs `:Kit sessions ACTION REST`.
---@param action? string
---@param rest string
function M.run(action, rest) listing.dispatch("sessions", actions, action or "open", rest) end

return M
