-- What each kind of question shows and which answers it takes. A choice has a key, words, and the answer that it stands
-- for; a question without choices is answered by a picker or an input of its own.
local format = require("kit.format")

local M = {}

local glance_lines = 8
-- More options than keys of one letter are a picker's.
local most_keys = 9

---@class kit.Choice
---@field key string
---@field label string
---@field aliases string[] Further words for `:Kit permit`.
---@field answer fun(reason?: string): table?, string? The answer and what the transcript says; nil to keep asking.

---@class kit.QuestionKind
---@field lines fun(is_focused: boolean): string[]
---@field is_markdown boolean
---@field choices fun(): kit.Choice[]
---@field refusal fun(): table The answer when nobody answers.
---@field open? fun(done: fun(answer?: table)) Asks in another way than by keys.
---@field from_words? fun(words: string): table? The answer that words stand for.

---@param lines string[]
---@param is_focused boolean
---@return string[]
local function cut(lines, is_focused)
  local limit = is_focused and math.max(vim.o.lines - 12, glance_lines) or glance_lines
  if #lines <= limit then return lines end
  local shown = vim.list_slice(lines, 1, limit)
  shown[#shown + 1] = ("… %s more"):format(format.count(#lines - limit, "line"))
  return shown
end

---@param request table
---@return string[]
local function subject_lines(request)
  local subject, lines = request.subject or {}, {}
  if subject.command and request.title ~= "$ " .. subject.command then
    for index, line in ipairs(vim.split(subject.command, "\n", { plain = true })) do
      lines[index] = (index == 1 and "$ " or "  ") .. line
    end
  end
  if subject.cwd and subject.cwd ~= vim.fn.getcwd() then
    lines[#lines + 1] = "in " .. vim.fn.fnamemodify(subject.cwd, ":~")
  end
  if subject.uri then lines[#lines + 1] = require("kit.documents").display(subject.uri) end
  vim.list_extend(lines, format.diff(subject.diffBlocks or {}))
  if #lines == 0 and subject.args then lines = vim.split(vim.inspect(subject.args), "\n", { plain = true }) end
  return lines
end

---@param request table
---@return table option
local function rejection(request)
  for _, option in ipairs(request.options) do
    if option.kind == "rejectOnce" then return option end
  end
  return request.options[#request.options] or { id = "", kind = "rejectOnce", label = "Reject" }
end

local keys_of_kind = { allowOnce = "y", allowAlways = "a", rejectOnce = "n", rejectAlways = "N" }
local words_of_kind =
  { allowOnce = { "allow", "yes" }, allowAlways = { "always" }, rejectOnce = { "no", "reject" }, rejectAlways = {} }

--- The kind of a permission request.
---@param request table
---@return kit.QuestionKind
function M.permission(request)
  local function answer(option, reason)
    local is_allowed = vim.startswith(option.kind, "allow")
    reason = reason ~= "" and reason or nil
    local words = ("%s %s: %s"):format(is_allowed and "▸" or "✗", option.label, request.title)
    return { option = option.id, feedback = reason }, reason and ("%s (%s)"):format(words, reason) or words
  end
  local choices, used = {}, {}
  for index, option in ipairs(request.options) do
    local key = keys_of_kind[option.kind]
    if not key or used[key] then key = tostring(index) end
    used[key] = true
    local label = option.label
    if option.rule and not label:find(option.rule, 1, true) then label = ("%s %s"):format(label, option.rule) end
    if option.scope and not label:lower():find(option.scope, 1, true) then
      label = ("%s (%s)"):format(label, option.scope)
    end
    choices[index] = {
      key = key,
      label = label,
      aliases = vim.list_extend({ tostring(index), option.id, option.kind }, words_of_kind[option.kind] or {}),
      answer = function(reason) return answer(option, reason) end,
    }
  end
  choices[#choices + 1] = {
    key = "r",
    label = "Reject, and say why",
    aliases = {},
    answer = function(reason)
      if reason and reason ~= "" then return answer(rejection(request), reason) end
    end,
  }
  return {
    is_markdown = false,
    choices = function() return choices end,
    refusal = function() return { option = rejection(request).id } end,
    lines = function(is_focused)
      local lines = { request.title }
      local agent = request.agent
      if type(agent) == "table" and agent.id ~= "main" and #(agent.path or {}) > 0 then
        lines[#lines + 1] = "agent: " .. table.concat(agent.path, " ▸ ")
      end
      vim.list_extend(lines, cut(subject_lines(request), is_focused))
      if request.why then vim.list_extend(lines, vim.split("why: " .. request.why, "\n", { plain = true })) end
      return lines
    end,
  }
end

---@param request table
---@return kit.QuestionKind
local function plain(request)
  return {
    is_markdown = true,
    choices = function() return {} end,
    refusal = function() return { cancelled = true } end,
    lines = function(is_focused) return cut(vim.split(vim.trim(request.message), "\n", { plain = true }), is_focused) end,
  }
end

local function cancel_choice()
  return { key = "x", label = "Cancel", aliases = { "cancel" }, answer = function() return { cancelled = true } end }
end

---@type table<string, fun(request: table): kit.QuestionKind>
local kinds = {}

function kinds.select(request)
  local kind, options = plain(request), request.options or {}
  local function answer(index) return { value = options[index], index = index - 1, cancelled = false } end
  if #options > most_keys then
    function kind.open(done)
      vim.ui.select(
        options,
        { prompt = vim.trim(request.message) },
        function(_, index) done(index and answer(index)) end
      )
    end
    return kind
  end
  local choices = {}
  for index, option in ipairs(options) do
    choices[index] =
      { key = tostring(index), label = option, aliases = { option }, answer = function() return answer(index) end }
  end
  choices[#choices + 1] = cancel_choice()
  function kind.choices() return choices end
  return kind
end

function kinds.overlay(request)
  local kind = kinds.select(request)
  if #(request.options or {}) > 0 then return kind end
  local close = { key = "x", label = "Close", aliases = { "close" } }
  function close.answer() return { cancelled = false } end
  function kind.choices() return { close } end
  return kind
end

function kinds.confirm(request)
  local kind = plain(request)
  local function choice(key, label, alias, value)
    return {
      key = key,
      label = label .. (request.default == value and " (suggested)" or ""),
      aliases = alias,
      answer = function() return { value = value, index = value and 0 or 1, cancelled = false } end,
    }
  end
  local choices = { choice("y", "Yes", { "yes", "1" }, true), choice("n", "No", { "no", "2" }, false), cancel_choice() }
  function kind.choices() return choices end
  return kind
end

function kinds.multiSelect(request)
  local kind, options, chosen = plain(request), request.options or {}, {}
  for _, value in ipairs(type(request.default) == "table" and request.default or {}) do
    chosen[value] = true
  end
  local function answer()
    return { values = vim.tbl_filter(function(option) return chosen[option] end, options), cancelled = false }
  end
  if #options > most_keys then
    local function step(done)
      vim.ui.select(vim.list_extend({ "Done" }, options), {
        prompt = vim.trim(request.message),
        format_item = function(item) return item == "Done" and item or (chosen[item] and "☑ " or "☐ ") .. item end,
      }, function(item, index)
        if not index then return done(nil) end
        if index == 1 then return done(answer()) end
        chosen[item] = not chosen[item] or nil
        vim.schedule(function() step(done) end)
      end)
    end
    kind.open = step
    return kind
  end
  function kind.choices()
    local choices = {}
    for index, option in ipairs(options) do
      choices[index] = {
        key = tostring(index),
        label = (chosen[option] and "☑ " or "☐ ") .. option,
        aliases = { option },
        answer = function() chosen[option] = not chosen[option] or nil end,
      }
    end
    choices[#choices + 1] = { key = "<CR>", label = "Done", aliases = { "done" }, answer = answer }
    choices[#choices + 1] = cancel_choice()
    return choices
  end
  return kind
end

function kinds.input(request)
  local kind = plain(request)
  function kind.open(done)
    local prompt = request.message:gsub("%s*\n%s*", " "):gsub("%s*$", "") .. " "
    if request.placeholder then prompt = ("%s(%s) "):format(prompt, request.placeholder) end
    local function use(text) done(text and { value = text, cancelled = false }) end
    if request.masked then
      local secret = vim.fn.inputsecret(prompt)
      return use(secret ~= "" and secret or nil)
    end
    vim.ui.input({ prompt = prompt, default = type(request.default) == "string" and request.default or nil }, use)
  end
  -- What is typed behind :Kit permit stays in the command line's history.
  if not request.masked then
    function kind.from_words(words) return { value = words, cancelled = false } end
  end
  return kind
end

--- The kind of a kit/ask.
---@param request table
---@return kit.QuestionKind
function M.ask(request) return (kinds[request.kind] or kinds.input)(request) end

return M
