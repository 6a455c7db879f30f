-- What the agent asks: kit/permission and kit/ask.
--
-- Questions queue up and are shown one at a time in a float that never takes the cursor (kit.question_float). The user
-- answers when it suits: `:Kit permit` moves into the float, where one key answers, or opens the picker or input of a
-- question without keys; `:Kit permit y` answers at once. Questions are withdrawn when the server says so, and those of a
-- session or subagent when its turn ends. Every request gets exactly one answer.
local client = require("kit.client")
local float = require("kit.question_float")
local format = require("kit.format")
local kinds = require("kit.question_kinds")

local M = {}

local api = vim.api
local notice_width = 60

---@class kit.Question
---@field request table
---@field is_permission boolean
---@field kind kit.QuestionKind
---@field reply fun(answer: table)
---@field replace_notice fun(text: string, group?: string)
---@field is_open? boolean Whether its picker or input is open.

local queue = {} ---@type kit.Question[]

---@param text string
---@return string
local function one_line(text)
  local line = vim.trim(text):match("^[^\n]*"):gsub("%*%*", ""):gsub("^#+%s*", "")
  return format.head(line, notice_width)
end

local function show() float.show(queue[1], #queue) end

---@param question kit.Question
---@param answer? table None when nobody is left to answer.
---@param words string What the transcript says about it.
local function settle(question, answer, words)
  for index, waiting in ipairs(queue) do
    if waiting == question then
      table.remove(queue, index)
      if index == 1 then float.leave() end
      show()
      question.replace_notice(words, "KitMeta")
      if answer then question.reply(answer) end
      return
    end
  end
end

--- Puts the text of a question that the user needs elsewhere into the clipboard, or else the unnamed register.
---@param text string
local function copy(text)
  local register = vim.fn.has("clipboard") == 1 and "+" or '"'
  vim.fn.setreg(register, text)
  client.notify(("%s is copied."):format(text))
end

---@param question kit.Question
---@param answer? table
---@param words? string
local function finish(question, answer, words)
  local request = question.request
  local is_taken = answer ~= nil and not answer.cancelled
  if is_taken and request.copy and answer.index == 0 then copy(request.copy) end
  words = words or (is_taken and "▸ Answered: " or "✗ Cancelled: ") .. request.message
  settle(question, answer or question.kind.refusal(), one_line(words))
end

--- Queues a question of the server and waits in the request's coroutine for its answer.
---@param question kit.Question
---@param about string
---@return table answer
local function wait(question, about)
  local thread = coroutine.running()
  question.reply = function(answer)
    local resumed, problem = coroutine.resume(thread, answer)
    if not resumed then error(problem, 0) end
  end
  local notice = "⚠ Asks: " .. one_line(about)
  question.replace_notice = require("kit.session").notice(notice, "KitWaiting", question.request.session)
  queue[#queue + 1] = question
  show()
  return coroutine.yield()
end

--- Handles kit/permission.
---@param request table
---@return table answer
function M.on_permission(request)
  return wait({ request = request, is_permission = true, kind = kinds.permission(request) }, request.title)
end

--- Handles kit/ask.
---@param request table
---@return table answer
function M.on_ask(request)
  if require("kit.session").has_focus() and api.nvim_get_mode().mode == "n" then
    vim.schedule(function() M.answer("") end)
  end
  return wait({ request = request, is_permission = false, kind = kinds.ask(request) }, request.message)
end

--- Asks something that belongs to a command of the user, at once and before what waits.
---@param request table kit.AskRequest
---@param done fun(answer: table)
function M.ask(request, done)
  local question = { request = request, is_permission = false, kind = kinds.ask(request), reply = done }
  function question.replace_notice() end
  table.insert(queue, 1, question)
  show()
  M.answer("")
end

--- Closes the input of a question that is withdrawn. The picker of another plugin is left to the user, who is told.
---@param question kit.Question
local function close_input(question)
  if not question.is_open then return end
  question.is_open = false
  if api.nvim_get_mode().mode == "c" then api.nvim_input("<Esc>") end
  client.notify("The question is withdrawn.")
end

---@param is_meant fun(question: kit.Question): boolean
---@param is_waited_for boolean Whether the server still wants an answer.
local function withdraw(is_meant, is_waited_for)
  for _, question in ipairs(vim.list_slice(queue)) do
    if is_meant(question) then
      local about = one_line(question.request.title or question.request.message)
      close_input(question)
      settle(question, is_waited_for and question.kind.refusal() or nil, "✗ Withdrawn: " .. about)
    end
  end
end

--- Handles kit/withdraw: nobody waits for the answer any more.
---@param withdrawal { id: string }
function M.on_withdraw(withdrawal)
  withdraw(function(question) return question.request.id == withdrawal.id end, true)
end

--- Withdraws the permissions that a session, or one subagent of it, waits for.
---@param session string
---@param agent? string
function M.withdraw(session, agent)
  withdraw(function(question)
    local request = question.request
    return question.is_permission
      and request.session == session
      and (not agent or type(request.agent) == "table" and request.agent.id == agent)
  end, true)
end

--- Forgets all questions: the server is gone.
function M.withdraw_all()
  withdraw(function() return true end, false)
end

---@param question kit.Question
---@param choice kit.Choice
---@param reason? string
local function choose(question, choice, reason)
  local answer, words = choice.answer(reason)
  if answer then return finish(question, answer, words) end
  if not question.is_permission then return show() end
  vim.ui.input({ prompt = "Reject because: " }, function(text)
    if text and text ~= "" then choose(question, choice, text) end
  end)
end

--- Moves to the first question, or opens the picker or input that answers it.
---@param question kit.Question
local function enter(question)
  if not question.kind.open then
    return float.enter(question, #queue, function(choice) choose(question, choice) end)
  end
  local is_answered = false
  question.is_open = true
  question.kind.open(function(answer)
    if not is_answered then
      is_answered, question.is_open = true, false
      finish(question, answer)
    end
  end)
end

---@param question kit.Question
---@param word string
---@return kit.Choice?
local function choice_of(question, word)
  local choices = question.kind.choices()
  for _, choice in ipairs(choices) do
    if choice.key == word or vim.list_contains(choice.aliases, word) then return choice end
  end
  for _, choice in ipairs(question.is_permission and {} or choices) do
    if vim.startswith(choice.label:lower(), word:lower()) then return choice end
  end
end

--- Answers the first question: `words` is a key, a choice's words and an optional reason, or empty.
---@param words string
function M.answer(words)
  local question = queue[1]
  if not question then return client.notify("Nothing waits for an answer.") end
  if words == "" then return enter(question) end
  if question.kind.from_words then return finish(question, question.kind.from_words(words)) end
  if question.request.kind == "multiSelect" and words:find("^[%d%s]+$") then
    for _, number in ipairs(vim.split(words, "%s+", { trimempty = true })) do
      local choice = choice_of(question, number)
      if choice then choice.answer() end
    end
    return choose(question, assert(choice_of(question, "done")))
  end
  local whole = choice_of(question, words)
  if whole then return choose(question, whole) end
  local first, reason = words:match("^(%S+)%s*(.*)$")
  local choice = choice_of(question, first)
  if choice then return choose(question, choice, reason) end
  client.notify(('"%s" is not one of the answers.'):format(first), vim.log.levels.WARN)
end

--- How many questions wait.
---@return integer
function M.count() return #queue end

--- The words that `:Kit permit` completes.
---@return string[]
function M.choices()
  local question = queue[1]
  if not question then return {} end
  if question.is_permission then
    return vim.tbl_map(function(option) return option.kind end, question.request.options)
  end
  return vim.tbl_map(function(choice) return choice.label end, question.kind.choices())
end

api.nvim_create_autocmd({ "VimResized", "TabEnter", "CmdwinLeave" }, {
  group = api.nvim_create_augroup("kit.question", {}),
  desc = "Keep the agent's question in view",
  callback = function()
    if #queue > 0 then vim.schedule(show) end
  end,
})

return M
