-- The keys that the user has mapped to the plugin's actions, as hints on the screen show them.
local M = {}

--- The key mapped to `<Plug>(kit-NAME)` in normal mode, or nil.
---@param name string
---@return string?
function M.of(name)
  local target = ("<Plug>(kit-%s)"):format(name)
  for _, map in ipairs(vim.api.nvim_get_keymap("n")) do
    if map.rhs == target then return vim.fn.keytrans(vim.api.nvim_replace_termcodes(map.lhs, true, true, true)) end
  end
end

return M
