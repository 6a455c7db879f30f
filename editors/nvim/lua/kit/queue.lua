-- Prompts that wait for the running turn: look at them, take one back or all.
local client = require("kit.client")
local format = require("kit.format")

local M = {}

---@param item table
---@return string
local function describe(item)
  local when = item.delivery == "steer" and "joins the turn" or "after the turn"
  return ("%s · %s"):format(format.head(item.text, 70), when)
end

--- Takes all waiting prompts back.
function M.clear()
  require("kit.session").with_existing(function(session)
    client.execute("kit.queue.clear", { session = session }, function() client.notify("No prompt waits any more.") end)
  end)
end

---@param session string
---@param waiting table[]
local function choose(session, waiting)
  if #waiting == 0 then return client.notify("No prompt waits.") end
  local all = {}
  local items = vim.list_extend(vim.list_slice(waiting), #waiting > 1 and { all } or {})
  vim.ui.select(items, {
    prompt = "Take back",
    format_item = function(item) return item == all and "All of them" or describe(item) end,
    kind = "kit.queue",
  }, function(item)
    if item == all then return M.clear() end
    if not item then return end
    client.execute("kit.queue.remove", { session = session, id = item.id }, function()
      require("kit.prompt").fill(item.text)
      require("kit.session").prompt()
    end)
  end)
end

--- Lists the waiting prompts; the chosen one is taken out and put into the prompt's window, where it can be changed.
function M.pick()
  require("kit.session").with_existing(function(session)
    client.execute("kit.queue.list", { session = session }, function(answer) choose(session, answer.items) end)
  end)
end

return M
