-- The language server as `vim.lsp.enable("kit")` finds it; everything is decided in kit.client when a server starts.
return require("kit.client").lsp_config()
