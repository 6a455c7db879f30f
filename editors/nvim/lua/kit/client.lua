-- The connection to the language server: how it is started, found, asked and left. A server that dies is started again,
-- unless it does so again and again.
--
-- One server serves all roots of an editor; a further root becomes a workspace folder. Parameters that arrive are
-- stripped of JSON nulls before anyone reads them, because Neovim 0.12 passes them as vim.NIL and 0.11 mostly as nil.
local config = require("kit.config")
local documents = require("kit.documents")
local format = require("kit.format")

local M = {}

M.name = "kit"
local protocol_version = 1
local most_crashes = 4
local crash_memory = 3 * 60 * 1000
local crashes = {} ---@type integer[] When the server died of late.

--- Shows one sentence to the user.
---@param sentence string
---@param level? integer
function M.notify(sentence, level) vim.notify("Kit: " .. sentence, level or vim.log.levels.INFO) end

--- The value without JSON nulls, at any depth.
---@generic T
---@param value T
---@return T?
local function without_nulls(value)
  if value == vim.NIL then return nil end
  if type(value) == "table" then
    for key, inner in pairs(value) do
      value[key] = without_nulls(inner)
    end
  end
  return value
end

---@param module string
---@param name string
---@return lsp.Handler
local function handler(module, name)
  return function(_, parameters, context) return require(module)[name](without_nulls(parameters), context) end
end

--- The server's command: that of vim.lsp.config("kit") if it is a list, else that of the options.
---@return string[]|fun(dispatchers: vim.lsp.rpc.Dispatchers): vim.lsp.rpc.PublicClient
function M.server_command()
  local own = vim.lsp.config[M.name].cmd
  return type(own) == "table" and own or config.get().cmd
end

local missing_command_told = false

--- Whether the server can be started; says once why not.
---@return boolean
local function can_start()
  local command = M.server_command()
  if type(command) == "function" or vim.fn.executable(command[1]) == 1 then return true end
  if not missing_command_told then
    missing_command_told = true
    M.notify(
      ('The server "%s" was not found; install it or set cmd (:help kit-install).'):format(command[1]),
      vim.log.levels.WARN
    )
  end
  return false
end

---@param client vim.lsp.Client
local function on_init(client)
  local experimental = client.server_capabilities.experimental or {}
  local offer = type(experimental) == "table" and experimental.kit or nil
  if not offer or offer.version ~= protocol_version then
    M.notify(
      ("The server speaks version %s of the protocol, this plugin version %d; update the older one."):format(
        offer and tostring(offer.version) or "no",
        protocol_version
      ),
      vim.log.levels.WARN
    )
  end
  for _, folder in ipairs(client._kit_folders or {}) do
    client:notify("workspace/didChangeWorkspaceFolders", { event = { added = { folder }, removed = {} } })
  end
  client._kit_folders = nil
  require("kit.edit")
  documents.attach_all(client)
  require("kit.session").reconnect()
end

--- Starts a server that died again, and says so.
local function recover()
  local now = vim.uv.now()
  crashes = vim.tbl_filter(function(at) return now - at < crash_memory end, crashes)
  crashes[#crashes + 1] = now
  if #crashes > most_crashes then
    local sentence = "The server ended %d times within minutes and stays off; see :Kit log, then :Kit restart."
    return M.notify(sentence:format(#crashes), vim.log.levels.ERROR)
  end
  M.notify("The server ended unexpectedly and is started again.", vim.log.levels.WARN)
  M.restart()
end

---@param code integer
---@param signal integer
local function on_exit(code, signal)
  -- Neovim itself ends a server by SIGTERM.
  local is_crash = (code ~= 0 or signal ~= 0) and signal ~= 15
  vim.schedule(function()
    require("kit.question").withdraw_all()
    require("kit.review").clear()
    require("kit.status").clear()
    require("kit.ui").clear()
    require("kit.session").disconnect()
    if is_crash and vim.v.exiting == vim.NIL then recover() end
  end)
end

--- Adds a workspace folder to a running server, unless it has it.
---@param client vim.lsp.Client
---@param root? string
function M.add_folder(client, root)
  if not root then return end
  local folder = { uri = vim.uri_from_fname(root), name = root }
  for _, present in ipairs(client.workspace_folders or {}) do
    if present.uri == folder.uri then return end
  end
  client.workspace_folders = vim.list_extend(client.workspace_folders or {}, { folder })
  if client.initialized then
    client:notify("workspace/didChangeWorkspaceFolders", { event = { added = { folder }, removed = {} } })
  else
    client._kit_folders = vim.list_extend(client._kit_folders or {}, { folder })
  end
end

--- The configuration for vim.lsp.enable().
---@return vim.lsp.Config
function M.lsp_config()
  return {
    cmd = function(dispatchers, lsp_config)
      local command = config.get().cmd
      if type(command) == "function" then return command(dispatchers) end
      local directory = lsp_config and lsp_config.root_dir
      return vim.lsp.rpc.start(command, dispatchers, { env = config.get().env, cwd = directory })
    end,
    root_dir = function(buffer, on_dir)
      if documents.is_eligible(buffer) and can_start() then on_dir(documents.root(buffer)) end
    end,
    reuse_client = function(client, lsp_config)
      if client.name ~= M.name or client:is_stopped() then return false end
      M.add_folder(client, lsp_config.root_dir)
      return true
    end,
    before_init = function(parameters)
      local settings = vim.tbl_deep_extend("force", config.get().settings, parameters.initializationOptions or {})
      parameters.initializationOptions = next(settings) and settings or vim.empty_dict()
    end,
    on_init = on_init,
    on_exit = on_exit,
    -- Edits are answered by their echo; a debounced echo would come after the answer.
    flags = { debounce_text_changes = 0 },
    capabilities = {
      workspace = { workspaceEdit = { documentChanges = true } },
      experimental = {
        kit = {
          version = protocol_version,
          events = true,
          status = true,
          review = true,
          permission = true,
          ask = true,
          save = true,
          diagnostics = true,
          ui = true,
        },
      },
    },
    -- What code actions run: the prompt is sent as one of ours, so that the session is shown.
    commands = {
      ["kit.session.prompt"] = function(command) require("kit.session").send(command.arguments[1]) end,
    },
    handlers = {
      ["window/showMessage"] = function(_, message) M.tell(message) end,
      ["workspace/applyEdit"] = handler("kit.edit", "on_apply"),
      ["kit/save"] = handler("kit.edit", "on_save"),
      ["kit/diagnostics"] = handler("kit.diagnostics", "on_request"),
      ["kit/event"] = handler("kit.session", "on_event"),
      ["kit/status"] = handler("kit.status", "on_status"),
      ["kit/review"] = handler("kit.review", "on_review"),
      ["kit/ui"] = handler("kit.ui", "on_ui"),
      ["kit/permission"] = handler("kit.question", "on_permission"),
      ["kit/ask"] = handler("kit.question", "on_ask"),
      ["kit/withdraw"] = handler("kit.question", "on_withdraw"),
    },
  }
end

--- The running server's client, or nil.
---@return vim.lsp.Client?
function M.get()
  for _, client in ipairs(vim.lsp.get_clients({ name = M.name })) do
    if client.initialized and not client:is_stopped() then return client end
  end
end

--- Calls `use` with the client, starting the server when none runs.
---@param use fun(client: vim.lsp.Client)
function M.ensure(use)
  local client = M.get()
  if client then return use(client) end
  if not can_start() then
    missing_command_told = false
    return
  end
  local lsp_config = vim.deepcopy(vim.lsp.config[M.name])
  local buffer = vim.api.nvim_get_current_buf()
  lsp_config.root_dir = documents.is_eligible(buffer) and documents.root(buffer) or vim.fn.getcwd()
  local id = vim.lsp.start(lsp_config, { attach = false, reuse_client = lsp_config.reuse_client })
  local attempts = 0
  local timer = assert(vim.uv.new_timer())
  timer:start(
    0,
    20,
    vim.schedule_wrap(function()
      attempts = attempts + 1
      local started = id and vim.lsp.get_client_by_id(id)
      if timer:is_closing() or started and not started.initialized and attempts < 500 then return end
      timer:close()
      if started and started.initialized then
        use(started)
      else
        M.notify("The server did not start; see :checkhealth kit and :Kit log.", vim.log.levels.ERROR)
      end
    end)
  )
end

local levels = { vim.log.levels.ERROR, vim.log.levels.WARN }

--- Shows what the server says to the user.
---@param message lsp.ShowMessageParams
function M.tell(message) M.notify(message.message:gsub("^Kit: ", ""), levels[message.type]) end

--- Shows a failed request as one sentence.
---@param problem lsp.ResponseError|string
function M.report(problem)
  if type(problem) ~= "table" then return M.notify(tostring(problem), vim.log.levels.ERROR) end
  local data = type(problem.data) == "table" and problem.data or {}
  local sentence = format.sentence((problem.message or "the server gave no reason"):gsub("%s+", " "))
  if data.kind == "untrusted" and not sentence:find(":Kit trust", 1, true) then
    sentence = sentence .. " (:Kit trust)"
  elseif data.kind == "busy" and data.retryAfterMs then
    sentence = ("%s (try again in %.1f s)"):format(sentence, data.retryAfterMs / 1000)
  end
  local is_small = data.kind == "cancelled" or data.kind == "busy" or data.kind == "not_found"
  M.notify(sentence, is_small and vim.log.levels.WARN or vim.log.levels.ERROR)
end

--- Whether the server offers a command; servers that list none are asked anyway.
---@param client vim.lsp.Client
---@param command string
---@return boolean
function M.offers(client, command)
  local commands = vim.tbl_get(client.server_capabilities, "experimental", "kit", "commands")
  if type(commands) ~= "table" then return true end
  return vim.iter(commands):any(function(offer) return offer.id == command end)
end

--- Runs a server command. Errors are shown unless `on_error` takes them.
---@param command string
---@param arguments table
---@param on_answer? fun(answer: table)
---@param on_error? fun(problem: lsp.ResponseError)
function M.execute(command, arguments, on_answer, on_error)
  M.ensure(function(client)
    if not M.offers(client, command) then
      return M.notify(("This server has no %s; update it."):format(command), vim.log.levels.WARN)
    end
    local argument = next(arguments) and arguments or vim.empty_dict()
    client:request(
      "workspace/executeCommand",
      { command = command, arguments = { argument } },
      function(problem, answer)
        if problem then
          (on_error or M.report)(problem)
        elseif on_answer then
          on_answer(without_nulls(answer) or {})
        end
      end
    )
  end)
end

--- Runs a server command and waits briefly, for completion and health alone.
---@param command string
---@param arguments table
---@param milliseconds integer
---@return table? answer
function M.execute_sync(command, arguments, milliseconds)
  local client = M.get()
  if not client or not M.offers(client, command) then return end
  local argument = next(arguments) and arguments or vim.empty_dict()
  local parameters = { command = command, arguments = { argument } }
  local response = client:request_sync("workspace/executeCommand", parameters, milliseconds, 0)
  return response and without_nulls(response.result)
end

--- Stops the server, waits for its end and starts it anew for all buffers.
function M.restart()
  local function start()
    if vim.lsp.is_enabled(M.name) then
      vim.lsp.enable(M.name)
    else
      M.ensure(function() end)
    end
  end
  local clients = vim.lsp.get_clients({ name = M.name })
  if #clients == 0 then return start() end
  for _, client in ipairs(clients) do
    client:stop()
  end
  local attempts = 0
  local timer = assert(vim.uv.new_timer())
  timer:start(
    50,
    50,
    vim.schedule_wrap(function()
      attempts = attempts + 1
      local running = vim.lsp.get_clients({ name = M.name })
      if timer:is_closing() then return end
      if #running == 0 or attempts > 100 then
        timer:close()
        start()
      elseif attempts == 60 then
        for _, client in ipairs(running) do
          client:stop(true)
        end
      end
    end)
  )
end

return M
