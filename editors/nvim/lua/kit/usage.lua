-- Tokens and money of the turn, the session, the day and each model call, and the budget.
local client = require("kit.client")
local format = require("kit.format")
local listing = require("kit.listing")

local M = {}

local shown_calls = 20

---@param answer table
---@return string[]
local function lines_of(answer)
  local lines = {}
  local function add(label, text) lines[#lines + 1] = ("%-8s %s"):format(label, text) end
  for _, row in ipairs({ { "Turn", answer.turn }, { "Session", answer.session }, { "Today", answer.today } }) do
    if row[2] then add(row[1], format.usage(row[2])) end
  end
  local status = require("kit.status").get()
  local budget = status and status.usage.budget
  if budget then
    add(
      "Budget",
      ("%s used of the budget of the %s"):format(
        format.budget({
          limitMicros = budget.limitMicros,
          usedMicros = budget.usedMicros,
          limitTokens = budget.limitTokens,
          usedTokens = budget.usedTokens,
        }),
        budget.scope
      )
    )
  end
  local context = answer.context
  if context and context.window > 0 then
    local share = math.floor(100 * context.used / context.window + 0.5)
    local used, window = format.tokens(context.used), format.tokens(context.window)
    local mark = context.estimated and "~" or ""
    add(
      "Context",
      ("%s%s of %s (%s%d%%%s)"):format(mark, used, window, mark, share, mark ~= "" and ", estimated" or "")
    )
  end
  local calls = answer.calls or {}
  if #calls > 0 then lines[#lines + 1] = "" end
  if #calls > shown_calls then
    lines[#lines + 1] = ("… %s before"):format(format.count(#calls - shown_calls, "call"))
  end
  for index = math.max(#calls - shown_calls + 1, 1), #calls do
    local call = calls[index]
    lines[#lines + 1] = ("%3d  %s/%s  %s"):format(call.call, call.provider, call.model, format.usage(call))
  end
  return lines
end

--- Asks the server and shows its answer.
function M.show()
  client.execute(
    "kit.usage.get",
    { session = require("kit.session").current },
    function(answer) listing.show("Usage", lines_of(answer)) end
  )
end

return M
