-- Which buffers the agent knows. A buffer is eligible when it holds a local file of reasonable size; an eligible
-- buffer is attached even without a filetype, because an edit of an open file must reach its buffer and not the disk.
local config = require("kit.config")

local M = {}

--- Whether the buffer is a local file that the agent may know.
---@param buffer integer
---@return boolean
function M.is_eligible(buffer)
  if not vim.api.nvim_buf_is_loaded(buffer) or vim.bo[buffer].buftype ~= "" then return false end
  local name = vim.api.nvim_buf_get_name(buffer)
  -- A scheme of two or more letters: other plugins' documents and remote files. One letter is a drive.
  if name == "" or name:match("^%a[%w+.-]+:/") then return false end
  local lines = vim.api.nvim_buf_line_count(buffer)
  return vim.api.nvim_buf_get_offset(buffer, lines) <= config.get().max_file_size
end

--- The workspace root of a buffer: its repository, else the nearest folder with instructions or settings for the
--- agent, else the working directory when the file lies in it. Nil for a lone file.
---@param buffer integer
---@return string?
function M.root(buffer)
  local root = vim.fs.root(buffer, ".git") or vim.fs.root(buffer, { ".kit.yml", "AGENTS.md" })
  if root then return root end
  local directory = vim.fs.normalize(vim.fn.getcwd())
  local name = vim.fs.normalize(vim.api.nvim_buf_get_name(buffer))
  local home = vim.fs.normalize("~")
  if directory ~= home and directory ~= "/" and vim.startswith(name, directory .. "/") then return directory end
end

--- The loaded buffer of a document, or nil. Never loads a file.
---@param uri string
---@return integer?
function M.find(uri)
  local readable, path = pcall(vim.uri_to_fname, uri)
  if not readable then return end
  path = vim.fs.normalize(path)
  local real = vim.uv.fs_realpath(path)
  for _, buffer in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_is_loaded(buffer) and vim.bo[buffer].buftype == "" then
      local name = vim.fs.normalize(vim.api.nvim_buf_get_name(buffer))
      if name ~= "" and (name == path or name == real) then return buffer end
    end
  end
end

--- The version of a buffer's text, as the language server counts it.
---@param buffer integer
---@return integer
function M.version(buffer) return vim.lsp.util.buf_versions[buffer] end

--- A path as people like to read it.
---@param uri string
---@return string
function M.display(uri)
  local readable, path = pcall(vim.uri_to_fname, uri)
  return readable and vim.fn.fnamemodify(path, ":~:.") or uri
end

--- A range of whole lines, `first` and `last` counted from 1, as LSP has it.
---@param buffer integer
---@param first integer
---@param last integer
---@param encoding "utf-8"|"utf-16"|"utf-32"
---@return lsp.Range
function M.line_range(buffer, first, last, encoding)
  local ending = { line = last, character = 0 }
  if last >= vim.api.nvim_buf_line_count(buffer) then
    local line = vim.api.nvim_buf_get_lines(buffer, last - 1, last, false)[1] or ""
    ending = { line = last - 1, character = vim.str_utfindex(line, encoding) }
  end
  return { start = { line = first - 1, character = 0 }, ["end"] = ending }
end

--- Reads a buffer again whose file was changed on disk by other means than edits, such as a shell command or another
--- editor. One with unsaved changes is left alone, because Neovim would ask about it.
---@param buffer integer
function M.reload(buffer)
  local is_inserting = vim.api.nvim_get_mode().mode:match("^[iR]") and buffer == vim.api.nvim_get_current_buf()
  if vim.o.autoread and vim.api.nvim_buf_is_loaded(buffer) and not vim.bo[buffer].modified and not is_inserting then
    vim.cmd("silent! checktime " .. buffer)
  end
end

--- Attaches every eligible buffer now, and those that come later when they are entered.
---@param client vim.lsp.Client
function M.attach_all(client)
  local function attach(buffer)
    if client:is_stopped() or client.attached_buffers[buffer] or not M.is_eligible(buffer) then return end
    require("kit.client").add_folder(client, M.root(buffer))
    vim.lsp.buf_attach_client(buffer, client.id)
  end
  vim.iter(vim.api.nvim_list_bufs()):each(attach)
  vim.api.nvim_create_autocmd({ "BufEnter", "BufFilePost", "BufWritePost" }, {
    group = vim.api.nvim_create_augroup("kit.documents", {}),
    desc = "Let the agent know files without a filetype, too",
    callback = function(event) attach(event.buf) end,
  })
end

--- The file of the current buffer, whose folder a new session works in, or nil.
---@return string?
function M.edited_file()
  local name = vim.api.nvim_buf_get_name(0)
  return vim.bo.buftype == "" and name ~= "" and not name:find("^%a+://") and vim.fs.normalize(name) or nil
end

return M
