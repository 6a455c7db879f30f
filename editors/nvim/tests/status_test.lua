local editor = require("editor")
local equal = editor.equal

local function totals(fields)
  local base = { inputTokens = 0, outputTokens = 0, cacheReadTokens = 0, cacheWriteTokens = 0, costKind = "priced" }
  return vim.tbl_extend("force", base, fields or {})
end

local function status(fields)
  return vim.tbl_deep_extend("force", {
    state = "idle",
    label = "",
    mode = "edit",
    usage = {
      contextUsed = 68000,
      contextWindow = 200000,
      turn = totals(),
      session = totals({ inputTokens = 18000, outputTokens = 200, costMicros = 430000 }),
      today = totals(),
    },
    review = { files = 0, hunks = 0 },
    pending = { permissions = 0, questions = 0 },
    agents = {},
  }, fields or {})
end

local function unpriced(kind)
  local changed = status()
  changed.usage.session = totals({ inputTokens = 18000, outputTokens = 200, costKind = kind })
  return changed
end

--- The text, its raw form and the highlight of a status.
local function check(given, text, raw, highlight)
  return function()
    local nvim = editor.start({ ["a.txt"] = "one\n" }, { open = "a.txt" })
    nvim:notify("kit/status", given)
    equal(nvim:get("require('kit.status').text()"), text)
    equal(nvim:get("vim.g.kit_status"), raw)
    equal(nvim:get("require('kit.status').hl() or ''"), highlight or "")
  end
end

local budget = { limitMicros = 5000000, usedMicros = 4610000, scope = "session" }

return {
  { "shows context and cost", check(status(), "✦ 34%% $0.43", "✦ 34% $0.43") },
  {
    "shows hunks",
    check(status({ review = { files = 1, hunks = 7 } }), "✦ 34%% $0.43 7 hunks", "✦ 34% $0.43 7 hunks"),
  },
  {
    "shows what runs, shortened in the middle",
    check(
      status({ state = "running", label = "edit a_very_long_file_name_of_the_parser.rs" }),
      "● edit a_very_lo…the_parser.rs 34%% $0.43",
      "● edit a_very_lo…the_parser.rs 34% $0.43"
    ),
  },
  {
    "shows what waits for the user",
    check(
      status({ state = "waiting", pending = { permissions = 2 } }),
      "? waiting 2 approvals 34%% $0.43",
      "? waiting 2 approvals 34% $0.43",
      "DiagnosticWarn"
    ),
  },
  { "shows tokens where the price is unknown", check(unpriced("unknown"), "✦ 34%% 18.2k tok", "✦ 34% 18.2k tok") },
  { "shows tokens for a subscription", check(unpriced("subscription"), "✦ 34%% 18.2k tok", "✦ 34% 18.2k tok") },
  {
    "shows what is used of a budget, and what it covers",
    check(
      status({ usage = { budget = { limitTokens = 10000, usedTokens = 6010, scope = "turn" } } }),
      "✦ 34%% 6.0k/10.0k tok turn",
      "✦ 34% 6.0k/10.0k tok turn"
    ),
  },
  {
    "marks what is estimated, and shows how much the cache gave",
    check(
      status({ usage = { contextEstimated = true, session = { cacheReadTokens = 54000 } } }),
      "✦ ~34%% cache 75%% $0.43",
      "✦ ~34% cache 75% $0.43"
    ),
  },
  {
    "names the subagents that run",
    check(
      status({
        agents = {
          { id = "a", name = "explore", state = "running", label = "read", task = "look", session = "s" },
          { id = "b", name = "general", state = "waiting", label = "waits", task = "do", session = "s" },
          { id = "c", name = "explore", state = "running", label = "read", task = "look", session = "s" },
        },
      }),
      "✦ 34%% $0.43 ↳ explore ×2, general?",
      "✦ 34% $0.43 ↳ explore ×2, general?"
    ),
  },
  {
    "shows how far the plan is, until it is done",
    check(
      status({ state = "running", label = "edit", plan = { completed = 2, total = 5, current = "mend\nthe parser" } }),
      "● edit 2/5 mend the parser 34%% $0.43",
      "● edit 2/5 mend the parser 34% $0.43"
    ),
  },
  { "says nothing of a plan that is done", check(status({ plan = { completed = 5, total = 5 } }), "✦ 34%% $0.43", "✦ 34% $0.43") },
  {
    "shows a budget that is nearly used",
    check(status({ usage = { budget = budget } }), "✦ 34%% $4.61/$5.00", "✦ 34% $4.61/$5.00", "DiagnosticWarn"),
  },
  {
    "shows a missing login as an error",
    check(
      status({ state = "signedOut" }),
      "✗ signed out, :Kit login 34%% $0.43",
      "✗ signed out, :Kit login 34% $0.43",
      "DiagnosticError"
    ),
  },
  {
    "is a lualine component",
    function()
      local nvim = editor.start({ ["a.txt"] = "one\n" }, { open = "a.txt" })
      nvim:lua([[
        local base = { init = function(self, options) self.options = options end }
        function base.extend() return setmetatable({ super = base }, { __index = base }) end
        package.loaded["lualine.component"] = base
        _G.component = require("lualine.components.kit")
        _G.component:init({ format = "{cost}" })
      ]])
      nvim:notify("kit/status", status({ state = "error" }))
      equal(nvim:get("{ _G.component:update_status(), _G.component.options.color() }"), { "$0.43", "DiagnosticError" })
    end,
  },
  {
    "takes a format, announces itself, and works in a status line",
    function()
      local nvim = editor.start({ ["a.txt"] = "one\n" }, { open = "a.txt" })
      nvim:lua([[
        vim.api.nvim_create_autocmd("User", { pattern = "KitStatus", callback = function(event) _G.seen = event.data.mode end })
        vim.o.laststatus = 2
        vim.o.statusline = "%f %= %{%v:lua.require'kit.status'.text('[{mode}] {ctx}')%}"
      ]])
      equal(nvim:get("require('kit.status').text()"), "")
      nvim:notify("kit/status", status())
      nvim:sees("[edit] 34%")
      equal(nvim:get("_G.seen"), "edit")
      nvim:lua("vim.lsp.get_clients({ name = 'kit' })[1]:stop(true)")
      nvim:wait("require('kit.status').get() == nil")
      equal(nvim:get("vim.g.kit_status"), "")
    end,
  },
}
