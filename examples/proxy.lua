---A TCP proxy: whatever comes to the first address goes to the second, and back.
---
---    ./dev run examples/echo_server.lua 127.0.0.1:8080                one terminal
---    ./dev run examples/proxy.lua 127.0.0.1:8081 127.0.0.1:8080       another one
---    ./dev run examples/client.lua 127.0.0.1:8081                     a third one
---
---When one side has said all it has to say, the other hears that and may still answer; when neither says anything for
---five minutes, both are let go. Much at a time moves through the
---system's pipes and is never seen by the program.

local momo = require "momo"

local CONNECT_SECONDS, IDLE_SECONDS = 10, 300

local own, upstream = arg[1] or "127.0.0.1:8081", arg[2] or "127.0.0.1:8080"
local listener = assert(momo.net.TcpListener.bind(own))
io.stdout:setvbuf "line"
print("proxy listens on " .. listener:local_addr())

local function serve(client, peer)
  local server, err = momo.net.TcpStream.connect(upstream, CONNECT_SECONDS)
  if server then
    local sent, received = momo.io.pipe_both(client, server, { idle = IDLE_SECONDS })
    print(sent and ("%s: %d bytes sent, %d received"):format(peer, sent, received) or peer .. ": " .. received)
    server:close()
  else
    print(peer .. ": " .. err)
  end
  client:close()
end

while true do
  momo.spawn(serve, assert(listener:accept()))
end
