local editor = require("editor")
local equal = editor.equal

local text = "one\nTWO\nthree\nnew\nfour\n"

local function hunk(id, kind, base, lines, old, new, fields)
  local whole = { id = id, kind = kind, baseLines = base, lines = lines, oldText = old, newText = new, mixed = false }
  whole.turn, whole.agent, whole.toolCallId, whole.title = "t1", "main", "c1", "edit a.txt"
  return vim.tbl_extend("force", whole, fields or {})
end

local hunks = {
  hunk("h1", "change", { 1, 2 }, { 1, 2 }, "two\n", "TWO\n"),
  hunk("h2", "add", { 3, 3 }, { 3, 4 }, "", "new\n"),
  hunk("h3", "delete", { 4, 6 }, { 5, 5 }, "five\nsix\n", ""),
}

local function review(nvim, revision, list, fields)
  local file = { uri = nvim:uri("a.txt"), status = "modified", additions = 2, deletions = 3, hunks = list }
  file.version = nvim:get("vim.lsp.util.buf_versions[vim.fn.bufnr('a.txt')]")
  local files = #list > 0 and { vim.tbl_extend("force", file, fields or {}) } or {}
  nvim:notify("kit/review", {
    revision = revision,
    summary = { files = #files, hunks = #list, additions = 2, deletions = 3 },
    files = files,
  })
end

local function start(options)
  local nvim =
    editor.start({ ["a.txt"] = text, ["b.txt"] = "b\n" }, vim.tbl_extend("force", { open = "a.txt" }, options or {}))
  for _, action in ipairs({ "keep", "undo" }) do
    nvim:lua(
      [[
      _G.fake.replies["kit.review." .. ...] = function(argument)
        return { applied = argument.hunks or {}, conflicts = {} }
      end
    ]],
      action
    )
  end
  return nvim
end

--- What the named rows of the screen show of the file.
local function rows(nvim, first, last) return vim.list_slice(vim.split(nvim:screen(), "\n"), first, last) end

local function line(nvim) return nvim:get("vim.fn.line('.')") end

return {
  {
    "draws added, changed and deleted lines",
    function()
      local nvim = start()
      review(nvim, 1, hunks)
      nvim:sees("1/3")
      equal(rows(nvim, 1, 8), {
        "  one",
        "  two",
        "▎ TWO  :Kit keep · :Kit undo · 1/3 · main",
        "  three",
        "▎ new  :Kit keep · :Kit undo · 2/3 · main",
        "▁ four  :Kit keep · :Kit undo · 3/3 · main",
        "  five",
        "  six",
      })
      review(nvim, 2, {})
      nvim:wait("not require('kit.paint').is_drawn(1)")
      equal(rows(nvim, 1, 3), { "one", "TWO", "three" })
    end,
  },
  {
    "draws only what has changed anew while the user types",
    function()
      local nvim = start()
      review(nvim, 1, hunks)
      nvim:sees("3/3")
      nvim:lua([[
        _G.set = 0
        local set = vim.api.nvim_buf_set_extmark
        vim.api.nvim_buf_set_extmark = function(...) _G.set = _G.set + 1 return set(...) end
      ]])
      nvim:lua("vim.api.nvim_buf_set_lines(1, 0, 0, true, { 'zero' })")
      local function moved(old, fields)
        local lines = { old.lines[1] + 1, old.lines[2] + 1 }
        return vim.tbl_extend("force", old, { lines = lines }, fields or {})
      end
      review(nvim, 2, { moved(hunks[1]), moved(hunks[2]), moved(hunks[3]) })
      nvim:wait("require('kit.review').get().revision == 2")
      equal(nvim:get("_G.set"), 0)
      nvim:lua("vim.api.nvim_buf_set_lines(1, 4, 5, true, { 'newer' })")
      review(nvim, 3, { moved(hunks[1]), moved(hunks[2], { newText = "newer\n", mixed = true }), moved(hunks[3]) })
      nvim:sees("2/3 · main · with your edits")
      equal(rows(nvim, 2, 9), {
        "  one",
        "  two",
        "▎ TWO  :Kit keep · :Kit undo · 1/3 · main",
        "  three",
        "▎ newer  :Kit keep · :Kit undo · 2/3 · main · with your edits",
        "▁ four  :Kit keep · :Kit undo · 3/3 · main",
        "  five",
        "  six",
      })
      review(nvim, 4, { moved(hunks[1]), moved(hunks[3]) })
      nvim:sees("2/2")
      equal(nvim:shows("newer  :Kit"), false)
    end,
  },
  {
    "leaves the lines as they are where that is wished, and still signs them",
    function()
      local nvim = start({ before = "_G.options = { review = { inline = false } }" })
      review(nvim, 1, hunks)
      nvim:sees("1/3")
      equal(rows(nvim, 1, 5), {
        "  one",
        "▎ TWO  :Kit keep · :Kit undo · 1/3 · main",
        "  three",
        "▎ new  :Kit keep · :Kit undo · 2/3 · main",
        "▁ four  :Kit keep · :Kit undo · 3/3 · main",
      })
      nvim:command("4")
      nvim:command("Kit keep")
      nvim:wait("#_G.fake.ran('kit.review.keep') == 1")
      equal(nvim:get("_G.fake.ran('kit.review.keep')[1].hunks"), { "h2" })
    end,
  },
  {
    "names the user's own keys in the hint",
    function()
      local nvim = start({ before = "vim.g.mapleader = ' '; vim.g.kit_default_maps = true" })
      review(nvim, 1, hunks)
      nvim:sees("TWO  keep <Space>ay · undo <Space>az · 1/3 · main")
      nvim:type("]a")
      nvim:wait("vim.fn.line('.') == 2")
      nvim:type("<Space>az")
      nvim:wait("#_G.fake.ran('kit.review.undo') == 1")
    end,
  },
  {
    "shows lines deleted above the first line, and caps long deletions",
    function()
      local nvim = start({ before = "_G.options = { review = { deleted_lines = 2 } }" })
      review(nvim, 1, { hunk("h1", "delete", { 0, 4 }, { 0, 0 }, "a\nb\nc\nd\n", "") })
      nvim:sees("2 more")
      equal(
        rows(nvim, 1, 4),
        { "  a", "  b", "  … 2 more (:Kit diff)", "▁ one  :Kit keep · :Kit undo · 1/1 · main" }
      )
    end,
  },
  {
    "keeps the hunk under the cursor, wherever typing has moved it, and goes on to the next",
    function()
      local nvim = start()
      review(nvim, 1, hunks)
      nvim:sees("1/3")
      nvim:type("ggOabove<Esc>")
      nvim:wait("vim.fn.line('$') == 6 and vim.fn.mode() == 'n'")
      nvim:command("3")
      nvim:command("Kit keep")
      nvim:wait("#_G.fake.ran('kit.review.keep') == 1")
      local version = nvim:get("vim.lsp.util.buf_versions[vim.api.nvim_get_current_buf()]")
      equal(nvim:get("_G.fake.ran('kit.review.keep')"), { { hunks = { "h1" }, version = version } })
      nvim:wait("vim.fn.line('.') == 5")
    end,
  },
  {
    "undoes a deletion from the line beside it, with a reason",
    function()
      local nvim = start()
      review(nvim, 1, hunks)
      nvim:sees("1/3")
      nvim:command("5")
      nvim:command("Kit undo hunk we need these")
      nvim:wait("#_G.fake.ran('kit.review.undo') == 1")
      equal(nvim:get("_G.fake.ran('kit.review.undo')"), { { hunks = { "h3" }, version = 0, reason = "we need these" } })
    end,
  },
  {
    "acts on selected lines, the file, the turn and all",
    function()
      local nvim = start()
      review(nvim, 1, hunks)
      nvim:sees("1/3")
      nvim:command("2,4Kit keep")
      nvim:command("Kit keep file")
      nvim:command("2")
      nvim:command("Kit undo turn")
      nvim:command("Kit keep all")
      nvim:wait("#_G.fake.commands == 4")
      local uri = nvim:uri("a.txt")
      equal(nvim:get("_G.fake.ran('kit.review.keep')"), {
        { uri = uri, lines = { 1, 4 }, version = 0 },
        { uri = uri, version = 0 },
        { all = true },
      })
      equal(nvim:get("_G.fake.ran('kit.review.undo')"), { { turn = "t1" } })
    end,
  },
  {
    "walks through the hunks, on to the next file, and around",
    function()
      local nvim = start()
      review(nvim, 1, hunks)
      local other = { uri = nvim:uri("b.txt"), status = "modified", additions = 1, deletions = 0 }
      other.hunks = { hunk("h4", "add", { 0, 0 }, { 0, 1 }, "", "b\n") }
      local first = nvim:get("require('kit.review').get().files[1]")
      nvim:notify("kit/review", {
        revision = 2,
        summary = { files = 2, hunks = 4, additions = 3, deletions = 3 },
        files = { first, other },
      })
      nvim:sees("1/3")
      local seen = {}
      for step = 1, 5 do
        nvim:command("Kit next")
        seen[step] = nvim:get("vim.fn.expand('%:t') .. ':' .. vim.fn.line('.')")
      end
      equal(seen, { "a.txt:2", "a.txt:4", "a.txt:5", "b.txt:1", "a.txt:2" })
      nvim:command("Kit prev")
      equal(nvim:get("vim.fn.expand('%:t')"), "b.txt")
    end,
  },
  {
    "draws a buffer when it comes into view, and an old state not at once",
    function()
      local nvim = start()
      nvim:command("hide edit b.txt")
      review(nvim, 1, hunks)
      equal(nvim:get("require('kit.paint').is_drawn(vim.fn.bufnr('a.txt'))"), false)
      nvim:command("buffer a.txt")
      nvim:sees("1/3")
      review(nvim, 2, { hunks[1] }, { version = 99 })
      equal(nvim:shows("1/3"), true)
      nvim:sees("1/1")
    end,
  },
  {
    "lists hunks in the quickfix window with keys of its own",
    function()
      local nvim = start()
      review(nvim, 1, hunks)
      nvim:command("Kit review")
      nvim:sees("a.txt|2| +1 −1  edit a.txt")
      nvim:sees("a keep · u undo · A U whole file")
      nvim:type("ja")
      nvim:wait("#_G.fake.ran('kit.review.keep') == 1")
      nvim:type("U")
      nvim:wait("#_G.fake.ran('kit.review.undo') == 1")
      equal(nvim:get("_G.fake.ran('kit.review.keep')"), { { hunks = { "h2" } } })
      equal(nvim:get("_G.fake.ran('kit.review.undo')"), { { uri = nvim:uri("a.txt") } })
      review(nvim, 2, { hunks[1], hunks[3] })
      nvim:wait("#vim.fn.getqflist() == 2")
      equal(line(nvim), 2)
      nvim:command("call setqflist([], ' ', #{title: 'mine', items: [#{text: 'x'}]})")
      equal(nvim:get("vim.fn.maparg('a', 'n')"), "")
    end,
  },
  {
    "compares the file with its baseline as a native diff",
    function()
      local nvim = start()
      review(nvim, 1, hunks)
      nvim:lua(
        "_G.fake.contents[...] = 'one\\ntwo\\nthree\\nfour\\nfive\\nsix\\n'",
        (nvim:uri("a.txt"):gsub("^file:", "kit-base:"))
      )
      nvim:command("Kit diff")
      nvim:wait("vim.fn.tabpagenr('$') == 2 and #vim.api.nvim_tabpage_list_wins(0) == 2")
      nvim:sees("│  ▎ TWO")
      equal(nvim:shows("│    two"), false)
      nvim:wait("vim.api.nvim_buf_line_count(vim.fn.winbufnr(1)) == 6")
      equal(nvim:get("vim.fn.expand('%:t')"), "a.txt")
      equal(nvim:get("vim.fn.getwinvar(1, '&modifiable')"), 0)
      equal(nvim:get("vim.fn.getbufvar(vim.fn.winbufnr(1), '&filetype')"), "text")
      nvim:type("]cdo")
      nvim:wait("vim.fn.getline(2) == 'two'")
      nvim:command("1wincmd w")
      nvim:type("q")
      nvim:wait("#vim.api.nvim_tabpage_list_wins(0) == 1 and not vim.wo.diff")
      nvim:sees("five")
      nvim:lua("_G.fake.replies['kit.session.new'] = { session = 's1' }")
      nvim:command("Kit")
      nvim:wait("vim.bo.filetype == 'kitprompt'")
      nvim:command("stopinsert | Kit diff")
      nvim:wait("vim.fn.expand('%:t') == 'a.txt' and vim.wo.diff")
      equal(nvim:get("vim.wo.winbar"), "")
    end,
  },
  {
    "shows the baseline of a file with CRLF line ends",
    function()
      local nvim = editor.start({ ["a.txt"] = "one\r\nTWO\r\n" }, { open = "a.txt" })
      local base = nvim:uri("a.txt"):gsub("^file:", "kit-base:")
      nvim:lua("_G.fake.contents[...] = 'one\\r\\ntwo\\r\\n'", base)
      nvim:command("edit " .. base)
      nvim:wait("vim.deep_equal(vim.api.nvim_buf_get_lines(0, 0, -1, false), { 'one', 'two' })")
      equal(nvim:get("vim.bo.fileformat"), "dos")
      equal(nvim:get("vim.bo.modifiable"), false)
    end,
  },
  {
    "tells conflicts, and what became of a tool's changes",
    function()
      local nvim = start()
      nvim:notify("kit/event", { session = "s1", turn = "t1", seq = 1, at = 0, type = "turn_start", prompt = "go" })
      local block = { oldText = "two\n", newText = "TWO\n", oldRange = { 1, 2 }, newRange = { 1, 2 } }
      local difference =
        { uri = nvim:uri("a.txt"), path = "a.txt", additions = 1, deletions = 1, diffBlocks = { block } }
      nvim:notify("kit/event", {
        session = "s1",
        turn = "t1",
        seq = 2,
        at = 0,
        type = "tool_result",
        toolCallId = "c1",
        toolName = "edit",
        toolKind = "edit",
        toolArgs = "{}",
        result = "ok",
        isError = false,
        metadata = { fileDiffs = { difference } },
      })
      review(nvim, 1, { hunks[1] })
      local tool = "vim.fn.getbufline(vim.fn.bufnr('kit://s1'), 7)[1]"
      nvim:wait(tool .. " == '▾ edit  +1 −1 · pending'")
      nvim:lua([[
        _G.fake.replies["kit.review.undo"] = { applied = {}, conflicts = { { id = "h1", why = "You changed these lines, too." } } }
      ]])
      nvim:command("2")
      nvim:command("Kit undo")
      nvim:wait("#_G.messages == 1")
      equal(nvim:get("_G.messages"), { "Kit: You changed these lines, too." })
      nvim:command("Kit keep")
      nvim:wait("#_G.fake.ran('kit.review.keep') == 1")
      review(nvim, 2, {})
      nvim:wait(tool .. " == '▾ edit  +1 −1 · kept'")
    end,
  },
  {
    "takes back the last step",
    function()
      local nvim = start()
      nvim:lua("_G.fake.replies['kit.review.revert'] = { applied = { 'h1' } }")
      nvim:command("Kit revert")
      nvim:wait("#_G.messages == 1")
      equal(nvim:get("_G.messages"), { "Kit: The last keep, undo or rewind is taken back." })
      equal(nvim:get("vim.json.encode(_G.fake.ran('kit.review.revert')[1])"), "{}")
    end,
  },
  {
    "forgets everything when the server is gone",
    function()
      local nvim = start()
      review(nvim, 7, hunks)
      nvim:sees("1/3")
      nvim:lua("vim.lsp.get_clients({ name = 'kit' })[1]:stop(true)")
      nvim:wait("not require('kit.paint').is_drawn(1)")
      equal(nvim:get("#require('kit.review').get().files"), 0)
    end,
  },
}
