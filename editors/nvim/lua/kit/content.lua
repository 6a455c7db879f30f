-- Virtual documents of the server: the reviewed baseline of a file, a proposal, a session's transcript.
-- Neovim has no workspace/textDocumentContent of its own; BufReadCmd sends the same request.
local client = require("kit.client")
local documents = require("kit.documents")
local highlight = require("kit.highlight")

local M = {}

---@param buffer integer
---@param text string
local function fill(buffer, text)
  vim.bo[buffer].modifiable = true
  if text:find("\r\n", 1, true) and not text:find("[^\r]\n") then
    text = text:gsub("\r\n", "\n")
    vim.bo[buffer].fileformat = "dos"
  end
  local lines = vim.split(text, "\n", { plain = true })
  if #lines > 1 and lines[#lines] == "" then table.remove(lines) end
  vim.api.nvim_buf_set_lines(buffer, 0, -1, false, lines)
  vim.bo[buffer].modifiable, vim.bo[buffer].modified = false, false
end

--- Reads the document `uri` into the buffer.
---@param buffer integer
---@param uri string
function M.read(buffer, uri)
  vim.bo[buffer].buftype, vim.bo[buffer].bufhidden, vim.bo[buffer].swapfile = "nofile", "wipe", false
  vim.bo[buffer].modifiable = false
  client.ensure(function(server)
    server:request("workspace/textDocumentContent", { uri = uri }, function(problem, answer)
      if not vim.api.nvim_buf_is_valid(buffer) then
        return
      elseif problem then
        return client.report(problem)
      end
      fill(buffer, answer.text)
      if vim.startswith(uri, "kit-session:") then
        vim.bo[buffer].filetype = "kit"
        highlight.markdown(buffer, true)
      else
        local path = uri:gsub("^kit%-%a+:/*", "/")
        vim.bo[buffer].filetype = vim.filetype.match({ filename = path, buf = buffer }) or ""
      end
      if vim.wo.diff then vim.cmd("silent! diffupdate") end
    end, buffer)
  end)
end

--- The address of a file's reviewed baseline.
---@param uri string
---@return string
function M.base_uri(uri) return (uri:gsub("^file:", "kit-base:")) end

--- Opens the file beside its reviewed baseline in a tab of its own, as a native diff.
---@param uri string
function M.diff(uri)
  local buffer = documents.find(uri) or vim.fn.bufadd(vim.uri_to_fname(uri))
  vim.cmd("tab sbuffer " .. buffer)
  local file_window = vim.api.nvim_get_current_win()
  vim.cmd.diffthis()
  vim.cmd("keepalt leftabove vsplit " .. vim.fn.fnameescape(M.base_uri(uri)))
  local base = vim.api.nvim_get_current_buf()
  vim.cmd.diffthis()
  vim.keymap.set("n", "q", "<Cmd>close<CR>", { buffer = base, nowait = true, desc = "Close the comparison" })
  vim.api.nvim_create_autocmd("BufWinLeave", {
    buffer = base,
    once = true,
    callback = function()
      vim.schedule(function()
        if vim.api.nvim_win_is_valid(file_window) then vim.api.nvim_win_call(file_window, vim.cmd.diffoff) end
      end)
    end,
  })
  vim.api.nvim_set_current_win(file_window)
end

return M
