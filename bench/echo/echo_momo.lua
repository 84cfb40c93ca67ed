-- An echo server on Momo: a task for each connection. Prints its port.

local momo = require "momo"

local function serve(stream)
  while true do
    local bytes = stream:read()
    if not bytes then
      return stream:close()
    end
    stream:write(bytes)
  end
end

local listener = assert(momo.net.TcpListener.bind "127.0.0.1:0")
print((listener:local_addr():match "%d+$"))
io.stdout:flush()
while true do
  momo.spawn(serve, assert(listener:accept()))
end
