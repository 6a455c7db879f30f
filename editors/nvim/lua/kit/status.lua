-- The agent's state for status lines. A snapshot is kept as it arrives; reading it is pure and cheap, does no I/O and
-- needs no running server. Redraws are limited to ten a second.
local format = require("kit.format")

local M = {}

local current ---@type table?
local redraw_interval = 100
local is_redraw_planned = false
local progress = { id = nil, label = "" } ---@type { id?: integer|string, label: string }

local icons = { idle = "✦", running = "●", waiting = "?", error = "✗", signedOut = "✗" }
local default_format = "{icon} {label} {plan} {ctx} {cache} {cost} {hunks} {agents} {extra}"
local label_width = 28
local warning_share = 0.9

--- The last kit/status, or nil while no server runs. The shape is that of the protocol.
---@return table?
function M.get() return current end

---@param usage table
---@return number
local function budget_share(usage)
  local budget = usage.budget
  local limit = budget and (budget.limitMicros or budget.limitTokens) or 0
  return limit > 0 and (budget.usedMicros or budget.usedTokens or 0) / limit or 0
end

---@param usage table
---@return number
local function context_share(usage) return usage.contextWindow > 0 and usage.contextUsed / usage.contextWindow or 0 end

---@param status table
---@return string
local function label(status)
  if status.state == "waiting" then
    local waiting = {}
    if status.pending.permissions > 0 then
      waiting[#waiting + 1] = format.count(status.pending.permissions, "approval")
    end
    if status.pending.questions > 0 then waiting[#waiting + 1] = format.count(status.pending.questions, "question") end
    return vim.trim("waiting " .. table.concat(waiting, ", "))
  elseif status.state == "signedOut" then
    return "signed out, :Kit login"
  elseif status.state == "idle" then
    return ""
  end
  return format.shorten(status.label, label_width)
end

--- The subagents that run: up to two names and how often each, with a mark where one waits for the user.
---@param status table
---@return string
local function agents(status)
  if #status.agents == 0 then return "" end
  local names, counts, waiting = {}, {}, {}
  for _, agent in ipairs(status.agents) do
    if not counts[agent.name] then names[#names + 1] = agent.name end
    counts[agent.name] = (counts[agent.name] or 0) + 1
    if agent.state == "waiting" then waiting[agent.name] = true end
  end
  if #names > 2 then return "↳ " .. format.count(#status.agents, "agent") .. (next(waiting) and "?" or "") end
  local words = vim.tbl_map(function(name)
    local count = counts[name] > 1 and (" ×%d"):format(counts[name]) or ""
    return name .. (waiting[name] and "?" or "") .. count
  end, names)
  return "↳ " .. format.shorten(table.concat(words, ", "), label_width)
end

---@type table<string, fun(status: table): string>
local tokens = {
  icon = function(status) return icons[status.state] or icons.idle end,
  label = label,
  plan = function(status)
    local plan = status.plan
    -- A plan that is done is no news.
    if not plan or not plan.current then return "" end
    return ("%d/%d %s"):format(plan.completed, plan.total, format.shorten(plan.current, label_width))
  end,
  ctx = function(status)
    local usage = status.usage
    if usage.contextWindow == 0 or usage.contextUsed == 0 then return "" end
    local share = math.floor(100 * context_share(usage) + 0.5)
    return (usage.contextEstimated and "~" or "") .. (share == 0 and "<1%" or share .. "%")
  end,
  cache = function(status)
    local share = format.cached(status.usage.session)
    return share and ("cache %d%%"):format(share) or ""
  end,
  cost = function(status)
    return status.usage.budget and format.budget(status.usage.budget) or format.cost(status.usage.session)
  end,
  today = function(status) return format.cost(status.usage.today) end,
  hunks = function(status) return status.review.hunks > 0 and format.count(status.review.hunks, "hunk") or "" end,
  agents = agents,
  model = function(status) return status.model or "" end,
  mode = function(status) return status.mode end,
  extra = function()
    local ui = package.loaded["kit.ui"]
    return ui and ui.status_text() or ""
  end,
}

--- The state in words. `%` is doubled, as 'statusline' needs it, unless `raw` is set.
--- Tokens: {icon} {label} {plan} {ctx} {cache} {cost} {today} {hunks} {agents} {model} {mode} {extra}.
---@param options? string|{ format?: string, raw?: boolean }
---@return string
function M.text(options)
  if not current then return "" end
  options = type(options) == "table" and options or { format = options }
  local text = (options.format or default_format):gsub("{(%a+)}", function(name)
    local token = tokens[name]
    return token and token(current) or nil
  end)
  text = vim.trim((text:gsub("%s+", " ")))
  return options.raw and text or (text:gsub("%%", "%%%%"))
end

--- The highlight group for the state, or nil when there is nothing to point out.
---@return string?
function M.hl()
  if not current then
    return nil
  elseif current.state == "error" or current.state == "signedOut" then
    return "DiagnosticError"
  elseif current.state == "waiting" then
    return "DiagnosticWarn"
  elseif math.max(context_share(current.usage), budget_share(current.usage)) >= warning_share then
    return "DiagnosticWarn"
  end
end

--- Tells Neovim 0.12 what runs, as a native progress message; one message per run, updated when its label changes.
---@param status table
local function show_progress(status)
  local is_over = status.state ~= "running" and status.state ~= "waiting"
  local text = is_over and "" or format.shorten(label(status), math.max(vim.o.columns - 24, 10))
  if text == progress.label or vim.fn.has("nvim-0.12") == 0 or vim.api.nvim_get_mode().mode:sub(1, 1) == "c" then
    return
  end
  if not require("kit.config").get().progress then return end
  progress.label = text
  local message, state = text, "running"
  if is_over then
    message = status.state == "error" and "failed" or "done"
    state = status.state == "error" and "failed" or "success"
  end
  local options = { kind = "progress", source = "kit", title = "Kit", status = state, id = progress.id }
  local shown, id = pcall(vim.api.nvim_echo, { { message } }, false, options)
  progress.id = shown and state == "running" and id or nil
end

local function announce()
  vim.g.kit_status = M.text({ raw = true })
  vim.api.nvim_exec_autocmds("User", { pattern = "KitStatus", modeline = false, data = current })
  if not is_redraw_planned then
    is_redraw_planned = true
    vim.defer_fn(function()
      is_redraw_planned = false
      vim.cmd.redrawstatus({ bang = true })
    end, redraw_interval)
  end
end

--- Handles kit/status.
---@param status table
function M.on_status(status)
  current = status
  show_progress(status)
  announce()
end

--- Forgets the state: the server is gone.
function M.clear()
  if current then
    current = nil
    show_progress({ state = "error" })
    announce()
  end
end

return M
