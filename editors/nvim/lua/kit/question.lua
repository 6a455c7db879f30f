-- What the agent asks: kit/permission and kit/ask.
--
-- Questions queue up and are shown one at a time in a float at the bottom right that never takes the cursor. The user
-- answers when it suits: `:Kit permit` moves into the float (a permission) or opens the picker or input (a question),
-- `:Kit permit y` answers at once. Permissions of a session are withdrawn when its turn ends. Every request gets
-- exactly one answer.
local client = require("kit.client")
local format = require("kit.format")
local keys = require("kit.keys")

local M = {}

local api = vim.api
local width_limit = 76
local glance_lines = 8
local notice_width = 60

---@class kit.Question
---@field request table
---@field is_permission boolean
---@field reply fun(answer: table)
---@field refuse fun(): table The answer when nobody answers.
---@field replace_notice fun(text: string, group?: string)

local queue = {} ---@type kit.Question[]
local float = {} ---@type { window?: integer, buffer?: integer, origin?: table }

---@param request table
---@return { key: string, option: table }[]
local function keyed_options(request)
  local letters = { allowOnce = "y", allowAlways = "a", rejectOnce = "n", rejectAlways = "N" }
  local used, keyed = {}, {}
  for index, option in ipairs(request.options) do
    local key = letters[option.kind]
    if not key or used[key] then key = tostring(index) end
    used[key] = true
    keyed[index] = { key = key, option = option }
  end
  return keyed
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
  if subject.cwd then lines[#lines + 1] = "in " .. vim.fn.fnamemodify(subject.cwd, ":~") end
  if subject.uri then lines[#lines + 1] = require("kit.documents").display(subject.uri) end
  vim.list_extend(lines, format.diff(subject.diffBlocks or {}))
  if #lines == 0 and subject.args then lines = vim.split(vim.inspect(subject.args), "\n", { plain = true }) end
  return lines
end

---@param question kit.Question
---@param is_focused boolean
---@return string[]
local function lines_of(question, is_focused)
  local request = question.request
  if not question.is_permission then
    local lines = vim.split(vim.trim(request.message), "\n", { plain = true })
    return vim.list_slice(lines, 1, glance_lines)
  end
  local lines = { request.title }
  local agent = request.agent
  if type(agent) == "table" and #(agent.path or {}) > 1 then
    lines[#lines + 1] = "agent: " .. table.concat(agent.path, " ▸ ")
  end
  local subject = subject_lines(request)
  local limit = is_focused and vim.o.lines - 12 or glance_lines
  vim.list_extend(lines, vim.list_slice(subject, 1, limit))
  if #subject > limit then lines[#lines + 1] = ("… %d more lines"):format(#subject - limit) end
  if request.why then vim.list_extend(lines, vim.split("why: " .. request.why, "\n", { plain = true })) end
  lines[#lines + 1] = ""
  for _, entry in ipairs(keyed_options(request)) do
    local option = entry.option
    local line = ("%s  %s"):format(entry.key, option.label)
    if option.rule and not line:find(option.rule, 1, true) then line = ("%s %s"):format(line, option.rule) end
    if option.scope and not line:lower():find(option.scope, 1, true) then
      line = ("%s (%s)"):format(line, option.scope)
    end
    lines[#lines + 1] = line
  end
  lines[#lines + 1] = "r  Reject, and say why"
  return lines
end

local function close_float()
  if float.window and api.nvim_win_is_valid(float.window) then api.nvim_win_close(float.window, true) end
  float.window = nil
end

--- Goes back to where the user was before entering the float, insert mode included.
local function leave_float()
  local origin = float.origin
  float.origin = nil
  if not origin or not api.nvim_win_is_valid(origin.window) then return end
  api.nvim_set_current_win(origin.window)
  if origin.is_insert then
    api.nvim_win_set_cursor(origin.window, origin.cursor)
    vim.cmd.startinsert({ bang = origin.is_at_end })
  end
end

--- Shows the first question, or nothing when none waits.
local function show()
  local question = queue[1]
  if not question or vim.fn.getcmdwintype() ~= "" then return close_float() end
  local is_focused = float.window ~= nil and api.nvim_get_current_win() == float.window
  local lines = vim.tbl_map(function(line) return (line:gsub("%s*\n%s*", " ")) end, lines_of(question, is_focused))
  local width = 30
  for _, line in ipairs(lines) do
    width = math.max(width, vim.fn.strdisplaywidth(line))
  end
  width = math.min(width, width_limit, vim.o.columns - 4)
  if not float.buffer or not api.nvim_buf_is_valid(float.buffer) then
    float.buffer = api.nvim_create_buf(false, true)
    vim.bo[float.buffer].bufhidden = "hide"
  end
  vim.bo[float.buffer].modifiable = true
  api.nvim_buf_set_lines(float.buffer, 0, -1, false, lines)
  vim.bo[float.buffer].modifiable = false
  local place = #queue > 1 and (" · 1 of %d"):format(#queue) or ""
  local answer_key = keys.of("permit") or ":Kit permit"
  local hint = is_focused and "q later" or answer_key .. " answers"
  local settings = {
    relative = "editor",
    anchor = "SE",
    row = vim.o.lines - vim.o.cmdheight - 1,
    col = vim.o.columns,
    width = width,
    height = 1,
    style = "minimal",
    border = "rounded",
    title = { { (" Kit asks%s "):format(place), "KitWaiting" } },
    footer = { { (" %s "):format(hint), "KitMeta" } },
    footer_pos = "right",
    zindex = 60,
    -- Only `:Kit permit` moves in, because it maps the keys for the question that is shown.
    focusable = false,
  }
  local is_here = float.window
    and api.nvim_win_is_valid(float.window)
    and api.nvim_win_get_tabpage(float.window) == api.nvim_get_current_tabpage()
  if is_here then
    api.nvim_win_set_config(float.window, settings)
  else
    close_float()
    float.window = api.nvim_open_win(float.buffer, false, vim.tbl_extend("force", settings, { noautocmd = true }))
    vim.wo[float.window][0].wrap, vim.wo[float.window][0].linebreak = true, true
  end
  settings.height = math.min(api.nvim_win_text_height(float.window, {}).all, math.max(vim.o.lines - 6, 1))
  api.nvim_win_set_config(float.window, settings)
end

---@param question kit.Question
---@param answer table
---@param words string What the transcript says about it.
local function settle(question, answer, words)
  for index, waiting in ipairs(queue) do
    if waiting == question then
      table.remove(queue, index)
      if float.window and api.nvim_get_current_win() == float.window then leave_float() end
      show()
      question.replace_notice(words, "KitMeta")
      question.reply(answer)
      return
    end
  end
end

--- Queues a question and waits in the request's coroutine for its answer.
---@param question kit.Question
---@param notice string
---@return table answer
local function wait(question, notice)
  local thread = coroutine.running()
  question.reply = function(answer)
    local resumed, problem = coroutine.resume(thread, answer)
    if not resumed then error(problem, 0) end
  end
  question.replace_notice = require("kit.session").notice(notice, "KitWaiting", question.request.session)
  queue[#queue + 1] = question
  show()
  return coroutine.yield()
end

---@param question kit.Question
---@param option table
---@param feedback? string
local function permit(question, option, feedback)
  local is_allowed = vim.startswith(option.kind, "allow")
  local title = format.shorten(question.request.title, notice_width)
  local words = ("%s %s: %s"):format(is_allowed and "▸" or "✗", option.label, title)
  settle(question, { option = option.id, feedback = feedback ~= "" and feedback or nil }, words)
end

---@param request table
---@return table option
local function rejection(request)
  for _, option in ipairs(request.options) do
    if option.kind == "rejectOnce" then return option end
  end
  return request.options[#request.options] or { id = "", kind = "rejectOnce", label = "Reject" }
end

--- Handles kit/permission.
---@param request table
---@return table answer
function M.on_permission(request)
  local question = { request = request, is_permission = true }
  function question.refuse() return { option = rejection(request).id } end
  return wait(question, "⚠ Asks: " .. format.shorten(request.title:gsub("%s*\n%s*", " "), notice_width))
end

--- Handles kit/ask.
---@param request table
---@return table answer
function M.on_ask(request)
  local question = { request = request, is_permission = false }
  function question.refuse() return { cancelled = true } end
  if require("kit.session").has_focus() and api.nvim_get_mode().mode == "n" then
    vim.schedule(function() M.answer("") end)
  end
  return wait(question, "⚠ Asks: " .. vim.trim(request.message):match("^[^\n]*"))
end

--- Withdraws the permissions that a session waits for.
---@param session string
function M.withdraw(session)
  for _, question in ipairs(vim.list_slice(queue)) do
    if question.is_permission and question.request.session == session then
      settle(question, question.refuse(), "✗ Withdrawn: " .. question.request.title)
    end
  end
end

--- Forgets all questions: the server is gone.
function M.withdraw_all()
  queue = {}
  if float.window and api.nvim_get_current_win() == float.window then leave_float() end
  show()
end

---@type table<string, fun(request: table, done: fun(answer?: table))>
local ask = {}

function ask.select(request, done)
  vim.ui.select(
    request.options or {},
    { prompt = request.message },
    function(choice, index) done(choice and { value = choice, index = index - 1, cancelled = false }) end
  )
end

function ask.overlay(request, done)
  if #(request.options or {}) == 0 then return done({ cancelled = false }) end
  ask.select(request, done)
end

function ask.confirm(request, done)
  vim.ui.select(
    { "Yes", "No" },
    { prompt = request.message },
    function(choice, index) done(choice and { value = choice == "Yes", index = index - 1, cancelled = false }) end
  )
end

function ask.multiSelect(request, done)
  local chosen = {}
  local function step()
    local items = vim.list_extend({ "Done" }, request.options or {})
    vim.ui.select(items, {
      prompt = request.message,
      format_item = function(item) return item == "Done" and item or (chosen[item] and "[x] " or "[ ] ") .. item end,
    }, function(choice, index)
      if not choice then
        done(nil)
      elseif index == 1 then
        local values = vim.tbl_filter(function(option) return chosen[option] end, request.options or {})
        done({ values = values, cancelled = false })
      else
        chosen[choice] = not chosen[choice] or nil
        vim.schedule(step)
      end
    end)
  end
  step()
end

function ask.input(request, done)
  local prompt = request.message:gsub("%s*$", "") .. " "
  if request.placeholder then prompt = ("%s(%s) "):format(prompt, request.placeholder) end
  if request.masked then
    local secret = vim.fn.inputsecret(prompt)
    return done(secret ~= "" and { value = secret, cancelled = false } or nil)
  end
  local default = type(request.default) == "string" and request.default or nil
  vim.ui.input(
    { prompt = prompt, default = default },
    function(text) done(text and { value = text, cancelled = false }) end
  )
end

local function reject_with_reason(question)
  vim.ui.input({ prompt = "Reject because: " }, function(reason)
    if reason then permit(question, rejection(question.request), reason) end
  end)
end

--- Moves the cursor into the float, where one key answers.
---@param question kit.Question
local function focus(question)
  if api.nvim_get_current_win() ~= float.window then
    local window, mode = api.nvim_get_current_win(), api.nvim_get_mode().mode
    local cursor = api.nvim_win_get_cursor(window)
    float.origin = {
      window = window,
      cursor = cursor,
      is_insert = mode:sub(1, 1) == "i",
      is_at_end = cursor[2] >= #api.nvim_get_current_line(),
    }
    vim.cmd.stopinsert()
    api.nvim_set_current_win(float.window)
  end
  show()
  local function map(key, action) vim.keymap.set("n", key, action, { buffer = float.buffer, nowait = true }) end
  for index, entry in ipairs(keyed_options(question.request)) do
    local function choose() permit(question, entry.option) end
    map(entry.key, choose)
    map(tostring(index), choose)
  end
  map("r", function() reject_with_reason(question) end)
  for _, key in ipairs({ "q", "<Esc>" }) do
    map(key, function()
      leave_float()
      show()
    end)
  end
end

--- Answers the first question: `words` is a key, an option's id or kind and an optional reason, or empty.
---@param words string
function M.answer(words)
  local question = queue[1]
  if not question then return client.notify("Nothing waits for an answer.") end
  local request = question.request
  if not question.is_permission then
    local is_answered = false
    return ask[request.kind](request, function(answer)
      if not is_answered then
        is_answered = true
        settle(
          question,
          answer or question.refuse(),
          (answer and "▸ Answered: " or "✗ Cancelled: ") .. request.message
        )
      end
    end)
  end
  if words == "" then
    show()
    return focus(question)
  end
  local choice, reason = words:match("^(%S+)%s*(.*)$")
  if choice == "r" then
    return reason == "" and reject_with_reason(question) or permit(question, rejection(request), reason)
  end
  local kinds =
    { allow = "allowOnce", yes = "allowOnce", always = "allowAlways", no = "rejectOnce", reject = "rejectOnce" }
  for index, entry in ipairs(keyed_options(request)) do
    local option = entry.option
    if
      vim.list_contains({ entry.key, tostring(index), option.id, option.kind }, choice)
      or kinds[choice] == option.kind
    then
      return permit(question, option, reason)
    end
  end
  client.notify(('"%s" is not one of the answers.'):format(choice), vim.log.levels.WARN)
end

--- How many questions wait.
---@return integer
function M.count() return #queue end

--- The words that `:Kit permit` completes.
---@return string[]
function M.choices()
  if not queue[1] or not queue[1].is_permission then return {} end
  return vim.tbl_map(function(entry) return entry.option.kind end, keyed_options(queue[1].request))
end

api.nvim_create_autocmd({ "VimResized", "TabEnter", "CmdwinLeave" }, {
  group = api.nvim_create_augroup("kit.question", {}),
  desc = "Keep the agent's question in view",
  callback = function()
    if #queue > 0 then vim.schedule(show) end
  end,
})

return M
