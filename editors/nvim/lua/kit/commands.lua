-- The :Kit command: a table of subcommands, each with what it does, what it completes and one line of help.
local client = require("kit.client")
local documents = require("kit.documents")
local near = require("kit.near")

local M = {}

local api = vim.api

---@class kit.Invocation
---@field text string Everything after the subcommand.
---@field words string[]
---@field range? { first: integer, last: integer }

---@class kit.Subcommand
---@field run fun(invocation: kit.Invocation)
---@field only? string[] The words that alone may stand behind it, one at most.
---@field words? fun(): string[] What the first argument completes to.
---@field more? fun(first: string, lead: string, typed: string): string[] What stands behind the first argument.
---@field takes_text? boolean Whether text may stand behind it that nothing completes.
---@field help string

---@param delivery? "queue"|"steer"
---@return fun(invocation: kit.Invocation)
local function asker(delivery)
  return function(invocation)
    client.ensure(function()
      local context = require("kit.context")
      if invocation.text == "" then
        return require("kit.session").prompt(invocation.range and context.get(invocation.range))
      end
      require("kit.session").ask(invocation.text, { context = context.get(invocation.range), delivery = delivery })
    end)
  end
end

---@param command string
---@param key string
---@param title string
---@param value string
local function set(command, key, title, value)
  client.execute(
    command,
    { [key] = value, session = require("kit.session").current },
    function(answer) client.notify(("%s: %s"):format(title, answer[key] or value)) end
  )
end

---@param command string
---@param key string
---@param title string
---@param values string[]
---@return fun(invocation: kit.Invocation)
local function setter(command, key, title, values)
  return function(invocation)
    if invocation.text ~= "" then return set(command, key, title, invocation.text) end
    vim.ui.select(values, { prompt = title }, function(choice)
      if choice then set(command, key, title, choice) end
    end)
  end
end

local modes = { "plan", "ask", "edit", "auto" }
local levels = { "off", "none", "minimal", "low", "medium", "high" }
local scopes = { "hunk", "file", "turn", "all" }

---@param action kit.ReviewAction
---@return fun(invocation: kit.Invocation)
local function reviewer(action)
  return function(invocation)
    local review = require("kit.review")
    local scope, reason = invocation.words[1], vim.trim(invocation.text:match("^%S+%s+(.*)$") or "")
    reason = reason ~= "" and reason or nil
    if scope and not vim.list_contains(scopes, scope) then
      local hint = near.hint(scope, scopes)
      return client.notify(
        ('"%s" is none of %s.%s'):format(scope, table.concat(scopes, ", "), hint),
        vim.log.levels.WARN
      )
    elseif invocation.range then
      review.act_on_lines(action, invocation.range.first, invocation.range.last, reason)
    elseif not scope or scope == "hunk" then
      review.act_at_cursor(action, reason)
    else
      review.act_on_scope(action, scope, reason)
    end
  end
end

---@param invocation kit.Invocation
local function trust(invocation)
  local trusted = invocation.words[1] ~= "off"
  client.ensure(function(server)
    local buffer = api.nvim_get_current_buf()
    local root = documents.is_eligible(buffer) and documents.root(buffer)
      or vim.tbl_get(server, "workspace_folders", 1, "name")
      or vim.fn.getcwd()
    client.execute(
      "kit.trust.set",
      { root = vim.uri_from_fname(root), trusted = trusted },
      function()
        client.notify(("%s is %s."):format(vim.fn.fnamemodify(root, ":~"), trusted and "trusted" or "not trusted"))
      end
    )
  end)
end

--- A subcommand whose first argument is an action, and whose others are for that.
---@param module string
---@param help string
---@return kit.Subcommand
local function with_actions(module, help)
  return {
    run = function(invocation)
      local rest = vim.trim(invocation.text:match("^%S+%s+(.*)$") or "")
      require("kit.listing").run(require(module), invocation.words[1], rest)
    end,
    words = function() return require("kit.listing").names(require(module).actions) end,
    more = function(...) return require(module).words(...) end,
    help = help,
  }
end

---@param invocation kit.Invocation
local function run_named(invocation)
  local name, arguments = invocation.text:match("^/?(%S*)%s*(.*)$")
  require("kit.named").run(name, arguments, invocation.range)
end

local function retry()
  local session = require("kit.session")
  session.with_existing(function(id)
    client.execute("kit.session.retry", { session = id }, function(answer)
      session.reread(answer.session)
      session.started(answer)
    end)
  end)
end

---@param invocation kit.Invocation
local function compact(invocation)
  local focus = invocation.text ~= "" and invocation.text or nil
  require("kit.session").with_existing(function(id)
    client.execute(
      "kit.session.compact",
      { session = id, focus = focus },
      function() client.notify("The older messages are being summarized.") end
    )
  end)
end

local function open_log()
  local answer = client.execute_sync("kit.doctor", {}, 1000)
  local path = vim.fs.joinpath(vim.fn.stdpath("log") --[[@as string]], "lsp.log")
  for _, check in ipairs(answer and answer.checks or {}) do
    if check.name == "log" then
      -- The check names the folder; the names of the daily files in it are in order.
      local files = vim.fn.sort(vim.fn.glob(vim.fs.joinpath(check.detail, "*.log"), true, true))
      path = files[#files] or path
    end
  end
  vim.cmd.tabedit(vim.fn.fnameescape(path))
end

---@type table<string, kit.Subcommand>
local subcommands = {
  ask = { run = asker(), takes_text = true, help = "Ask, about the buffer or the selected lines" },
  steer = {
    run = function(invocation)
      if invocation.text == "" then return client.notify(":Kit steer needs what the running turn should know.") end
      asker("steer")(invocation)
    end,
    takes_text = true,
    help = "Tell the running turn something",
  },
  queue = {
    run = function(invocation)
      if invocation.text == "clear" then return require("kit.queue").clear() end
      if invocation.text == "" then return require("kit.queue").pick() end
      asker("queue")(invocation)
    end,
    words = function() return { "clear" } end,
    help = "Ask when the running turn is over, or list what waits",
  },
  stop = {
    run = function(invocation)
      require("kit.session").stop(invocation.words[1] --[[@as "all"?]])
    end,
    only = { "all" },
    help = "Stop the running turn",
  },
  session = {
    run = function() require("kit.session").with_current(require("kit.session").show) end,
    help = "Show the session",
  },
  sessions = with_actions("kit.sessions", "Open, make, rename, fork, export, import or delete a session"),
  tree = {
    run = function() require("kit.tree").open() end,
    help = "Show the session's tree, to branch, fork, label or rewind",
  },
  rewind = {
    run = function() require("kit.rewind").pick() end,
    help = "Go back to before a turn, after a look at the files",
  },
  agents = with_actions("kit.agents", "Subagents: list, open a transcript, stop one"),
  run = {
    run = run_named,
    words = function() return require("kit.named").names() end,
    more = function(first, lead, typed) return require("kit.named").arguments(first, typed, lead) end,
    help = "Run a template, a skill, or a command of an extension or MCP server",
  },
  extensions = with_actions("kit.extensions", "Extensions: list, reload, grant, revoke"),
  shortcut = {
    run = function(invocation) require("kit.shortcuts").run(invocation.text) end,
    words = function() return require("kit.shortcuts").keys() end,
    help = "Press the key of an extension",
  },
  mcp = with_actions("kit.mcp", "MCP servers: list, reconnect, login, logout"),
  login = {
    run = function(invocation) require("kit.logins").log_in(invocation.text) end,
    words = function() return require("kit.logins").names() end,
    help = "Log in at a provider, or store its key",
  },
  logout = {
    run = function(invocation) require("kit.logins").log_out(invocation.text) end,
    words = function() return require("kit.logins").names() end,
    help = "Forget a stored login",
  },
  review = {
    run = function() require("kit.hunklist").open() end,
    help = "List the agent's changes",
  },
  diff = {
    run = function() require("kit.hunklist").diff() end,
    help = "Compare the file with its reviewed baseline",
  },
  keep = {
    run = reviewer("keep"),
    words = function() return scopes end,
    help = "Keep the hunk, the selected lines, the file, the turn or all",
  },
  undo = {
    run = reviewer("undo"),
    words = function() return scopes end,
    help = "Undo the hunk, the selected lines, the file, the turn or all",
  },
  revert = {
    run = function() require("kit.review").revert() end,
    help = "Take back the last keep, undo or rewind",
  },
  next = {
    run = function() require("kit.review").jump(1) end,
    help = "Go to the next change",
  },
  prev = {
    run = function() require("kit.review").jump(-1) end,
    help = "Go to the previous change",
  },
  model = {
    run = function(invocation)
      local function use(id) set("kit.model.set", "model", "Model", id) end
      require("kit.models").choose(invocation.text, use)
    end,
    words = function() return require("kit.models").names() end,
    help = "Choose the model",
  },
  mode = {
    run = setter("kit.mode.set", "mode", "Mode", modes),
    only = modes,
    help = "Choose what the agent may do without asking",
  },
  thinking = {
    run = setter("kit.thinking.set", "level", "Thinking", levels),
    only = levels,
    help = "Choose how much the model reasons",
  },
  retry = {
    run = retry,
    help = "Repeat the last prompt",
  },
  compact = {
    run = compact,
    takes_text = true,
    help = "Replace older messages by a summary",
  },
  usage = {
    run = function() require("kit.usage").show() end,
    help = "Show tokens and money",
  },
  permit = {
    run = function(invocation) require("kit.question").answer(invocation.text) end,
    words = function() return require("kit.question").choices() end,
    help = "Answer what the agent asks",
  },
  trust = { run = trust, only = { "off" }, help = "Trust this workspace, or no longer" },
  doctor = {
    run = function() vim.cmd.checkhealth("kit") end,
    help = "Check the installation",
  },
  log = { run = open_log, help = "Open the log" },
  restart = {
    run = function() client.restart() end,
    help = "Restart the server",
  },
}

---@return string[]
local function names()
  local list = vim.tbl_keys(subcommands)
  table.sort(list)
  return list
end

--- What is wrong with the words behind a subcommand, as one sentence, or nil.
---@param name string
---@param words string[]
---@return string?
local function problem_of(name, words)
  local subcommand = subcommands[name]
  if #words == 0 or subcommand.words or subcommand.takes_text then return end
  local only = subcommand.only
  if not only then return (":Kit %s takes nothing behind it."):format(name) end
  if #words == 1 and vim.list_contains(only, words[1]) then return end
  local choices = #only == 1 and ('only "%s"'):format(only[1]) or "one of " .. table.concat(only, ", ")
  local given = table.concat(words, " ")
  return (':Kit %s takes %s, not "%s".%s'):format(name, choices, given, near.hint(given, only))
end

--- Runs `:Kit …`.
---@param options vim.api.keyset.create_user_command.command_args
function M.run(options)
  local problem = require("kit.config").problem()
  if problem then client.notify(problem, vim.log.levels.WARN) end
  local name, text = options.args:match("^%s*(%S*)%s*(.-)%s*$")
  if vim.startswith(name, "/") then
    name, text = "run", vim.trim(options.args)
  elseif name == "" then
    name = "ask"
  end
  if not subcommands[name] then
    local sentence = (':Kit has no "%s".%s'):format(name, near.hint(name, names()))
    return client.notify(sentence, vim.log.levels.ERROR)
  end
  local words = vim.split(text, "%s+", { trimempty = true })
  local mistake = problem_of(name, words)
  if mistake then return client.notify(mistake, vim.log.levels.ERROR) end
  subcommands[name].run({
    text = text,
    words = words,
    range = options.range > 0 and { first = options.line1, last = options.line2 } or nil,
  })
end

--- Completes `:Kit …`.
---@param lead string
---@param line string
---@param position integer
---@return string[]
function M.complete(lead, line, position)
  local typed = line:sub(1, position):match("Kit!?%s+(.*)$") or ""
  local name = typed:match("^(%S+)%s")
  local candidates = {}
  if not name and vim.startswith(lead, "/") then
    candidates = vim.tbl_map(function(each) return "/" .. each end, require("kit.named").names())
  elseif not name then
    candidates = names()
  elseif vim.startswith(name, "/") then
    candidates = require("kit.named").arguments(name:sub(2), typed:match("^%S+%s+(.*)$"), lead)
  elseif subcommands[name] then
    local subcommand = subcommands[name]
    local first, rest = typed:match("^%S+%s+(%S+)%s+(.*)$")
    if first then
      candidates = subcommand.more and subcommand.more(first, lead, rest) or {}
    else
      candidates = subcommand.only or subcommand.words and subcommand.words() or {}
    end
  end
  return vim.tbl_filter(function(candidate) return vim.startswith(candidate, lead) end, candidates)
end

--- The subcommands with their help, for the documentation's test.
---@return table<string, string>
function M.list()
  return vim.tbl_map(function(subcommand) return subcommand.help end, subcommands)
end

return M
