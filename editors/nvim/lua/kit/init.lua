-- The plugin's public functions. Everything else under kit.* is internal, except kit.status.
local M = {}

--- Sets options; optional. See |kit-options|.
---@param options? kit.Options
function M.setup(options) require("kit.config").set(options) end

---@class kit.AskOptions
---@field context? table[] Documents and ranges: `{ uri, range?, version? }`.
---@field delivery? "queue"|"steer" What happens while a turn runs.

--- Starts a turn in the current session.
---@param text string
---@param options? kit.AskOptions
function M.ask(text, options) require("kit.session").ask(text, options or {}) end

return M
