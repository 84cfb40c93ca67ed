---What you type goes to a server, and what it says is shown: chat.lua's other half.
---
---    ./dev run examples/chat.lua 127.0.0.1:8080                       one terminal
---    ./dev run examples/netcat.lua 127.0.0.1:8080                     two more: talk to each other
---    seq 100000 | ./dev run examples/netcat.lua ADDRESS | wc -l       and with pipes; ADDRESS: of echo_server.lua
---
---Ctrl-D ends what you say, and Ctrl-C all of it.

local momo = require "momo"

local server = assert(momo.net.TcpStream.connect(arg[1] or "127.0.0.1:8080", 10))

momo.spawn(function()
  assert(momo.io.copy(momo.io.stdin, server))
  server:shutdown()
end)

assert(momo.io.copy(server, momo.io.stdout))
momo.stop() -- the server has left: there is nobody to type for
