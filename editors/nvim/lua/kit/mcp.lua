-- MCP servers: how they are, and what the user can do about it.
local client = require("kit.client")
local format = require("kit.format")
local listing = require("kit.listing")

local M = {}

local shortest_description = 30
--- How long between two looks at servers that are on their way.
local look_ms = 500
local moving = { starting = true, reconnecting = true }

local icons = {
  ready = "●",
  idle = "○",
  disabled = "○",
  starting = "…",
  reconnecting = "…",
  needsLogin = "?",
  failed = "✗",
}
local states = { needsLogin = "needs a login (:Kit mcp login)", idle = "not started yet" }

---@param server table
---@return string
local function describe(server)
  local parts = { ("%s %s"):format(icons[server.state] or "·", server.name) }
  parts[#parts + 1] = states[server.state] or server.state
  for _, kind in ipairs({ "tool", "prompt", "resource" }) do
    local count = #(server[kind .. "s"] or {})
    if count > 0 then parts[#parts + 1] = format.count(count, kind) end
  end
  if server.login == "signedIn" then parts[#parts + 1] = "logged in" end
  if server.login == "pending" then parts[#parts + 1] = "login under way" end
  if server.error then parts[#parts + 1] = server.error:match("^[^\n]*") end
  return table.concat(parts, " · ")
end

---@param answer table
---@return string[]
local function lines_of(answer)
  local lines = {}
  for _, server in ipairs(answer.servers) do
    lines[#lines + 1] = describe(server)
    local longest = 0
    for _, tool in ipairs(server.tools or {}) do
      longest = math.max(longest, #tool.name)
    end
    local room = math.max(listing.width - longest - 5, shortest_description)
    for _, tool in ipairs(server.tools or {}) do
      local description = (tool.description or ""):match("^[^\n]*")
      lines[#lines + 1] = ("    %s %s"):format(tool.name .. (" "):rep(longest - #tool.name), format.head(description, room))
    end
    local function add(label, values)
      if #(values or {}) > 0 then lines[#lines + 1] = ("    %s: %s"):format(label, table.concat(values, ", ")) end
    end
    add("prompts", vim.tbl_map(function(name) return "/" .. name end, server.prompts or {}))
    add("resources", vim.tbl_map(function(name) return "@" .. name:gsub("^@", "") end, server.resources or {}))
  end
  return lines
end

--- Looks again while servers are on their way and the list is open.
---@param window integer
---@param answer table What it shows.
local function follow(window, answer)
  local moves = vim.iter(answer.servers):any(function(server) return moving[server.state] or server.login == "pending" end)
  if not moves then return end
  local function is_open() return vim.api.nvim_win_is_valid(window) end
  vim.defer_fn(function()
    if not is_open() then return end
    client.execute("kit.mcp.list", {}, function(now)
      if not is_open() then return end
      if #now.servers > 0 then listing.update(window, lines_of(now)) end
      follow(window, now)
    end)
  end, look_ms)
end

---@param answer table
local function show(answer)
  if #answer.servers == 0 then return client.notify("There are no MCP servers; the setting mcpServers names them.") end
  follow(listing.show("MCP servers", lines_of(answer)), answer)
end

---@param command string
---@return fun(name: string)
local function act(command)
  return function(name)
    if name ~= "" then return client.execute(command, { name = name }, show) end
    client.execute("kit.mcp.list", {}, function(answer)
      if #answer.servers == 0 then return show(answer) end
      local options = { prompt = "MCP server", format_item = describe, kind = "kit.mcp" }
      vim.ui.select(answer.servers, options, function(choice)
        if choice then client.execute(command, { name = choice.name }, show) end
      end)
    end)
  end
end

M.subject = "mcp"
M.actions = {
  list = function() client.execute("kit.mcp.list", {}, show) end,
  reconnect = act("kit.mcp.reconnect"),
  login = act("kit.mcp.login"),
  logout = act("kit.mcp.logout"),
}

function M.default() M.actions.list("") end

--- Names of servers, for completion.
---@param action string
---@return string[]
function M.words(action)
  local answer = action ~= "list" and client.execute_sync("kit.mcp.list", {}, 500)
  return vim.tbl_map(function(server) return server.name end, answer and answer.servers or {})
end

return M
