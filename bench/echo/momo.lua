-- An echo server on Momo: a task for each connection. Listens on 127.0.0.1, and prints its port as its first line.

local momo = require "momo"

local function serve(stream)
  while true do
    local bytes = stream:read()
    if not bytes or not stream:write(bytes) then
      return stream:close()
    end
  end
end

local listener = assert(momo.net.TcpListener.bind "127.0.0.1:0")
print((listener:local_addr():match "%d+$"))
io.stdout:flush()
while true do
  momo.spawn(serve, assert(listener:accept()))
end
