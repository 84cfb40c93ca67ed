---nginx's levels of logging, in momo.log.

local log = require "momo.log"

local M = {}

-- By number: stderr, emerg, alert, crit, error; warn; notice, info; debug.
local WRITE = {
  [0] = log.error, log.error, log.error, log.error, log.error, log.warn, log.info, log.info, log.debug,
}
local DEBUG = 8
local lowest = DEBUG

---@param level integer ngx.STDERR to ngx.DEBUG
---@param ... any joined as text
function M.log(level, ...)
  local write = WRITE[level] or error(("bad log level: %s"):format(tostring(level)), 2)
  if level > lowest then
    return
  end
  local pieces = { ... }
  for i = 1, select("#", ...) do
    pieces[i] = tostring(pieces[i])
  end
  write(table.concat(pieces))
end

---What `require "ngx.errlog"` gives.
M.errlog = {
  version = "0.1.28",
  raw_log = function(level, message) M.log(level, message) end,
  get_sys_filter_level = function() return lowest end,
  set_filter_level = function(level)
    lowest = level
    return true
  end,
  get_logs = function() return {} end,
}

return M
