-- The nearest of some known words to a misspelled one, by the number of letters to change.
local M = {}

local function distance(left, right)
  local previous = {}
  for column = 0, #right do
    previous[column] = column
  end
  for row = 1, #left do
    local current = { [0] = row }
    for column = 1, #right do
      local cost = left:byte(row) == right:byte(column) and 0 or 1
      current[column] = math.min(previous[column] + 1, current[column - 1] + 1, previous[column - 1] + cost)
    end
    previous = current
  end
  return previous[#right]
end

--- The known word that `word` most likely means, or nil when none is close or begins with it.
---@param word string
---@param known string[]
---@return string?
function M.match(word, known)
  local best, best_distance
  for _, candidate in ipairs(known) do
    local far = vim.startswith(candidate, word) and 0 or distance(word, candidate)
    if not best_distance or far < best_distance then
      best, best_distance = candidate, far
    end
  end
  return best_distance and best_distance <= math.max(1, math.floor(#word / 2)) and best or nil
end

--- " Did you mean …?" for the end of a sentence, or nothing.
---@param word string
---@param known string[]
---@return string
function M.hint(word, known)
  local match = M.match(word, known)
  return match and (' Did you mean "%s"?'):format(match) or ""
end

return M
