-- Edits of the agent in open buffers: workspace/applyEdit and kit/save.
--
-- An edit is all or nothing: every document of the request is checked first (loaded, modifiable, exactly the version
-- that the server saw), then each gets its edits as one undo block of its own. Nothing is ever loaded from disk: the
-- server writes closed files itself. The final line break is part of a document's text, but in Neovim it is the
-- option 'endofline'; an edit that reaches the end of the document decides that option, and when it changes, the whole
-- text is sent again because Neovim's own change tracking does not see it.
--
-- A save is done only while the buffer still holds exactly what it held after our last edit, was clean before it, and
-- the file on disk has not changed since Neovim read or wrote it. Formatters that run on BufWritePre are held back,
-- so that the text on disk is the text that the agent wrote; BufWritePost runs as ever.
local documents = require("kit.documents")

local M = {}

local api = vim.api

---@type table<integer, integer> Per buffer that was clean before our edits: its changedtick after the last of them.
local ours = {}
---@type table<integer, string> Per buffer: what the file on disk looked like when Neovim last read or wrote it.
local seen_on_disk = {}

---@param buffer integer
---@return string
local function disk_state(buffer)
  local stat = vim.uv.fs_stat(api.nvim_buf_get_name(buffer))
  return stat and ("%d %d.%d"):format(stat.size, stat.mtime.sec, stat.mtime.nsec) or "absent"
end

api.nvim_create_autocmd({ "LspAttach", "BufReadPost", "BufWritePost", "FileChangedShellPost" }, {
  group = api.nvim_create_augroup("kit.edit", {}),
  desc = "Remember which state of the file the buffer holds",
  callback = function(event)
    if event.event ~= "LspAttach" or not seen_on_disk[event.buf] then
      seen_on_disk[event.buf] = disk_state(event.buf)
    end
  end,
})
api.nvim_create_autocmd("BufUnload", {
  group = "kit.edit",
  callback = function(event)
    seen_on_disk[event.buf], ours[event.buf] = nil, nil
  end,
})

---@class kit.TextEdit An edit in byte positions; `tail` when it reaches the end of the document.
---@field start_row integer
---@field start_column integer
---@field end_row integer
---@field end_column integer
---@field text string
---@field tail boolean

---@param buffer integer
---@param position lsp.Position
---@param encoding string
---@return integer row
---@return integer column
local function to_bytes(buffer, position, encoding)
  local line = api.nvim_buf_get_lines(buffer, position.line, position.line + 1, false)[1]
  if not line then return api.nvim_buf_line_count(buffer), 0 end
  return position.line, vim.str_byteindex(line, encoding, position.character, false)
end

---@param buffer integer
---@param edits lsp.TextEdit[]
---@param encoding string
---@return kit.TextEdit[] sorted From the end of the document to its start.
local function convert(buffer, edits, encoding)
  local count = api.nvim_buf_line_count(buffer)
  local last_length = #api.nvim_buf_get_lines(buffer, count - 1, count, false)[1]
  local ends_with_break = vim.bo[buffer].endofline
  local format = vim.bo[buffer].fileformat
  local converted = {}
  for order, edit in ipairs(edits) do
    local start_row, start_column = to_bytes(buffer, edit.range.start, encoding)
    local end_row, end_column = to_bytes(buffer, edit.range["end"], encoding)
    local text = edit.newText
    if format == "dos" then
      text = text:gsub("\r\n", "\n")
    elseif format == "mac" then
      text = text:gsub("\r\n?", "\n")
    end
    converted[order] = {
      order = order,
      start_row = start_row,
      start_column = start_column,
      end_row = end_row,
      end_column = end_column,
      text = text,
      tail = end_row >= count or (not ends_with_break and end_row == count - 1 and end_column == last_length),
    }
  end
  table.sort(converted, function(left, right)
    if left.start_row ~= right.start_row then
      return left.start_row > right.start_row
    elseif left.start_column ~= right.start_column then
      return left.start_column > right.start_column
    end
    return left.order > right.order
  end)
  return converted
end

--- Replaces everything from the edit's start to the end of the document.
---@param buffer integer
---@param edit kit.TextEdit
---@return boolean ends_with_break Whether the document's text ends with a line break now.
local function replace_tail(buffer, edit)
  local row, column = edit.start_row, edit.start_column
  local count = api.nvim_buf_line_count(buffer)
  if edit.text == "" and column == 0 then
    api.nvim_buf_set_lines(buffer, row, count, false, {})
    return true
  end
  local lines = vim.split(edit.text, "\n", { plain = true })
  local ends_with_break = #lines > 1 and lines[#lines] == ""
  if ends_with_break then table.remove(lines) end
  if row >= count then
    api.nvim_buf_set_lines(buffer, count, count, false, lines)
  else
    local last = api.nvim_buf_get_lines(buffer, count - 1, count, false)[1]
    api.nvim_buf_set_text(buffer, row, column, count - 1, #last, lines)
  end
  return ends_with_break
end

--- Deleted lines take their marks along; the letters stay where their text was.
---@param buffer integer
---@param marks vim.fn.getmarklist.ret.item[]
local function restore_marks(buffer, marks)
  local count = api.nvim_buf_line_count(buffer)
  for _, mark in ipairs(marks) do
    local name = mark.mark:match("^'(%a)$")
    if name and name == name:lower() and api.nvim_buf_get_mark(buffer, name)[1] == 0 then
      api.nvim_buf_set_mark(buffer, name, math.min(mark.pos[2], count), 0, {})
    end
  end
end

---@param buffer integer
local function send_whole_text(buffer)
  local text = vim.lsp._buf_get_full_text(buffer)
  for _, client in ipairs(vim.lsp.get_clients({ bufnr = buffer })) do
    client:notify("textDocument/didChange", {
      textDocument = { uri = vim.uri_from_bufnr(buffer), version = documents.version(buffer) },
      contentChanges = { { text = text } },
    })
  end
end

--- Starts a new undo block, so that one undo takes back one edit of the agent and nothing of the user's.
---@param buffer integer
local function break_undo(buffer) vim.bo[buffer].undolevels = vim.bo[buffer].undolevels end

---@param buffer integer
---@param edits lsp.TextEdit[]
---@param encoding string
local function apply(buffer, edits, encoding)
  local was_ours = not vim.bo[buffer].modified or ours[buffer] == api.nvim_buf_get_changedtick(buffer)
  local marks = vim.fn.getmarklist(buffer)
  local ends_with_break = vim.bo[buffer].endofline
  break_undo(buffer)
  for _, edit in ipairs(convert(buffer, edits, encoding)) do
    if edit.tail then
      vim.bo[buffer].endofline = replace_tail(buffer, edit)
    else
      local lines = vim.split(edit.text, "\n", { plain = true })
      api.nvim_buf_set_text(buffer, edit.start_row, edit.start_column, edit.end_row, edit.end_column, lines)
    end
  end
  break_undo(buffer)
  restore_marks(buffer, marks)
  if vim.bo[buffer].endofline ~= ends_with_break then send_whole_text(buffer) end
  ours[buffer] = was_ours and api.nvim_buf_get_changedtick(buffer) or nil
end

---@param change lsp.TextDocumentEdit
---@return integer? buffer
---@return string? reason Why it cannot be edited.
local function check(change)
  local uri, version = change.textDocument.uri, change.textDocument.version
  local buffer = documents.find(uri)
  if not buffer then return nil, documents.display(uri) .. " is not open" end
  if not vim.bo[buffer].modifiable then return nil, documents.display(uri) .. " is not modifiable" end
  local current = documents.version(buffer)
  if version and version ~= current then
    return nil, ("version: %s is at %d, the edit is for %d"):format(documents.display(uri), current, version)
  end
  return buffer
end

--- Handles workspace/applyEdit.
---@param parameters lsp.ApplyWorkspaceEditParams
---@param context lsp.HandlerContext
---@return lsp.ApplyWorkspaceEditResult
function M.on_apply(parameters, context)
  local client = assert(vim.lsp.get_client_by_id(context.client_id))
  local changes = parameters.edit.documentChanges
  if not changes then
    changes = {}
    for uri, edits in pairs(parameters.edit.changes or {}) do
      changes[#changes + 1] = { textDocument = { uri = uri }, edits = edits }
    end
  end
  local buffers = {}
  for index, change in ipairs(changes) do
    if not change.kind then
      local buffer, reason = check(change)
      if not buffer then return { applied = false, failureReason = reason, failedChange = index - 1 } end
      buffers[index] = buffer
    end
  end
  for index, change in ipairs(changes) do
    local done, problem
    if change.kind then
      done, problem = pcall(vim.lsp.util.apply_workspace_edit, { documentChanges = { change } }, client.offset_encoding)
    else
      done, problem = pcall(apply, buffers[index], change.edits, client.offset_encoding)
    end
    if not done then return { applied = false, failureReason = tostring(problem), failedChange = index - 1 } end
  end
  return { applied = true }
end

--- Writes the buffer exactly as it is: no formatter, no added final line break, no question.
---@param buffer integer
---@return boolean
local function write(buffer)
  local ignored, adds_final_break = vim.o.eventignore, vim.bo[buffer].fixendofline
  vim.o.eventignore = ignored == "" and "BufWritePre,FileWritePre" or ignored .. ",BufWritePre,FileWritePre"
  vim.bo[buffer].fixendofline = false
  local written = pcall(api.nvim_buf_call, buffer, function() vim.cmd("silent lockmarks keepalt keepjumps write") end)
  vim.o.eventignore = ignored
  vim.bo[buffer].fixendofline = adds_final_break
  return written and not vim.bo[buffer].modified
end

--- Handles kit/save.
---@param parameters { uris: string[] }
---@return { saved: string[] }
function M.on_save(parameters)
  local saved = {}
  for _, uri in ipairs(parameters.uris) do
    local buffer = documents.find(uri)
    if buffer then
      local is_ours = ours[buffer] == api.nvim_buf_get_changedtick(buffer)
      local is_current = disk_state(buffer) == seen_on_disk[buffer]
      if not vim.bo[buffer].modified or is_ours and is_current and not vim.bo[buffer].readonly and write(buffer) then
        saved[#saved + 1] = uri
      end
    end
  end
  return { saved = saved }
end

return M
