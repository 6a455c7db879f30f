-- Tokens and money of the turn, the session, the day and each model call, in a float at the cursor.
local client = require("kit.client")
local format = require("kit.format")

local M = {}

local shown_calls = 20

--- Asks the server and shows its answer.
function M.show()
  client.execute("kit.usage.get", { session = require("kit.session").current }, function(answer)
    local lines = {}
    for _, row in ipairs({ { "Turn", answer.turn }, { "Session", answer.session }, { "Today", answer.today } }) do
      if row[2] then lines[#lines + 1] = ("%-8s %s"):format(row[1], format.usage(row[2])) end
    end
    local context = answer.context
    if context and context.window > 0 then
      local share = math.floor(100 * context.used / context.window + 0.5)
      local used, window = format.tokens(context.used), format.tokens(context.window)
      lines[#lines + 1] = ("%-8s %s of %s (%d%%)"):format("Context", used, window, share)
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
    vim.lsp.util.open_floating_preview(lines, "", { border = "rounded", title = " Usage ", focus_id = "kit.usage" })
  end)
end

return M
