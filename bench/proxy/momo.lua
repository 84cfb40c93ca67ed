-- A TCP proxy on Momo. Usage: momo.lua PORT, to which it goes on 127.0.0.1. Prints its own port.

local momo = require "momo"

local upstream = "127.0.0.1:" .. ...

local function serve(client)
  local server = assert(momo.net.TcpStream.connect(upstream))
  momo.io.pipe_both(client, server)
  server:close()
  client:close()
end

local listener = assert(momo.net.TcpListener.bind "127.0.0.1:0")
print((listener:local_addr():match "%d+$"))
io.stdout:flush()
while true do
  momo.spawn(serve, assert(listener:accept()))
end
