-- What a prompt is about: the buffer that the user looks at, and the selected part of it.
local client = require("kit.client")
local documents = require("kit.documents")

local M = {}

local api = vim.api

--- The window with the file that the user looks at: the current one, else the last one of this tab that shows a file.
---@return integer?
function M.file_window()
  local candidates = { api.nvim_get_current_win(), vim.fn.win_getid(vim.fn.winnr("#")) }
  vim.list_extend(candidates, api.nvim_tabpage_list_wins(0))
  for _, window in ipairs(candidates) do
    if window ~= 0 and documents.is_eligible(api.nvim_win_get_buf(window)) then return window end
  end
end

--- Narrows a range of lines to the characters of the last visual selection, if it is that of these lines.
---@param buffer integer
---@param lines { first: integer, last: integer }
---@param encoding string
---@param range lsp.Range
local function narrow(buffer, lines, encoding, range)
  local from, to = vim.fn.getpos("'<"), vim.fn.getpos("'>")
  if vim.fn.visualmode() ~= "v" or from[2] ~= lines.first or to[2] ~= lines.last then return end
  local first = api.nvim_buf_get_lines(buffer, lines.first - 1, lines.first, false)[1]
  local last = api.nvim_buf_get_lines(buffer, lines.last - 1, lines.last, false)[1]
  range.start.character = vim.str_utfindex(first, encoding, math.min(from[3] - 1, #first), false)
  if to[3] > #last then return end
  -- The selection ends with the whole character under the cursor.
  local stop = to[3] + vim.str_utf_end(last, to[3])
  range["end"] = { line = lines.last - 1, character = vim.str_utfindex(last, encoding, stop, false) }
end

--- The context of a prompt: the file in view, or nothing, or lines of the current buffer.
---@param lines? { first: integer, last: integer }
---@return table[]
function M.get(lines)
  local window = lines and api.nvim_get_current_win() or M.file_window()
  local buffer = window and api.nvim_win_get_buf(window)
  local server = client.get()
  if not buffer or not server or not documents.is_eligible(buffer) then return {} end
  local item = { uri = vim.uri_from_bufnr(buffer), version = documents.version(buffer) }
  if lines then
    item.range = documents.line_range(buffer, lines.first, lines.last, server.offset_encoding)
    narrow(buffer, lines, server.offset_encoding, item.range)
  end
  return { item }
end

return M
