-- Stored sessions: pick one to open or delete, make, rename or fork one.
local client = require("kit.client")
local format = require("kit.format")
local near = require("kit.near")
local session = require("kit.session")

local M = {}

--- What `:Kit sessions` does.
M.actions = { "delete", "fork", "new", "open", "rename" }

---@param summary table
---@return string
local function describe(summary)
  local title = summary.name or vim.trim(summary.firstMessage:gsub("%s+", " "))
  local parts =
    { format.shorten(title ~= "" and title or "(empty)", 60), format.count(summary.messageCount, "message") }
  parts[#parts + 1] = summary.modified:gsub("T", " "):match("^%S+ %d+:%d+") or summary.modified
  if summary.running then parts[#parts + 1] = "running" end
  if summary.id == session.current then parts[#parts + 1] = "current" end
  return table.concat(parts, " · ")
end

---@param prompt string
---@param use fun(summary: table)
local function pick(prompt, use)
  client.execute("kit.session.list", { scope = "root" }, function(answer)
    if #answer.sessions == 0 then return client.notify("No sessions are stored for this workspace.") end
    vim.ui.select(answer.sessions, { prompt = prompt, format_item = describe, kind = "kit.session" }, function(choice)
      if choice then use(choice) end
    end)
  end)
end

local actions = {}

function actions.open()
  pick(
    "Open session",
    function(summary) client.execute("kit.session.open", { session = summary.id }, session.switch) end
  )
end

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
    vim.ui.select({ "Delete", "Cancel" }, { prompt = "Delete " .. describe(summary) .. "?" }, function(choice)
      if choice == "Delete" then
        client.execute("kit.session.delete", { session = summary.id }, function()
          session.forget(summary.id)
          client.notify("The session is deleted.")
        end)
      end
    end)
  end)
end

--- Runs `:Kit sessions ACTION NAME`.
---@param action? string
---@param name string
function M.run(action, name)
  local run = actions[action or "open"]
  if not run then
    local sentence = (':Kit sessions has no "%s".%s'):format(action, near.hint(action --[[@as string]], M.actions))
    return client.notify(sentence, vim.log.levels.ERROR)
  end
  run(name)
end

return M
