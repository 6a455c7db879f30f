-- The user's entry points: the :Kit command, the <Plug> maps and the virtual documents.
-- Nothing is required before the first use, so that an idle editor pays for three definitions alone.
if vim.g.loaded_kit then return end
vim.g.loaded_kit = 1

if vim.fn.has("nvim-0.11.3") == 0 then
  vim.notify("Kit needs Neovim 0.11.3 or later.", vim.log.levels.WARN)
  return
end

vim.api.nvim_create_user_command("Kit", function(options) require("kit.commands").run(options) end, {
  nargs = "*",
  range = true,
  desc = "Ask the agent, review its changes, choose its model",
  complete = function(lead, line, position) return require("kit.commands").complete(lead, line, position) end,
})

local plugs = {
  { "ask", "nx", "ask", "Ask about the buffer or the selection", "<leader>aa" },
  { "session", "n", "session", "Show the session", "<leader>as" },
  { "stop", "n", "stop", "Stop the running turn", "<leader>ax" },
  { "next", "n", "next", "Go to the next change of the agent", "]a" },
  { "prev", "n", "prev", "Go to the previous change of the agent", "[a" },
  { "keep", "nx", "keep", "Keep the change under the cursor, or the selected lines", "<leader>ay" },
  { "undo", "nx", "undo", "Undo the change under the cursor, or the selected lines", "<leader>az" },
  { "keep-file", "n", "keep file", "Keep all changes of this file", "<leader>aY" },
  { "undo-file", "n", "undo file", "Undo all changes of this file", "<leader>aZ" },
  { "revert", "n", "revert", "Take back the last keep, undo or rewind", "<leader>aU" },
  { "review", "n", "review", "List the agent's changes", "<leader>ar" },
  { "diff", "n", "diff", "Compare this file with its reviewed baseline", "<leader>ad" },
  { "permit", "n", "permit", "Answer what the agent asks", "<leader>ap" },
}

-- Whether nobody uses the key; Neovim's own maps are recognized by their description, a command.
local function is_free(mode, key)
  local map = vim.fn.maparg(key, mode, false, true)
  return next(map) == nil or vim.startswith(map.desc or "", ":")
end

for _, plug in ipairs(plugs) do
  local name, modes, command, description, default = unpack(plug)
  local target = "<Plug>(kit-" .. name .. ")"
  for mode in modes:gmatch(".") do
    local right = mode == "x" and ":Kit " .. command .. "<CR>" or "<Cmd>Kit " .. command .. "<CR>"
    vim.keymap.set(mode, target, right, { desc = description, silent = true })
    if vim.g.kit_default_maps and vim.fn.hasmapto(target, mode) == 0 and is_free(mode, default) then
      vim.keymap.set(mode, default, target, { desc = description })
    end
  end
end
-- Typing goes on while the agent asks: the question is answered from insert mode without leaving it by hand.
vim.keymap.set("i", "<Plug>(kit-permit)", "<Cmd>Kit permit<CR>", { desc = "Answer what the agent asks" })

vim.api.nvim_create_autocmd("BufReadCmd", {
  group = vim.api.nvim_create_augroup("kit.content", {}),
  -- A pattern without a slash is compared with the last part of a name alone.
  pattern = { "kit-base:*", "kit-base:/*", "kit-after:*", "kit-after:/*", "kit-session:*", "kit-session:/*" },
  desc = "Read a virtual document from the language server",
  callback = function(event) require("kit.content").read(event.buf, event.file) end,
})
