-- A language server inside the editor that speaks the shapes of the protocol. It keeps open documents as the real one
-- does, from notifications alone, so that a test can compare its text with the buffer's; it records every command and
-- answers from `replies`.
local M = {}

M.documents = {} ---@type table<string, { text: string, version: integer }>
M.commands = {} ---@type { command: string, argument: table }[]
M.notifications = {} ---@type { method: string, params: table }[]
M.answers = {} ---@type table<string, { result?: any, error?: any }>
M.initialize = nil ---@type table?
M.contents = {} ---@type table<string, string>
M.replies = {} ---@type table<string, table|fun(argument: table): table?, table?>
M.encoding = "utf-16"

local dispatchers
local die ---@type fun()

local function offset(text, position)
  local start = 1
  for _ = 1, position.line do
    local stop = text:find("\n", start, true)
    if not stop then return #text end
    start = stop + 1
  end
  local line = text:sub(start):match("^[^\n]*")
  return start - 1 + vim.str_byteindex(line, M.encoding, position.character, false)
end

local notified = {}

notified["textDocument/didOpen"] = function(params)
  M.documents[params.textDocument.uri] = { text = params.textDocument.text, version = params.textDocument.version }
end

notified["textDocument/didChange"] = function(params)
  local document = M.documents[params.textDocument.uri]
  document.version = params.textDocument.version
  for _, change in ipairs(params.contentChanges) do
    if change.range then
      local from, to = offset(document.text, change.range.start), offset(document.text, change.range["end"])
      document.text = document.text:sub(1, from) .. change.text .. document.text:sub(to + 1)
    else
      document.text = change.text
    end
  end
end

notified["textDocument/didClose"] = function(params) M.documents[params.textDocument.uri] = nil end

local requested = {}

requested["initialize"] = function(params)
  M.initialize = params
  return {
    capabilities = {
      positionEncoding = M.encoding,
      textDocumentSync = { openClose = true, change = 2, save = true },
      executeCommandProvider = { commands = {} },
      experimental = { kit = { version = 1, serverVersion = "0.0.0" } },
    },
    serverInfo = { name = "kit-ls", version = "0.0.0" },
  }
end

requested["shutdown"] = function() return vim.NIL end

requested["workspace/textDocumentContent"] = function(params)
  local text = M.contents[params.uri]
  if not text then
    return nil, { code = -32602, message = "no such document: " .. params.uri, data = { kind = "not_found" } }
  end
  return { text = text }
end

requested["workspace/executeCommand"] = function(params)
  M.commands[#M.commands + 1] = { command = params.command, argument = params.arguments[1] }
  local reply = M.replies[params.command]
  if type(reply) == "function" then
    return reply(params.arguments[1])
  elseif reply then
    return reply
  end
  return nil, { code = -32601, message = "unknown command " .. params.command, data = { kind = "invalid_request" } }
end

--- The `cmd` of the client's configuration.
function M.start(given)
  dispatchers = given
  local is_closing, message_id = false, 0
  function die()
    is_closing = true
    given.on_exit(0, 9)
  end
  return {
    request = function(method, params, callback, notify_reply)
      message_id = message_id + 1
      local id = message_id
      -- As over a wire: what is sent is encoded, and an answer comes later.
      params = vim.json.decode(vim.json.encode(params))
      vim.schedule(function()
        local handle = requested[method]
        local result, problem
        if handle then
          result, problem = handle(params)
        else
          problem = { code = -32601, message = "no such method: " .. method }
        end
        if notify_reply then notify_reply(id) end
        callback(problem, result, id)
      end)
      return true, id
    end,
    notify = function(method, params)
      M.notifications[#M.notifications + 1] = { method = method, params = params }
      if notified[method] then
        notified[method](params)
      elseif method == "exit" then
        is_closing = true
        given.on_exit(0, 0)
      end
      return true
    end,
    is_closing = function() return is_closing end,
    terminate = function()
      is_closing = true
      given.on_exit(0, 15)
    end,
  }
end

--- Ends without having been asked to.
function M.crash()
  M.documents, M.initialize = {}, nil
  die()
end

function M.is_open(uri) return M.documents[uri] ~= nil end

function M.notify(method, params) dispatchers.notification(method, vim.json.decode(vim.json.encode(params))) end

function M.request(name, method, params)
  params = vim.json.decode(vim.json.encode(params))
  vim.schedule(coroutine.wrap(function()
    local good, result, problem = pcall(dispatchers.server_request, method, params)
    M.answers[name] = good and { result = result, error = problem } or { error = tostring(result) }
  end))
end

--- The arguments of every run of a command.
function M.ran(command)
  local found = {}
  for _, entry in ipairs(M.commands) do
    if entry.command == command then found[#found + 1] = entry.argument end
  end
  return found
end

return M
