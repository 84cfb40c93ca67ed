---An echo server on a Unix socket, which only its owner may use.
---
---    ./dev run examples/unix_echo.lua /tmp/echo.sock      one terminal
---    nc -U /tmp/echo.sock                                 another one: say something
---
---Kill it (kill -9) and start it again: the file that it has left is replaced. Start a second one: that is refused.

local momo = require "momo"

local path = arg[1] or "/tmp/echo.sock"
local listener = assert(momo.net.UnixListener.bind(path, { mode = "600" }))
io.stdout:setvbuf "line"
print("unix_echo listens on " .. listener:local_addr())

while true do
  local stream = assert(listener:accept())
  momo.spawn(function()
    local bytes, err = momo.io.copy(stream, stream) -- until the client's end; no string is made of what it says
    print(bytes and bytes .. " bytes" or err)
    stream:close()
  end)
end
