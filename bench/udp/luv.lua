-- A UDP echo server on luv; see momo.lua.

local uv = require "luv"

local socket = uv.new_udp()
assert(socket:bind("127.0.0.1", 0))
assert(socket:recv_start(function(_, data, from)
  if data then
    socket:try_send(data, from.ip, from.port)
  end
end))
print(socket:getsockname().port)
io.stdout:flush()
uv.run()
