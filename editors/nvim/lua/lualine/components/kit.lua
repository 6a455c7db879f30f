-- A lualine component: sections.lualine_x = { "kit" }, or { "kit", format = "{ctx} {cost}" }.
local component = require("lualine.component"):extend()

function component:init(options)
  options.color = options.color or function() return require("kit.status").hl() end
  component.super.init(self, options)
end

function component:update_status() return require("kit.status").text(self.options.format) end

return component
