-- Runs the tests: nvim --headless -l tests/run.lua [PATTERN]
-- Each file tests/*_test.lua returns a list of { name, function }. A test drives a Neovim of its own.
local folder = vim.fs.dirname(vim.fs.abspath(debug.getinfo(1, "S").source:sub(2)))
package.path = folder .. "/?.lua;" .. package.path
local pattern = arg[1] or ""
local editor = require("editor")

local passed, failed = 0, 0
for _, path in ipairs(vim.fn.sort(vim.fn.glob(folder .. "/*_test.lua", true, true))) do
  local subject = vim.fs.basename(path):gsub("_test%.lua$", "")
  for _, test in ipairs(dofile(path)) do
    local name = subject .. ": " .. test[1]
    if name:find(pattern, 1, true) then
      local good, problem = xpcall(test[2], debug.traceback)
      editor.close_all()
      if good then
        passed = passed + 1
      else
        failed = failed + 1
        print("FAILED " .. name .. "\n  " .. tostring(problem):gsub("\n", "\n  "))
      end
    end
  end
end
print(("%d passed, %d failed"):format(passed, failed))
if failed > 0 or passed == 0 then os.exit(1) end
