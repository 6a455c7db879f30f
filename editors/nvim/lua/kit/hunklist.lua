-- The agent's changes as a quickfix list, one entry per hunk, with keys to keep and undo them from there.
local client = require("kit.client")
local documents = require("kit.documents")

local M = {}

local api = vim.api
local list_title = "Kit changes"

---@return boolean
local function is_ours() return vim.fn.getqflist({ title = true }).title == list_title end

---@return table[]
local function items()
  local list = {}
  for _, file in ipairs(require("kit.review").get().files) do
    for _, hunk in ipairs(file.hunks) do
      local added, deleted = hunk.lines[2] - hunk.lines[1], hunk.baseLines[2] - hunk.baseLines[1]
      local note = file.status ~= "modified" and " [" .. file.status .. "]" or hunk.mixed and " [with your edits]" or ""
      list[#list + 1] = {
        filename = vim.uri_to_fname(file.uri),
        lnum = hunk.lines[1] + 1,
        end_lnum = math.max(hunk.lines[2], hunk.lines[1] + 1),
        text = ("+%d −%d  %s%s"):format(added, deleted, hunk.title, note),
        user_data = { id = hunk.id, uri = file.uri },
      }
    end
  end
  return list
end

---@return { id: string, uri: string }?
local function entry_at_cursor()
  local entry = vim.fn.getqflist()[api.nvim_win_get_cursor(0)[1]]
  return entry and type(entry.user_data) == "table" and entry.user_data or nil
end

---@param action fun(entry: { id: string, uri: string })
local function on_entry(action)
  return function()
    local entry = is_ours() and entry_at_cursor()
    if entry then action(entry) end
  end
end

---@param buffer integer
local function map_keys(buffer)
  local review = require("kit.review")
  local actions = {
    a = { "Keep the hunk", on_entry(function(entry) review.act("keep", { hunks = { entry.id } }) end) },
    u = { "Undo the hunk", on_entry(function(entry) review.act("undo", { hunks = { entry.id } }) end) },
    A = { "Keep the file", on_entry(function(entry) review.act("keep", { uri = entry.uri }) end) },
    U = { "Undo the file", on_entry(function(entry) review.act("undo", { uri = entry.uri }) end) },
    d = { "Compare with the baseline", on_entry(function(entry) require("kit.content").diff(entry.uri) end) },
  }
  for key, action in pairs(actions) do
    vim.keymap.set("n", key, action[2], { buffer = buffer, nowait = true, desc = action[1] })
  end
end

---@param buffer integer
local function unmap_keys(buffer)
  for _, map in ipairs(api.nvim_buf_get_keymap(buffer, "n")) do
    if #map.lhs == 1 and ("auAUd"):find(map.lhs, 1, true) and map.desc then
      vim.keymap.del("n", map.lhs, { buffer = buffer })
    end
  end
end

--- Fills the quickfix list and opens its window.
function M.open()
  local list = items()
  if #list == 0 then return client.notify("No changes wait for review.") end
  vim.fn.setqflist({}, " ", { title = list_title, items = list })
  vim.cmd("botright copen")
  local buffer = api.nvim_get_current_buf()
  map_keys(buffer)
  vim.wo[0][0].winbar = "Kit changes%=a keep · u undo · A U whole file · d diff · <CR> go"
  api.nvim_create_autocmd("BufReadPost", {
    group = api.nvim_create_augroup("kit.hunklist", {}),
    buffer = buffer,
    desc = "The keys belong to this list alone",
    callback = function()
      if not is_ours() then
        unmap_keys(buffer)
        vim.wo[0][0].winbar = ""
      end
    end,
  })
end

--- Brings the list up to date where it stands.
function M.refresh()
  if not is_ours() then return end
  local position = vim.fn.getqflist({ idx = 0 }).idx
  local window = vim.fn.getqflist({ winid = 0 }).winid
  local cursor = window ~= 0 and api.nvim_win_get_cursor(window)
  local list = items()
  vim.fn.setqflist({}, "r", { title = list_title, items = list, idx = math.max(math.min(position, #list), 1) })
  if cursor then
    local last = api.nvim_buf_line_count(api.nvim_win_get_buf(window))
    api.nvim_win_set_cursor(window, { math.min(cursor[1], last), 0 })
  end
end

--- Shows the diff of the current file, or of the first changed one.
function M.diff()
  local window = require("kit.context").file_window()
  local buffer = window and api.nvim_win_get_buf(window)
  local files = require("kit.review").get().files
  for _, file in ipairs(files) do
    if documents.find(file.uri) == buffer then return require("kit.content").diff(file.uri) end
  end
  if not files[1] then return client.notify("No changes wait for review.") end
  require("kit.content").diff(files[1].uri)
end

return M
