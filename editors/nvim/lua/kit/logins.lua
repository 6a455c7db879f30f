-- Logins at providers. An account logs in by the browser, and the server asks what it needs (a code to enter, an address
-- to paste) like everything else; a key is typed into a terminal, so that it reaches no editor and no record.
local client = require("kit.client")

local M = {}

local icons = { signedIn = "✓", signedOut = "✗", refused = "✗", pending = "●" }
local terminal_height = 10

-- The login that is under way, by the token of its progress.
local running = nil ---@type { token: integer|string, client: integer }?

vim.api.nvim_create_autocmd("LspProgress", {
  group = vim.api.nvim_create_augroup("kit.logins", {}),
  desc = "Tell how a login goes on",
  callback = function(event)
    local token, value = event.data.params.token, event.data.params.value
    if value.kind == "begin" and value.title == "Kit login" then
      running = { token = token, client = event.data.client_id }
    elseif not running or running.token ~= token then
      return
    elseif value.kind == "end" then
      running = nil
    end
    if running and value.message then client.notify(value.message) end
  end,
})

local function cancel()
  local server = running and vim.lsp.get_client_by_id(running.client)
  if server then server:notify("window/workDoneProgress/cancel", { token = running.token }) end
end

---@param provider table
---@return string
local function describe(provider)
  return ("%s %-16s %s"):format(icons[provider.state] or "·", provider.id, provider.detail)
end

--- Names of providers, for completion.
---@return string[]
function M.names()
  local answer = client.execute_sync("kit.auth.status", {}, 500)
  return vim.tbl_map(function(provider) return provider.id end, answer and answer.providers or {})
end

--- Runs `kit-ls auth login NAME` in a terminal below.
---@param provider string
local function open_terminal(provider)
  local command = client.server_command()
  if type(command) == "function" then
    local sentence = "Keys are typed into a terminal: kit-ls auth login %s"
    return client.notify(sentence:format(provider), vim.log.levels.WARN)
  end
  vim.cmd(("botright %dnew"):format(terminal_height))
  local window = vim.api.nvim_get_current_win()
  local environment = require("kit.config").get().env
  local words = vim.list_extend(vim.list_slice(command), { "auth", "login", provider, "--key" })
  vim.fn.jobstart(words, {
    term = true,
    env = next(environment) and environment or nil,
    on_exit = vim.schedule_wrap(function(_, code)
      if code ~= 0 then return end
      if vim.api.nvim_win_is_valid(window) then vim.api.nvim_win_close(window, true) end
      client.execute("kit.auth.status", { provider = provider }, function(answer)
        for _, each in ipairs(answer.providers) do
          client.notify(("%s: %s"):format(each.id, each.detail))
        end
      end)
    end),
  })
  vim.cmd.startinsert()
end

---@param provider table
local function log_in_at(provider)
  local function with_account()
    client.execute("kit.auth.login", { provider = provider.id }, function() end)
  end
  if provider.state == "pending" then
    local choices = { "Show what it asks", "Cancel the login" }
    return vim.ui.select(choices, { prompt = "The login is under way" }, function(_, index)
      if index == 1 then vim.schedule(function() require("kit.question").answer("") end) end
      if index == 2 then cancel() end
    end)
  elseif not provider.login then
    return open_terminal(provider.id)
  elseif not provider.takesKey then
    return with_account()
  end
  local ways = { ("Log in with %s, in the browser"):format(provider.login), "Store a key, in a terminal" }
  vim.ui.select(ways, { prompt = "How to log in at " .. provider.id }, function(_, index)
    if index == 1 then with_account() end
    if index == 2 then vim.schedule(function() open_terminal(provider.id) end) end
  end)
end

---@param prompt string
---@param providers table[]
---@param use fun(provider: table)
local function pick(prompt, providers, use)
  vim.ui.select(providers, { prompt = prompt, format_item = describe, kind = "kit.login" }, function(choice)
    if choice then vim.schedule(function() use(choice) end) end
  end)
end

--- `:Kit login [provider]`.
---@param name string
function M.log_in(name)
  client.execute("kit.auth.status", { provider = name ~= "" and name or nil }, function(answer)
    if name ~= "" and answer.providers[1] then return log_in_at(answer.providers[1]) end
    pick("Log in at", answer.providers, log_in_at)
  end)
end

---@param provider table
local function log_out_at(provider)
  client.execute("kit.auth.logout", { provider = provider.id }, function(answer)
    for _, each in ipairs(answer.providers) do
      client.notify(("%s: %s"):format(each.id, each.detail))
    end
  end)
end

--- `:Kit logout [provider]`.
---@param name string
function M.log_out(name)
  if name ~= "" then return log_out_at({ id = name }) end
  client.execute("kit.auth.status", {}, function(answer)
    local stored = vim.tbl_filter(
      function(provider) return provider.source == "stored" or provider.state == "pending" end,
      answer.providers
    )
    if #stored == 0 then return client.notify("No login is stored.") end
    pick("Forget the login at", stored, log_out_at)
  end)
end

return M
