-- Subagents: those that run, and the named ones that a subagent can run as.
local client = require("kit.client")
local format = require("kit.format")

local M = {}

M.subject = "agents"
M.actions = {} ---@type table<string, fun(name: string)>

---@return table[]
local function running()
  local status = require("kit.status").get()
  return status and status.agents or {}
end

---@param agent table
---@return string
local function describe(agent)
  local parts = { agent.name, format.head(agent.task, 50) }
  if agent.label ~= "" then parts[#parts + 1] = agent.label end
  if agent.state == "waiting" then parts[#parts + 1] = "waits" end
  return table.concat(parts, " · ")
end

--- Opens the transcript of a subagent in a tab of its own; `R` reads it anew.
---@param id string
function M.open(id)
  local buffer = vim.fn.bufadd(("kit-session:%s.md"):format(id))
  vim.cmd("tab sbuffer " .. buffer)
  vim.keymap.set("n", "q", "<Cmd>close<CR>", { buffer = buffer, nowait = true, desc = "Close the transcript" })
  vim.keymap.set("n", "R", "<Cmd>edit<CR>", { buffer = buffer, nowait = true, desc = "Read the transcript anew" })
end

--- Stops one subagent; its parent goes on.
---@param id string
function M.stop(id)
  client.execute("kit.session.cancel", { session = id }, function(answer)
    if #answer.cancelled == 0 then client.notify("The subagent does not run.") end
  end)
end

--- Calls `use` with the running agent of that name, or with one that is picked.
---@param prompt string
---@param use fun(agent: table)
---@param name? string
local function pick(prompt, use, name)
  local agents = running()
  if #agents == 0 then return client.notify("No subagent runs.") end
  if name and name ~= "" then
    agents = vim.tbl_filter(function(agent) return agent.name == name end, agents)
    if #agents == 0 then return client.notify(('No subagent "%s" runs.'):format(name)) end
    if #agents == 1 then return use(agents[1]) end
  end
  vim.ui.select(agents, { prompt = prompt, format_item = describe, kind = "kit.agent" }, function(choice)
    if choice then use(choice) end
  end)
end

---@param answer table
---@return string[]
local function lines_of(answer)
  local lines = { "Running" }
  for _, agent in ipairs(running()) do
    lines[#lines + 1] = "  ● " .. describe(agent)
  end
  if #lines == 1 then lines[2] = "  none" end
  vim.list_extend(lines, { "", "Named agents, for the subagent tool" })
  for _, agent in ipairs(answer.agents) do
    if not agent.hidden then
      local more = {}
      if agent.model then more[#more + 1] = agent.model end
      if agent.tools then more[#more + 1] = table.concat(agent.tools, " ") end
      local tail = #more > 0 and (" (%s)"):format(table.concat(more, "; ")) or ""
      lines[#lines + 1] = ("  %-12s %s%s"):format(agent.name, agent.description:match("^[^\n]*"), tail)
    end
  end
  for _, problem in ipairs(answer.problems or {}) do
    local path = vim.fn.fnamemodify(problem.path, ":~:.")
    lines[#lines + 1] = ("  ✗ %s:%d: %s"):format(path, problem.line + 1, problem.message)
  end
  return lines
end

function M.actions.list()
  client.execute(
    "kit.agent.list",
    { session = require("kit.session").current },
    function(answer) require("kit.listing").show("Agents", lines_of(answer)) end
  )
end

function M.actions.open(name)
  pick("Transcript of", function(agent) M.open(agent.id) end, name)
end

function M.actions.stop(name)
  pick("Stop", function(agent) M.stop(agent.id) end, name)
end

--- Picks what to do with a running agent, or lists when none runs.
function M.default()
  if #running() == 0 then return M.actions.list("") end
  pick("Subagent", function(agent)
    vim.ui.select({ "Open its transcript", "Stop it" }, { prompt = describe(agent) }, function(_, index)
      if index == 1 then M.open(agent.id) end
      if index == 2 then M.stop(agent.id) end
    end)
  end)
end

--- Names of running agents, for completion.
---@param action string
---@return string[]
function M.words(action)
  return action ~= "list" and vim.tbl_map(function(agent) return agent.name end, running()) or {}
end

return M
