local editor = require("editor")
local equal = editor.equal

local folder = vim.fs.dirname(vim.fs.dirname(vim.fs.abspath(debug.getinfo(1, "S").source:sub(2))))

local function help() return table.concat(vim.fn.readfile(folder .. "/doc/kit.txt"), "\n") end

--- The words of `wanted` that the help has no tag for.
local function missing_tags(wanted)
  local text = help()
  return vim.tbl_filter(function(tag) return not text:find("*" .. tag .. "*", 1, true) end, wanted)
end

return {
  {
    "has a tag for every subcommand, map and highlight group",
    function()
      local nvim = editor.start({ ["a.txt"] = "" })
      local wanted = nvim:lua([[
        require("kit.highlight")
        local tags = {}
        for name in pairs(require("kit.commands").list()) do
          table.insert(tags, ":Kit-" .. name)
        end
        for _, map in ipairs(vim.api.nvim_get_keymap("n")) do
          if vim.startswith(map.lhs, "<Plug>(kit-") then table.insert(tags, map.lhs) end
        end
        for _, group in ipairs(vim.fn.getcompletion("Kit", "highlight")) do
          table.insert(tags, "hl-" .. group)
        end
        return tags
      ]])
      equal(#wanted > 40, true)
      equal(missing_tags(wanted), {})
    end,
  },
  {
    "has tags that are up to date, and links to tags that exist",
    function()
      local nvim = editor.start({ ["doc/kit.txt"] = help() .. "\n" })
      nvim:command("helptags doc")
      local own = nvim:read("doc/tags")
      equal(own, table.concat(vim.fn.readfile(folder .. "/doc/tags"), "\n") .. "\n")
      local core = table.concat(vim.fn.readfile(vim.env.VIMRUNTIME .. "/doc/tags"), "\n")
      local broken = {}
      for link in help():gmatch("|([^%s|]+)|") do
        if not ("\n" .. own .. core):find("\n" .. link .. "\t", 1, true) then table.insert(broken, link) end
      end
      equal(broken, {})
    end,
  },
  {
    "names the default options as they are",
    function()
      local nvim = editor.start({ ["a.txt"] = "" })
      local shown = help():match("require%('kit'%)%.setup%((%b{})%)")
      nvim:lua("require('kit').setup({})")
      equal(load("return " .. shown)(), nvim:get("require('kit.config').get()"))
    end,
  },
}
