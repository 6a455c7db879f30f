-- The buffer that a transcript is written into: it is changed by us alone, windows that show its end follow it, and
-- parts of it fold.
--
-- The folds are made by hand, per window, because Neovim does not compute folds while the user is in insert mode, such
-- as in the prompt.
local highlight = require("kit.highlight")

local api = vim.api
local colors = highlight.namespace("transcript.colors")

---@class kit.Canvas
---@field buffer integer
local Canvas = {}
Canvas.__index = Canvas

local M = {}

--- A canvas with a new, hidden buffer.
---@return kit.Canvas
function M.new()
  local buffer = api.nvim_create_buf(false, true)
  vim.bo[buffer].bufhidden = "hide"
  vim.bo[buffer].undolevels = -1
  vim.bo[buffer].modifiable = false
  vim.treesitter.language.register("markdown", "kit")
  vim.bo[buffer].filetype = "kit"
  highlight.markdown(buffer, true)
  return setmetatable({ buffer = buffer }, Canvas)
end

---@return boolean
function Canvas:is_valid() return api.nvim_buf_is_valid(self.buffer) end

--- Changes the buffer; windows whose cursor stands on the last line follow its end.
---@param body fun()
function Canvas:change(body)
  if not self:is_valid() then return end
  local last = api.nvim_buf_line_count(self.buffer)
  local following = vim.tbl_filter(
    function(window) return api.nvim_win_get_cursor(window)[1] >= last end,
    vim.fn.win_findbuf(self.buffer)
  )
  vim.bo[self.buffer].modifiable = true
  local done, problem = xpcall(body, debug.traceback)
  vim.bo[self.buffer].modifiable, vim.bo[self.buffer].modified = false, false
  if not done then error(problem, 0) end
  last = api.nvim_buf_line_count(self.buffer)
  for _, window in ipairs(following) do
    api.nvim_win_set_cursor(window, { last, 0 })
  end
end

---@param row integer
---@param from integer
---@param to integer
---@param group string
function Canvas:color(row, from, to, group)
  api.nvim_buf_set_extmark(self.buffer, colors, row, from, { end_col = to, hl_group = group, priority = 150 })
end

---@param row integer
function Canvas:clear_colors(row) api.nvim_buf_clear_namespace(self.buffer, colors, row, row + 1) end

--- Closes the lines from `first` to `last` in a window, or in all that show the buffer.
---@param first integer
---@param last integer
---@param window? integer
function Canvas:fold(first, last, window)
  if last <= first then return end
  for _, each in ipairs(window and { window } or vim.fn.win_findbuf(self.buffer)) do
    api.nvim_win_call(each, function()
      -- Inside of a closed fold the command would fold all of that again.
      if vim.fn.foldclosed(first + 1) == -1 then vim.cmd(("silent! %d,%dfold"):format(first + 1, last + 1)) end
    end)
  end
end

--- Empties the buffer but for its first line.
---@param line string
function Canvas:clear(line)
  self:change(function()
    api.nvim_buf_clear_namespace(self.buffer, highlight.namespace("transcript.items"), 0, -1)
    api.nvim_buf_clear_namespace(self.buffer, colors, 0, -1)
    api.nvim_buf_set_lines(self.buffer, 0, -1, false, { line })
  end)
end

return M
