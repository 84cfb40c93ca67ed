-- An echo server over TLS on Momo. It gets the paths of its certificate and key, listens on 127.0.0.1, and prints its
-- port as its first line.

local momo = require "momo"

local server = assert(momo.tls.server { cert = arg[1], key = arg[2] })

local function serve(stream)
  while true do
    local bytes = stream:read()
    if not bytes or not stream:write(bytes) then
      return
    end
  end
end

local listener = assert(momo.net.TcpListener.bind "127.0.0.1:0")
print((listener:local_addr():match "%d+$"))
io.stdout:flush()
momo.net.serve(listener, serve, { tls = server, on_error = function() end })
