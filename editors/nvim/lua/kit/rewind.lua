-- Goes back to before a turn: files, conversation or both, after a look at what that does to the files.
local client = require("kit.client")
local documents = require("kit.documents")
local format = require("kit.format")

local M = {}

local shown_files = 12

---@param answer table
---@return string[]
local function lines_of(answer)
  local lines = {}
  local function list(uris, describe)
    for index, each in ipairs(uris) do
      if index > shown_files then
        lines[#lines + 1] = ("- … %s more"):format(format.count(#uris - shown_files, "file"))
        return
      end
      lines[#lines + 1] = describe(each)
    end
  end
  list(answer.restore, function(uri) return "- restores " .. documents.display(uri) end)
  list(answer.skip, function(skip) return ("- leaves %s: %s"):format(documents.display(skip.uri), skip.why) end)
  return lines
end

local modes = { "both", "files", "conversation" }
local labels = { both = "Files and conversation", files = "Files alone", conversation = "Conversation alone" }

---@param session string
---@param turn string
---@param mode "both"|"files"|"conversation"
---@param after? fun()
local function rewind(session, turn, mode, after)
  client.execute("kit.review.rewind", { session = session, turn = turn, mode = mode }, function(answer)
    local files = mode == "conversation" and "" or (" %s restored."):format(format.count(#answer.restore, "file"))
    client.notify("Gone back to before the turn." .. files)
    if mode ~= "files" then require("kit.session").reread(session) end
    if after then after() end
  end)
end

--- Shows what a rewind would do and does it when the user chooses how.
---@param session string
---@param turn string
---@param after? fun()
function M.ask(session, turn, after)
  local argument = { session = session, turn = turn, mode = "files", preview = true }
  client.execute("kit.review.rewind", argument, function(preview)
    local lines = lines_of(preview)
    local count = #preview.restore
    local head = "Go back to before this turn? "
      .. (count == 0 and "No file changes." or format.count(count, "file") .. ":")
    local offered = count > 0 and modes or { "conversation" }
    require("kit.question").ask({
      kind = "select",
      message = table.concat(vim.list_extend({ head, "" }, lines), "\n"),
      options = vim.tbl_map(function(mode) return labels[mode] end, offered),
    }, function(answer)
      if not answer.cancelled then rewind(session, turn, offered[answer.index + 1], after) end
    end)
  end)
end

---@param id string
local function pick(id)
  client.execute("kit.session.tree", { session = id }, function(answer)
    local turns, seen = {}, {}
    for _, node in ipairs(answer.nodes) do
      if node.current and node.role == "user" and node.turn and not seen[node.turn] then
        seen[node.turn] = true
        table.insert(turns, 1, node)
      end
    end
    if #turns == 0 then return client.notify("No turn of this session can be taken back.") end
    vim.ui.select(turns, {
      prompt = "Go back to before",
      format_item = function(node) return format.head(node.text, 70) end,
      kind = "kit.turn",
    }, function(choice)
      if choice then M.ask(id, choice.turn) end
    end)
  end)
end

--- `:Kit rewind`: picks the turn, the newest first.
function M.pick() require("kit.session").with_existing(pick) end

return M
