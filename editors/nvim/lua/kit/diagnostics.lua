-- Answers kit/diagnostics with what the user's other language servers and linters say.
-- Kit's own diagnostics are left out: the agent must not read its own notes as findings.
local documents = require("kit.documents")

local M = {}

---@param buffer integer
---@param line integer
---@param column integer
---@param encoding string
---@return lsp.Position
local function to_position(buffer, line, column, encoding)
  local text = vim.api.nvim_buf_get_lines(buffer, line, line + 1, false)[1] or ""
  return { line = line, character = vim.str_utfindex(text, encoding, math.min(column, #text), false) }
end

---@param buffer integer
---@param client vim.lsp.Client
---@return lsp.Diagnostic[]
local function collect(buffer, client)
  local own = vim.lsp.diagnostic.get_namespace(client.id)
  local found = {}
  for _, diagnostic in ipairs(vim.diagnostic.get(buffer)) do
    if diagnostic.namespace ~= own and diagnostic.source ~= "kit" then
      local end_line = diagnostic.end_lnum or diagnostic.lnum
      local end_column = diagnostic.end_col or diagnostic.col
      found[#found + 1] = {
        range = {
          start = to_position(buffer, diagnostic.lnum, diagnostic.col, client.offset_encoding),
          ["end"] = to_position(buffer, end_line, end_column, client.offset_encoding),
        },
        severity = diagnostic.severity,
        source = diagnostic.source,
        code = diagnostic.code,
        message = diagnostic.message,
      }
    end
  end
  return found
end

--- Handles kit/diagnostics.
---@param parameters { uris: string[] }
---@param context lsp.HandlerContext
function M.on_request(parameters, context)
  local client = assert(vim.lsp.get_client_by_id(context.client_id))
  local items = {}
  for _, uri in ipairs(parameters.uris) do
    local buffer = documents.find(uri)
    if buffer then items[#items + 1] = { uri = uri, diagnostics = collect(buffer, client) } end
  end
  return { items = items }
end

return M
