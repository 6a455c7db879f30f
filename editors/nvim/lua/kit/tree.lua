-- A session's tree in a buffer of its own: look at the branches, and go on from any entry of them.
local client = require("kit.client")
local format = require("kit.format")
local highlight = require("kit.highlight")
local session = require("kit.session")
local tree_lines = require("kit.tree_lines")

local M = {}

local api = vim.api
local namespace = highlight.namespace("tree")
local shortest_text = 20

local tree = { lines = {}, shows_all = false } ---@type { buffer?: integer, session?: string, nodes?: table[], lines: kit.TreeLine[], shows_all: boolean }

local function draw()
  local cursor_node = tree.lines[api.nvim_win_get_cursor(0)[1]]
  tree.lines = tree_lines.of(tree.nodes, tree.shows_all)
  local texts, place = {}, nil
  local width = api.nvim_win_get_width(0)
  for index, line in ipairs(tree.lines) do
    local tail = (line.label and ("  [%s]"):format(line.label) or "") .. (line.is_leaf and "  ◂ here" or "")
    local room = width - vim.fn.strdisplaywidth(line.branch .. line.mark .. tail) - 1
    line.text = format.head(line.text, math.max(room, shortest_text))
    texts[index] = ("%s%s %s%s"):format(line.branch, line.mark, line.text, tail)
    if cursor_node and cursor_node.node.id == line.node.id or not cursor_node and line.is_leaf then place = index end
  end
  if #texts == 0 then texts = { "The session is empty." } end
  vim.bo[tree.buffer].modifiable = true
  api.nvim_buf_set_lines(tree.buffer, 0, -1, false, texts)
  vim.bo[tree.buffer].modifiable, vim.bo[tree.buffer].modified = false, false
  api.nvim_buf_clear_namespace(tree.buffer, namespace, 0, -1)
  for row, line in ipairs(tree.lines) do
    local function color(from, to, group)
      if to > from then
        api.nvim_buf_set_extmark(tree.buffer, namespace, row - 1, from, { end_col = to, hl_group = group })
      end
    end
    local text_start = #line.branch + #line.mark + 1
    local text_end = text_start + #line.text
    color(0, #line.branch, "KitBranch")
    color(#line.branch, text_start, line.node.current and "KitDone" or "KitMeta")
    local group = line.node.role == "user" and "KitUser" or not line.node.current and "KitMeta" or nil
    if group then color(text_start, text_end, group) end
    if line.label then color(text_end + 2, text_end + 4 + #line.label, "KitLabel") end
    if line.is_leaf then color(#texts[row] - #"◂ here", #texts[row], "KitPending") end
  end
  if place then api.nvim_win_set_cursor(0, { place, 0 }) end
end

local function reload()
  local buffer = tree.buffer
  client.execute("kit.session.tree", { session = tree.session }, function(answer)
    if not buffer or not api.nvim_buf_is_valid(buffer) then return end
    tree.nodes = answer.nodes
    local window = vim.fn.bufwinid(buffer)
    if window ~= -1 then api.nvim_win_call(window, draw) end
  end)
end

---@return table? node
local function node_at_cursor()
  local line = tree.lines[api.nvim_win_get_cursor(0)[1]]
  if not line then client.notify("No entry is under the cursor.") end
  return line and line.node
end

---@param use fun(node: table)
---@return fun()
local function on_node(use)
  return function()
    local node = node_at_cursor()
    if node then use(node) end
  end
end

--- What is said after the session goes on from another place.
---@param answer table
local function moved(answer)
  session.current = answer.session
  session.reread(answer.session)
  reload()
end

local function branch(node)
  client.execute("kit.session.branch", { session = tree.session, entry = node.id }, function(answer)
    moved(answer)
    client.notify("The next prompt goes on from there.")
  end)
end

local function branch_with_summary(node)
  vim.ui.input({ prompt = "Summarize what is left, with the focus on (may be empty): " }, function(focus)
    if not focus then return end
    local argument = { session = tree.session, entry = node.id, summarize = true, focus = focus ~= "" and focus or nil }
    client.execute("kit.session.branch", argument, function(answer)
      moved(answer)
      client.notify("A summary of what is left is being written; the next prompt goes on from there.")
    end)
  end)
end

local function fork(node)
  client.execute("kit.session.fork", { session = tree.session, entry = node.id }, function(answer)
    client.notify("The session is copied up to there; the copy is the current one.")
    session.switch(answer)
    tree.session = answer.session
    reload()
  end)
end

local function label(node)
  vim.ui.input({ prompt = "Label (empty takes it away): ", default = node.label }, function(text)
    if not text then return end
    client.execute("kit.session.label", { session = tree.session, entry = node.id, label = text }, reload)
  end)
end

local function rewind(node)
  if not node.turn then return client.notify("This entry belongs to no turn that can be taken back.") end
  require("kit.rewind").ask(tree.session, node.turn, function()
    session.reread(tree.session)
    reload()
  end)
end

local keys = {
  { "b", "branch", on_node(branch) },
  { "B", "branch with summary", on_node(branch_with_summary) },
  { "f", "fork", on_node(fork) },
  { "L", "label", on_node(label) },
  { "r", "rewind", on_node(rewind) },
  { "o", "transcript", function() session.switch({ session = tree.session }) end },
  {
    "a",
    "all entries",
    function()
      tree.shows_all = not tree.shows_all
      draw()
    end,
  },
  { "R", "reload", reload },
  { "q", "close", function() vim.cmd.close() end },
}

local function create()
  tree.buffer = api.nvim_create_buf(false, true)
  api.nvim_buf_set_name(tree.buffer, "kit://tree")
  vim.bo[tree.buffer].bufhidden = "wipe"
  vim.bo[tree.buffer].filetype = "kittree"
  for _, key in ipairs(keys) do
    vim.keymap.set("n", key[1], key[3], { buffer = tree.buffer, nowait = true, desc = key[2] })
  end
  vim.keymap.set("n", "<CR>", on_node(branch), { buffer = tree.buffer, desc = "Go on from this entry" })
end

---@return string
local function bar()
  local words = vim.tbl_map(function(key) return ("%s %s"):format(key[1], key[2]) end, keys)
  -- Where the window is narrow, the rarer keys give way.
  table.insert(words, 6, "%<" .. table.remove(words, 6))
  return "Tree  " .. table.concat(words, " · ")
end

--- Shows the tree of a session, else of the current one.
---@param id? string
function M.open(id)
  if not id then return session.with_existing(M.open) end
  client.execute("kit.session.tree", { session = id }, function(answer)
    local window = tree.buffer and api.nvim_buf_is_valid(tree.buffer) and vim.fn.bufwinid(tree.buffer) or -1
    if window == -1 then
      create()
      local file_window = require("kit.context").file_window()
      window = api.nvim_open_win(tree.buffer, true, {
        win = file_window or -1,
        split = "below",
        height = math.max(math.floor(vim.o.lines * 0.45), 6),
      })
      for name, value in pairs({
        winbar = bar(),
        wrap = false,
        number = false,
        relativenumber = false,
        signcolumn = "no",
        cursorline = true,
        winfixbuf = true,
      }) do
        vim.wo[window][0][name] = value
      end
    end
    api.nvim_set_current_win(window)
    tree.session, tree.nodes, tree.lines = id, answer.nodes, {}
    draw()
  end)
end

return M
