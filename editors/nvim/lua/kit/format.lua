-- Numbers as people read them: tokens, money, durations. Unknown money is never shown as zero.
local M = {}

---@param tokens integer
---@return string
function M.tokens(tokens)
  if tokens >= 1000000 then
    return ("%.1fM"):format(tokens / 1000000)
  elseif tokens >= 1000 then
    return ("%.1fk"):format(tokens / 1000)
  end
  return tostring(tokens)
end

---@param micros integer
---@return string
function M.money(micros)
  return micros > 0 and micros < 10000 and ("$%.4f"):format(micros / 1000000) or ("$%.2f"):format(micros / 1000000)
end

---@param usage table UsageTotals
---@return integer
function M.input_tokens(usage)
  return (usage.inputTokens or 0) + (usage.cacheReadTokens or 0) + (usage.cacheWriteTokens or 0)
end

--- The cost where there is a price, else the tokens; nothing before the first call.
---@param usage? table UsageTotals
---@return string
function M.cost(usage)
  if not usage then return "" end
  local tokens = M.input_tokens(usage) + (usage.outputTokens or 0)
  if usage.costMicros and usage.costKind == "priced" then return M.money(usage.costMicros) end
  return tokens > 0 and M.tokens(tokens) .. " tok" or ""
end

--- How much of the input came from the provider's cache, in percent, or nil when there was none.
---@param usage table UsageTotals
---@return integer?
function M.cached(usage)
  local input = M.input_tokens(usage)
  if input == 0 or (usage.cacheReadTokens or 0) == 0 then return end
  return math.floor(100 * usage.cacheReadTokens / input + 0.5)
end

local spans = { turn = " turn", day = " today" }

--- "$0.43/$5.00 today": what is used of a budget and what it covers, unless that is the session.
---@param budget table StatusBudget
---@return string
function M.budget(budget)
  local span = spans[budget.scope] or ""
  if budget.limitMicros then
    return ("%s/%s%s"):format(M.money(budget.usedMicros or 0), M.money(budget.limitMicros), span)
  end
  return ("%s/%s tok%s"):format(M.tokens(budget.usedTokens or 0), M.tokens(budget.limitTokens or 0), span)
end

---@param milliseconds integer
---@return string
function M.duration(milliseconds)
  local seconds = milliseconds / 1000
  if milliseconds < 1000 then
    return ("%d ms"):format(milliseconds)
  elseif seconds < 60 then
    return (("%.1fs"):format(seconds):gsub("%.0s", "s"))
  end
  local whole = math.floor(seconds + 0.5)
  return ("%dm%02ds"):format(math.floor(whole / 60), whole % 60)
end

---@param count integer
---@param noun string
---@return string
function M.count(count, noun) return ("%d %s%s"):format(count, noun, count == 1 and "" or "s") end

--- "18.2k in (91% cached) / 2.1k out · $0.06"
---@param usage table UsageTotals
---@return string
function M.usage(usage)
  local input = M.input_tokens(usage)
  local text = M.tokens(input) .. " in"
  local cached = M.cached(usage)
  if cached then text = ("%s (%d%% cached)"):format(text, cached) end
  text = ("%s / %s out"):format(text, M.tokens(usage.outputTokens or 0))
  if usage.costMicros and usage.costKind == "priced" then text = text .. " · " .. M.money(usage.costMicros) end
  return text
end

---@param text string
---@return string[]
function M.lines(text)
  if text == "" then return {} end
  local lines = vim.split(text, "\n", { plain = true })
  if lines[#lines] == "" then table.remove(lines) end
  return lines
end

--- What diff blocks change, as lines that begin with - or +; lines that stay are left out.
---@param blocks { oldText: string, newText: string }[]
---@return string[]
function M.diff(blocks)
  local shown = {}
  for _, block in ipairs(blocks) do
    local old, new = M.lines(block.oldText), M.lines(block.newText)
    local shorter, head, tail = math.min(#old, #new), 0, 0
    while head < shorter and old[head + 1] == new[head + 1] do
      head = head + 1
    end
    while tail < shorter - head and old[#old - tail] == new[#new - tail] do
      tail = tail + 1
    end
    for _, line in ipairs(vim.list_slice(old, head + 1, #old - tail)) do
      shown[#shown + 1] = "-" .. line
    end
    for _, line in ipairs(vim.list_slice(new, head + 1, #new - tail)) do
      shown[#shown + 1] = "+" .. line
    end
  end
  return shown
end

--- The beginning of a text as one line of at most `width` characters.
---@param text string
---@param width integer
---@return string
function M.head(text, width)
  local line = vim.trim((text:gsub("%s+", " ")))
  return vim.fn.strchars(line) <= width and line or vim.fn.strcharpart(line, 0, width - 1) .. "…"
end

--- A message of the server as a sentence.
---@param message string
---@return string
function M.sentence(message)
  local text = vim.trim(message)
  return text:sub(1, 1):upper() .. text:sub(2) .. (text:find("[%w`'\"]$") and "." or "")
end

--- At most `width` characters, with an ellipsis in the middle.
---@param text string
---@param width integer
---@return string
function M.shorten(text, width)
  local length = vim.fn.strchars(text)
  if length <= width then return text end
  local head = math.ceil((width - 1) / 2)
  return vim.fn.strcharpart(text, 0, head) .. "…" .. vim.fn.strcharpart(text, length - (width - 1 - head))
end

return M
