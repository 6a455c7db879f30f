-- What extensions show (kit/ui), and the session window's bar.
--
-- Prints and blocks become lines of the transcript, a prompt the text that is being written; headers, widgets and footers
-- stand in panels around the transcript and status entries in the status line, until they are replaced or removed.
local client = require("kit.client")
local format = require("kit.format")
local highlight = require("kit.highlight")
local panel = require("kit.panel")

local M = {}

local api = vim.api

local entries = {} ---@type table<string, table> The last update of each thing that stays.
local stays = { header = true, widget = true, footer = true, status = true }
local shortest_label = 16
local group_of_kind = { error = "KitFailed", info = "KitInfo" }

---@param is_meant fun(entry: table): boolean
---@return table[] sorted Lower priorities first.
local function shown(is_meant)
  local found = vim.tbl_filter(is_meant, vim.tbl_values(entries))
  table.sort(found, function(left, right)
    local before, after = left.priority or 0, right.priority or 0
    if before ~= after then return before < after end
    return left.extension .. left.id < right.extension .. right.id
  end)
  return found
end

---@param entry table
---@return kit.PanelEntry
local function to_panel(entry)
  local style = entry.style or {}
  local border = style.border ~= "none" and style.borderColor
  return {
    text = entry.text,
    is_markdown = entry.markdown == true,
    border = border and highlight.foreground(border) or nil,
    background = style.background and highlight.background(style.background) or nil,
  }
end

local function draw_panels()
  local function of(slot, placement)
    return vim.tbl_map(
      to_panel,
      shown(function(entry)
        local is_below = (entry.style or {}).placement == "below"
        return entry.slot == slot and (slot ~= "widget" or is_below == (placement == "below"))
      end)
    )
  end
  panel.set("above", of("header"))
  panel.set("below", vim.iter({ of("widget", "above"), of("footer"), of("widget", "below") }):flatten():totable())
end

---@param update table
local function print_text(update)
  local style = update.style or {}
  local session = require("kit.session")
  local group = group_of_kind[style.kind]
  if not session.current then
    return client.notify(update.text, style.kind == "error" and vim.log.levels.ERROR or vim.log.levels.INFO)
  end
  if update.slot == "print" then return session.notice(update.text, group or "Normal") end
  local head = style.subtitle or update.extension
  local border = style.borderColor and highlight.foreground(style.borderColor) or group or "KitBorder"
  session.block(head, format.lines(update.text), border, style.background and highlight.background(style.background))
end

--- Handles kit/ui.
---@param update kit.UiUpdate
function M.on_ui(update)
  local text = vim.trim(update.text or "")
  if stays[update.slot] then
    local key = ("%s\0%s\0%s"):format(update.slot, update.extension, update.id)
    entries[key] = update.op ~= "remove" and text ~= "" and update or nil
    if update.slot == "status" then
      vim.cmd.redrawstatus({ bang = true })
    else
      draw_panels()
    end
  elseif update.slot == "prompt" then
    require("kit.prompt").fill(update.text or "")
  elseif update.op ~= "remove" and text ~= "" then
    print_text(update)
  end
end

--- Forgets everything: the server is gone.
function M.clear()
  entries = {}
  draw_panels()
end

--- What extensions show in the status line.
---@return string
function M.status_text()
  local texts = vim.tbl_map(
    function(entry) return (vim.trim(entry.text):gsub("%s*\n%s*", " ")) end,
    shown(function(entry) return entry.slot == "status" end)
  )
  return table.concat(texts, " · ")
end

--- The session window's bar: the model and mode, what waits, and the usage; what runs gets the room that is left.
---@return string
function M.winbar()
  local status = require("kit.status")
  local current = status.get()
  local queued = require("kit.session").queued()
  local left = current and ("Kit %s · %s"):format(current.model or "no model", current.mode) or "Kit"
  if queued > 0 then left = ("%s · %d queued"):format(left, queued) end
  local label = status.text({ format = "{label}", raw = true })
  local usage = status.text({ format = "{ctx} {cost}", raw = true })
  local room = api.nvim_win_get_width(0) - api.nvim_strwidth(left) - api.nvim_strwidth(usage) - #"  " - #" "
  local fits = api.nvim_strwidth(label) <= room
  label = (fits or room >= shortest_label) and format.shorten(label, room) or ""
  local function literal(text) return (text:gsub("%%", "%%%%")) end
  return ("%%<%s  %%=%s"):format(literal(left), literal(vim.trim(label .. " " .. usage)))
end

return M
