-- The lines of a session's tree: a straight conversation stays at one column, and every place where it was left or
-- continued more than once begins columns of its own.
local M = {}

---@class kit.TreeLine
---@field node table kit.SessionNode
---@field branch string The lines that lead to it.
---@field mark string
---@field text string
---@field label? string
---@field is_leaf boolean

local names = { user = "You", assistant = "Kit", tool = "tool", system = "system" }
local marks = { compaction = "◇", branch_summary = "◇", model_change = "·", session_info = "·" }

--- Whether an entry is shown without being asked for: what was said, what sums up, what has a label.
---@param node table
---@return boolean
local function is_told(node)
  if node.label then return true end
  if node.type == "compaction" or node.type == "branch_summary" then return true end
  return node.type == "message" and (node.role == "user" or node.role == "assistant") and vim.trim(node.text) ~= ""
end

---@param node table
---@return string
local function text_of(node)
  local text = vim.trim((node.text:gsub("%s+", " ")))
  local who = names[node.role] or node.type:gsub("_", " ")
  return ("%s: %s"):format(who, text ~= "" and text or "…")
end

--- The lines, from the root to the leaves.
---@param nodes table[] Parents before children.
---@param shows_all boolean
---@return kit.TreeLine[]
function M.of(nodes, shows_all)
  local nearest, children, roots, leaf = {}, {}, {}, nil
  for _, node in ipairs(nodes) do
    local parent = node.parent and nearest[node.parent]
    if shows_all or is_told(node) then
      local list = parent and children[parent.id] or roots
      list[#list + 1] = node
      children[node.id], nearest[node.id] = {}, node
      if node.current then leaf = node end
    else
      nearest[node.id] = parent
    end
  end
  local lines = {}
  -- A loop and no recursion along a conversation, which may be long; recursion where it branches.
  local function walk(node, lead, first)
    local branch = first
    while node do
      lines[#lines + 1] = {
        node = node,
        branch = branch,
        mark = marks[node.type] or (node.current and "●" or "○"),
        text = text_of(node),
        label = node.label,
        is_leaf = node == leaf,
      }
      branch = lead
      local following = children[node.id]
      local only = #following == 1 and following[1] or nil
      -- What was left stands aside, also when nothing has come after the place yet.
      if #following == 0 or only and only.current == node.current then
        node = only
      else
        for index, child in ipairs(following) do
          local is_last = index == #following
          walk(child, lead .. (is_last and "   " or "│  "), lead .. (is_last and "└─ " or "├─ "))
        end
        return
      end
    end
  end
  for _, root in ipairs(roots) do
    walk(root, "", "")
  end
  return lines
end

return M
