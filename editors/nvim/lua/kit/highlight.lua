-- Highlight groups: links that a color scheme or the user may override (:help kit-highlights), and groups for the colors
-- that extensions name.
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
  KitInfo = "DiagnosticInfo",
  KitBorder = "FloatBorder",
  KitBranch = "NonText",
  KitLabel = "Tag",
}
for group, target in pairs(links) do
  vim.api.nvim_set_hl(0, group, { link = target, default = true })
end

local M = {}

--- The namespace of everything that the plugin draws in one place.
---@param subject string
---@return integer
function M.namespace(subject) return vim.api.nvim_create_namespace("kit." .. subject) end

--- Highlights a buffer as Markdown, by the older syntax file where there is no parser, or no longer.
---@param buffer integer
---@param is_markdown boolean
function M.markdown(buffer, is_markdown)
  local has_parser = is_markdown and pcall(vim.treesitter.start, buffer, "markdown")
  if not has_parser then vim.treesitter.stop(buffer) end
  vim.bo[buffer].syntax = is_markdown and not has_parser and "markdown" or ""
end

local named = {
  red = "DiagnosticError",
  yellow = "DiagnosticWarn",
  orange = "DiagnosticWarn",
  green = "DiagnosticOk",
  blue = "DiagnosticInfo",
  cyan = "DiagnosticInfo",
  magenta = "Special",
  purple = "Special",
  gray = "Comment",
  grey = "Comment",
}

---@param color string
---@param part "fg"|"bg"
---@return string?
local function of_color(color, part)
  local digits = color:match("^#(%x%x%x%x%x%x)$")
  local short = color:match("^#(%x%x%x)$")
  if short then digits = short:gsub("%x", "%0%0") end
  if not digits then return end
  local group = ("KitColor%s%s"):format(part == "fg" and "" or "On", digits:lower())
  vim.api.nvim_set_hl(0, group, { [part] = "#" .. digits, default = true })
  return group
end

--- The group for text in a color that an extension names: `#rrggbb` as it is, a name in the color scheme's own shade.
---@param color string
---@return string
function M.foreground(color) return of_color(color, "fg") or named[color:lower()] or "KitBorder" end

--- The group for text on a color that an extension names, as far as it is one.
---@param color string
---@return string?
function M.background(color) return of_color(color, "bg") end

return M
