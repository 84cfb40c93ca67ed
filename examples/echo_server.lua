-- Sends back what it reads. A client that does not read its echo is waited for, so memory stays bounded.
--
--    ./dev run examples/echo_server.lua [ADDRESS]      then:  ./dev run examples/client.lua, or  nc 127.0.0.1 8081

local momo = require "momo"

local IDLE_SECONDS = 60

---@async
local function echo(stream, peer)
  stream:set_timeout(IDLE_SECONDS)
  local total = 0
  local bytes, err, code = stream:read()
  while bytes do
    total = total + #bytes
    bytes, err, code = stream:write(bytes)
    if bytes then
      bytes, err, code = stream:read()
    end
  end
  print(("%s: %d bytes, %s"):format(peer, total, code == "EOF" and "done" or err))
end

io.stdout:setvbuf "line"
local listener = assert(momo.net.TcpListener.bind(arg[1] or "127.0.0.1:8081"))
print("echo_server listens on " .. listener:local_addr())
assert(momo.net.serve(listener, echo))
