-- Models: which there are, and a list to choose one from, by provider when there are many.
local client = require("kit.client")
local format = require("kit.format")
local near = require("kit.near")

local M = {}

local patience = 500
local longest_pick = 40

--- Ids of all models, for completion.
---@return string[]
function M.names()
  local answer = client.execute_sync("kit.model.list", {}, patience)
  return vim.tbl_map(function(model) return model.id end, answer and answer.models or {})
end

---@param model table
---@return string
local function describe(model)
  local parts = { model.id }
  if model.contextWindow > 0 then parts[2] = format.tokens(model.contextWindow) .. " context" end
  if model.price then
    local input, output = format.money(model.price.input), format.money(model.price.output)
    parts[#parts + 1] = ("%s in, %s out per million"):format(input, output)
  end
  return table.concat(parts, " · ")
end

---@param models table[]
---@param use fun(id: string)
local function pick(models, use)
  vim.ui.select(models, { prompt = "Model", format_item = describe, kind = "kit.model" }, function(choice)
    if choice then use(choice.id) end
  end)
end

---@param models table[]
---@return string[] providers In the order of their first models.
---@return table<string, table[]> of_provider
local function by_provider(models)
  local providers, of_provider = {}, {}
  for _, model in ipairs(models) do
    if not of_provider[model.provider] then
      of_provider[model.provider] = {}
      providers[#providers + 1] = model.provider
    end
    table.insert(of_provider[model.provider], model)
  end
  return providers, of_provider
end

---@param models table[]
---@param use fun(id: string)
local function pick_provider(models, use)
  local providers, of_provider = by_provider(models)
  local function summary(provider) return provider .. " · " .. format.count(#of_provider[provider], "model") end
  vim.ui.select(providers, { prompt = "Provider", format_item = summary, kind = "kit.provider" }, function(choice)
    if choice then vim.schedule(function() pick(of_provider[choice], use) end) end
  end)
end

---@param name string
local function tell_unknown(name)
  client.execute("kit.model.list", {}, function(answer)
    local hint = near.hint(name, (by_provider(answer.models)))
    local sentence = ('There is no provider "%s"; models are written provider/name.%s'):format(name, hint)
    client.notify(sentence, vim.log.levels.WARN)
  end)
end

--- Calls `use` with the model that `name` is, or that the user picks from those of the provider `name` or of all.
---@param name string
---@param use fun(id: string)
function M.choose(name, use)
  if name:find("/", 1, true) then return use(name) end
  client.execute("kit.model.list", { provider = name ~= "" and name or nil }, function(answer)
    if #answer.models == 0 then return tell_unknown(name) end
    if name == "" and #answer.models > longest_pick then return pick_provider(answer.models, use) end
    pick(answer.models, use)
  end)
end

return M
