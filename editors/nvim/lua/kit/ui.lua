-- What extensions show (kit/ui), and the session window's bar.
-- Prints and blocks become lines of the transcript; the other slots hold a text each until it is replaced or removed.
local format = require("kit.format")

local M = {}

---@class kit.UiEntry
---@field slot string
---@field text string
---@field priority integer

local entries = {} ---@type table<string, kit.UiEntry>

---@param slots table<string, boolean>
---@return string
local function joined(slots)
  local found = vim.tbl_filter(function(entry) return slots[entry.slot] end, vim.tbl_values(entries))
  table.sort(found, function(left, right)
    if left.priority ~= right.priority then return left.priority > right.priority end
    return left.text < right.text
  end)
  return table.concat(vim.tbl_map(function(entry) return (entry.text:gsub("%s*\n%s*", " · ")) end, found), " · ")
end

--- Handles kit/ui.
---@param update table
function M.on_ui(update)
  local key = ("%s\0%s\0%s"):format(update.slot, update.extension or "", update.id or "")
  local text = update.markdown or update.text or ""
  if update.slot == "print" or update.slot == "block" then
    if update.op ~= "remove" and text ~= "" then require("kit.session").notice(text, "Normal") end
    return
  end
  entries[key] = update.op ~= "remove"
      and text ~= ""
      and { slot = update.slot, text = text, priority = update.priority or 0 }
    or nil
  vim.cmd.redrawstatus({ bang = true })
end

--- What extensions show in the status line.
---@return string
function M.status_text() return joined({ status = true }) end

--- The session window's bar: the model and mode, the usage, what extensions show.
---@return string
function M.winbar()
  local status = require("kit.status")
  local current = status.get()
  local parts = {}
  if current then parts = { current.model or "no model", current.mode } end
  local extra = joined({ header = true, widget = true, footer = true })
  if extra ~= "" then parts[#parts + 1] = format.shorten(extra, 60) end
  local left = table.concat(parts, " · "):gsub("%%", "%%%%")
  return ("Kit  %s%%=%s"):format(left, status.text("{label} {ctx} {cost}"))
end

return M
