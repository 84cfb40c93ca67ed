---HTTP/1.1: servers, clients and WebSocket, in sequential code. What is not used is not loaded.
---
---What fails returns nil, "CODE: text", "CODE" with libuv's names; a wrong argument throws. A timeout is in seconds.

local each = require "momo.internal.each"
local names = require "momo.internal.names"

-- Name -> the module that has it.
local PLACES = {
  serve = "server",
  Router = "router",
  Client = "client",
  request = "client",
  get = "client",
  post = "client",
  files = "files",
  compressed = "compressed",
  proxy = "proxy",
  client_ip = "client_ip",
  websocket = "upgrade",
}

local later = {}
for name, place in each(PLACES) do
  later[name] = function() return require("momo.http." .. place)[name] end
end

return names.module({}, "momo.http", later)
