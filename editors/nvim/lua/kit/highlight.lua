-- Highlight groups: links that a color scheme or the user may override (:help kit-highlights).
local links = {
  KitAdd = "DiffAdd",
  KitDelete = "DiffDelete",
  KitChange = "DiffText",
  KitSignAdd = "Added",
  KitSignChange = "Changed",
  KitSignDelete = "Removed",
  KitHint = "Comment",
  KitUser = "Title",
  KitMeta = "Comment",
  KitReasoning = "Comment",
  KitRunning = "DiagnosticInfo",
  KitDone = "DiagnosticOk",
  KitPending = "DiagnosticHint",
  KitFailed = "DiagnosticError",
  KitWaiting = "DiagnosticWarn",
}
for group, target in pairs(links) do
  vim.api.nvim_set_hl(0, group, { link = target, default = true })
end

local M = {}

--- The namespace of everything that the plugin draws in one place.
---@param subject string
---@return integer
function M.namespace(subject) return vim.api.nvim_create_namespace("kit." .. subject) end

return M
