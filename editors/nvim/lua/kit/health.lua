-- :checkhealth kit
local client = require("kit.client")
local config = require("kit.config")

local M = {}

local health = vim.health

local function check_neovim()
  health.start("Neovim")
  health.ok("Neovim " .. tostring(vim.version()))
  if vim.fn.has("nvim-0.12") == 0 then
    health.info("Progress messages and the busy mark need Neovim 0.12; everything else works.")
  end
  if not vim.o.undofile then
    health.info("'undofile' is off: native undo of the agent's edits ends with the session; :Kit undo does not.")
  end
  if not vim.o.autoread then
    health.warn(
      "'autoread' is off: files that the agent changes on disk are not reloaded by themselves.",
      "set autoread"
    )
  end
  if not pcall(vim.treesitter.language.inspect, "markdown") then
    health.info("There is no Markdown parser: sessions are highlighted by the older syntax file.")
  end
  for module, name in pairs({ ["auto-save"] = "auto-save.nvim", autosave = "autosave.nvim" }) do
    if package.loaded[module] then
      health.warn(name .. " writes buffers by itself: the agent's edits are on disk before you have reviewed them.")
    end
  end
end

local function check_options()
  health.start("Options")
  local problem = config.problem()
  if problem then
    health.error(problem, "See :help kit-options.")
  else
    health.ok("The options are valid")
  end
  if vim.lsp.is_enabled(client.name) then
    health.ok('vim.lsp.enable("kit") was called')
  else
    health.warn("The server starts with the first :Kit, not with the first file.", 'vim.lsp.enable("kit")')
  end
end

---@return boolean
local function check_binary()
  health.start("Server")
  local command = client.server_command()
  if type(command) == "function" then
    health.info("The command is a function")
    return true
  end
  local path = vim.fn.exepath(command[1])
  if path == "" then
    health.error(('"%s" was not found'):format(command[1]), {
      "Put kit-ls on the PATH, or name it: vim.g.kit = { cmd = { '/path/to/kit-ls' } }",
      "See :help kit-install.",
    })
    return false
  end
  local finished, result = pcall(
    function() return vim.system({ path, "--version" }, { text = true, timeout = 3000 }):wait() end
  )
  if finished and result.code == 0 then
    health.ok(("%s (%s)"):format(path, vim.trim(result.stdout)))
  else
    health.error(path .. " does not run", finished and vim.trim(result.stderr) or tostring(result))
  end
  return true
end

---@param server vim.lsp.Client
local function check_connection(server)
  local offer = vim.tbl_get(server.server_capabilities, "experimental", "kit") or {}
  local info = server.server_info or {}
  health.ok(
    ("%s %s runs (client %d)"):format(info.name or "The server", offer.serverVersion or info.version or "", server.id)
  )
  if offer.version == 1 then
    health.ok("The protocol's version is 1")
  else
    health.error(
      ("The protocol's version is %s, this plugin speaks 1"):format(tostring(offer.version)),
      "Update the older one."
    )
  end
  for _, folder in ipairs(server.workspace_folders or {}) do
    health.info("Root: " .. folder.name)
  end
  local files = vim.tbl_count(server.attached_buffers)
  health.info(("Positions are %s; %d buffers are attached"):format(server.offset_encoding, files))
  if server.flags.debounce_text_changes ~= 0 then
    health.warn("Changes are sent late: the agent's edits may be refused.", 'Leave flags out of vim.lsp.config("kit").')
  end
  local began = vim.uv.hrtime()
  local answer = client.execute_sync("kit.review.list", {}, 2000)
  if answer then
    health.ok(("A request takes %.1f ms"):format((vim.uv.hrtime() - began) / 1e6))
  else
    health.error("The server does not answer", ":Kit restart, then :Kit log")
  end
end

local function check_doctor()
  health.start("Server's own checks")
  local answer = client.execute_sync("kit.doctor", {}, 5000)
  if not answer then return health.warn("The server gave no answer to kit.doctor") end
  for _, check in ipairs(answer.checks) do
    local text = ("%s: %s"):format(check.name, check.detail)
    if check.ok then
      health.ok(text)
    else
      health.warn(text, check.fix)
    end
  end
end

--- What the user has added: extensions and MCP servers that do not work.
local function check_additions()
  local answer = client.execute_sync("kit.extension.list", {}, 2000)
  local extensions = answer and answer.extensions or {}
  if #extensions > 0 then
    health.start("Extensions")
    for _, extension in ipairs(extensions) do
      if extension.state == "running" then
        health.ok(extension.name .. " runs")
      else
        health.warn(("%s: %s"):format(extension.name, extension.error or extension.state), ":Kit extensions")
      end
    end
  end
  local answered = client.execute_sync("kit.mcp.list", {}, 2000)
  local servers = answered and answered.servers or {}
  if #servers == 0 then return end
  health.start("MCP servers")
  for _, server in ipairs(servers) do
    if server.error or server.state == "needsLogin" then
      health.warn(("%s: %s"):format(server.name, server.error or "it wants a login"), ":Kit mcp")
    else
      health.ok(("%s: %s"):format(server.name, server.state))
    end
  end
end

--- Runs all checks.
function M.check()
  check_neovim()
  check_options()
  if not check_binary() then return end
  local server = client.get()
  if not server then return health.info("No server runs; open a file or use :Kit, then check again.") end
  check_connection(server)
  check_doctor()
  check_additions()
end

return M
