-- An echo server on Copas; see momo.lua. It waits in select(2), which knows no descriptor above 1023.

local copas, socket = require "copas", require "socket"

local function serve(client)
  client:setoption("tcp-nodelay", true)
  while true do
    local bytes, err, part = copas.receivePartial(client, 65536)
    bytes = bytes or part
    if bytes == "" or (err and err ~= "timeout") or not copas.send(client, bytes) then
      return
    end
  end
end

local listener = socket.tcp()
assert(listener:bind("127.0.0.1", 0))
assert(listener:listen(511))
local _, port = listener:getsockname()
print(port)
io.stdout:flush()
copas.addserver(listener, serve, 0)
copas.loop()
