local editor = require("editor")
local equal = editor.equal

local current_version = "vim.lsp.util.buf_versions[vim.api.nvim_get_current_buf()]"

local function position(line, character) return { line = line, character = character } end

local function edit(from, to, text)
  return { range = { start = position(unpack(from)), ["end"] = position(unpack(to)) }, newText = text }
end

--- Applies edits to an open document and compares the buffer, the server's copy and the saved bytes.
local function check(before, edits, after)
  return function()
    local nvim = editor.start({ ["a.txt"] = before }, { open = "a.txt" })
    local uri = nvim:uri("a.txt")
    local version = nvim:get(current_version)
    nvim:request("apply", "workspace/applyEdit", {
      edit = { documentChanges = { { textDocument = { uri = uri, version = version }, edits = edits } } },
    })
    equal(nvim:answer("apply"), { result = { applied = true } })
    equal(nvim:get("_G.fake.documents[...].text", uri), after)
    equal(nvim:get("vim.lsp._buf_get_full_text(0)"), after)
    nvim:request("save", "kit/save", { uris = { uri } })
    equal(nvim:answer("save"), { result = { saved = { uri } } })
    equal(nvim:read("a.txt"), after)
    if before:sub(-1) == after:sub(-1) then
      nvim:command("silent undo")
      equal(nvim:get("vim.lsp._buf_get_full_text(0)"), before)
    end
    equal(nvim:get("_G.fake.documents[...].text == vim.lsp._buf_get_full_text(0)", uri), true)
  end
end

local function apply(nvim, name, path, version, edits)
  nvim:request(name, "workspace/applyEdit", {
    label = "edit a.txt",
    edit = { documentChanges = { { textDocument = { uri = nvim:uri(path), version = version }, edits = edits } } },
  })
  return nvim:answer(name)
end

return {
  { "replaces text inside a line", check("one\ntwo\n", { edit({ 0, 1 }, { 0, 3 }, "NE") }, "oNE\ntwo\n") },
  {
    "applies several edits of one request",
    check("a\nb\nc\n", { edit({ 0, 0 }, { 0, 1 }, "A"), edit({ 2, 0 }, { 2, 1 }, "C\nD") }, "A\nb\nC\nD\n"),
  },
  { "counts astral characters in UTF-16", check("😀x\n", { edit({ 0, 2 }, { 0, 3 }, "y") }, "😀y\n") },
  { "keeps CRLF", check("a\r\nb\r\n", { edit({ 1, 0 }, { 1, 1 }, "x\r\ny") }, "a\r\nx\r\ny\r\n") },
  { "keeps mixed line ends", check("a\r\nb\n", { edit({ 1, 0 }, { 1, 1 }, "x\r\ny") }, "a\r\nx\r\ny\n") },
  { "appends at the end of the document", check("a\n", { edit({ 1, 0 }, { 1, 0 }, "b\nc\n") }, "a\nb\nc\n") },
  { "keeps a missing final line break", check("a\nb", { edit({ 0, 0 }, { 0, 1 }, "x") }, "x\nb") },
  { "adds a final line break", check("a\nb", { edit({ 1, 1 }, { 1, 1 }, "\n") }, "a\nb\n") },
  { "removes the final line break", check("a\nb\n", { edit({ 1, 1 }, { 2, 0 }, "") }, "a\nb") },
  { "removes the last lines", check("a\nb\nc\n", { edit({ 1, 0 }, { 3, 0 }, "") }, "a\n") },
  { "appends to a document without final line break", check("a", { edit({ 0, 1 }, { 0, 1 }, "\nb\n") }, "a\nb\n") },
  {
    "refuses an edit for another version and changes nothing",
    function()
      local nvim = editor.start({ ["a.txt"] = "one\n" }, { open = "a.txt" })
      local version = nvim:get(current_version)
      nvim:type("x")
      nvim:wait(current_version .. " ~= ...", version)
      local answer = apply(nvim, "late", "a.txt", version, { edit({ 0, 0 }, { 0, 1 }, "X") })
      equal(answer.result.applied, false)
      equal(answer.result.failureReason:match("^version: a%.txt is at %d+, the edit is for %d+$") ~= nil, true)
      equal(nvim:lines(), { "ne" })
    end,
  },
  {
    "refuses the whole request when one document is not open, and loads nothing",
    function()
      local nvim = editor.start({ ["a.txt"] = "one\n", ["b.txt"] = "two\n" }, { open = "a.txt" })
      nvim:request("both", "workspace/applyEdit", {
        edit = {
          documentChanges = {
            { textDocument = { uri = nvim:uri("a.txt") }, edits = { edit({ 0, 0 }, { 0, 0 }, "x") } },
            { textDocument = { uri = nvim:uri("b.txt") }, edits = { edit({ 0, 0 }, { 0, 0 }, "x") } },
          },
        },
      })
      equal(
        nvim:answer("both"),
        { result = { applied = false, failureReason = "b.txt is not open", failedChange = 1 } }
      )
      equal(nvim:lines(), { "one" })
      equal(nvim:get("vim.fn.bufexists(...)", nvim.project .. "/b.txt"), 0)
    end,
  },
  {
    "makes one undo block per edit, apart from what the user typed",
    function()
      local nvim = editor.start({ ["a.txt"] = "one\n" }, { open = "a.txt" })
      nvim:type("ihello <Esc>")
      nvim:wait("vim.fn.getline(1) == 'hello one' and vim.fn.mode() == 'n'")
      local edits = { edit({ 0, 0 }, { 0, 5 }, "HELLO"), edit({ 1, 0 }, { 1, 0 }, "two\n") }
      apply(nvim, "first", "a.txt", nvim:get(current_version), edits)
      apply(nvim, "second", "a.txt", nvim:get(current_version), { edit({ 1, 0 }, { 1, 3 }, "TWO") })
      equal(nvim:lines(), { "HELLO one", "TWO" })
      nvim:type("u")
      nvim:wait("vim.fn.getline(2) == 'two'")
      nvim:type("u")
      nvim:wait("vim.fn.getline(1) == 'hello one' and vim.fn.line('$') == 1")
      nvim:type("u")
      nvim:wait("vim.fn.getline(1) == 'one'")
    end,
  },
  {
    "leaves cursor, view, marks, mode and messages alone",
    function()
      local lines = {}
      for number = 1, 200 do
        lines[number] = "line " .. number
      end
      local nvim = editor.start({ ["a.txt"] = table.concat(lines, "\n") .. "\n" }, { open = "a.txt" })
      nvim:command("normal! 100Gzt3lma")
      nvim:command("messages clear")
      nvim:type("i")
      nvim:wait("vim.fn.mode() == 'i'")
      local edits = { edit({ 0, 0 }, { 0, 0 }, "new\nnew\n"), edit({ 150, 0 }, { 151, 0 }, "") }
      apply(nvim, "edit", "a.txt", nvim:get(current_version), edits)
      equal(nvim:get("vim.fn.mode()"), "i")
      equal(nvim:get("vim.api.nvim_win_get_cursor(0)"), { 102, 3 })
      equal(nvim:get("vim.fn.line('w0')"), 102)
      equal(nvim:get("vim.api.nvim_buf_get_mark(0, 'a')"), { 102, 3 })
      equal(nvim:get("vim.fn.execute('messages')"), "")
    end,
  },
  {
    "saves only what was clean before the edit and was not typed in since",
    function()
      local nvim = editor.start({ ["a.txt"] = "one\n" }, { open = "a.txt" })
      local uri = nvim:uri("a.txt")
      nvim:command("normal! x")
      apply(nvim, "edit", "a.txt", nvim:get(current_version), { edit({ 0, 0 }, { 0, 0 }, "agent ") })
      nvim:request("save", "kit/save", { uris = { uri } })
      equal(nvim:answer("save"), { result = { saved = {} } })
      equal(nvim:read("a.txt"), "one\n")
    end,
  },
  {
    "does not save over a file that changed on disk, and does not ask",
    function()
      local nvim = editor.start({ ["a.txt"] = "one\n" }, { open = "a.txt" })
      apply(nvim, "edit", "a.txt", nvim:get(current_version), { edit({ 0, 0 }, { 0, 0 }, "agent ") })
      local file = assert(io.open(nvim.project .. "/a.txt", "wb"))
      file:write("somebody else\n")
      file:close()
      nvim:request("save", "kit/save", { uris = { nvim:uri("a.txt") } })
      equal(nvim:answer("save"), { result = { saved = {} } })
      equal(nvim:read("a.txt"), "somebody else\n")
    end,
  },
  {
    "saves without formatters before it, and with what runs after it",
    function()
      local nvim = editor.start({ ["a.txt"] = "one\n" }, { open = "a.txt" })
      nvim:lua([[
        vim.api.nvim_create_autocmd("BufWritePre", { callback = function() vim.cmd("%s/one/formatted/") end })
        vim.api.nvim_create_autocmd("BufWritePost", { callback = function() _G.written = true end })
      ]])
      apply(nvim, "edit", "a.txt", nvim:get(current_version), { edit({ 0, 0 }, { 0, 0 }, "agent ") })
      nvim:request("save", "kit/save", { uris = { nvim:uri("a.txt") } })
      equal(nvim:answer("save").result.saved, { nvim:uri("a.txt") })
      equal(nvim:read("a.txt"), "agent one\n")
      equal(nvim:get("_G.written"), true)
      equal(nvim:get("vim.o.eventignore"), "")
    end,
  },
  {
    "answers diagnostics of others in the negotiated encoding, not its own",
    function()
      local nvim = editor.start({ ["a.txt"] = "😀 bad\n" }, { open = "a.txt" })
      nvim:lua([[
        local client = vim.lsp.get_clients({ name = "kit" })[1]
        local function entry(message)
          return { { lnum = 0, col = 5, end_col = 8, severity = 2, source = "lint", message = message } }
        end
        vim.diagnostic.set(vim.api.nvim_create_namespace("lint"), 0, entry("wrong"))
        vim.diagnostic.set(vim.lsp.diagnostic.get_namespace(client.id), 0, entry("ours"))
      ]])
      nvim:request("diagnostics", "kit/diagnostics", { uris = { nvim:uri("a.txt"), "file:///not/open" } })
      local range = { start = position(0, 3), ["end"] = position(0, 6) }
      equal(nvim:answer("diagnostics").result, {
        items = {
          {
            uri = nvim:uri("a.txt"),
            diagnostics = { { range = range, severity = 2, source = "lint", message = "wrong" } },
          },
        },
      })
    end,
  },
}
