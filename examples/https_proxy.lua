-- A proxy that is spoken to over TLS, and lets clients through to where they want to: CONNECT. What they say there is
-- most often TLS again, of which the proxy sees nothing.
--
--    ./dev run examples/https_proxy.lua [ADDRESS [CERT KEY]]
--    curl --proxy https://localhost:8443 --proxy-cacert cert.pem https://example.org/      cert.pem: what it printed

local momo = require "momo"

local CONNECT_SECONDS, IDLE_SECONDS, HEAD_SECONDS, HEAD_MAX = 10, 300, 10, 16384

---@async
local function refuse(stream, status)
  stream:write { "HTTP/1.1 ", status, "\r\nContent-Length: 0\r\n\r\n" }
end

---@async
local function tunnel(stream, peer)
  stream:set_timeout(HEAD_SECONDS)
  local head = stream:read_until("\r\n\r\n", HEAD_MAX)
  local target = head and head:match "^CONNECT (%S+) HTTP/1%.[01]\r\n"
  if not target then
    return refuse(stream, head and "405 Method Not Allowed" or "400 Bad Request")
  end
  local server, err, code = momo.net.TcpStream.connect(target, CONNECT_SECONDS)
  if not server then
    print(("%s: %s: %s"):format(peer, target, err))
    return refuse(stream, code == "ETIMEDOUT" and "504 Gateway Timeout" or "502 Bad Gateway")
  end
  stream:write "HTTP/1.1 200 OK\r\n\r\n"
  local there, back = momo.io.pipe_both(stream, server, { idle = IDLE_SECONDS })
  server:close()
  print(("%s: %s: %s"):format(peer, target, there and ("%d bytes there, %d back"):format(there, back) or back))
end

io.stdout:setvbuf "line"
local identity = arg[2] and { cert = arg[2], key = arg[3] } or momo.tls.self_signed()
local listener = assert(momo.net.TcpListener.bind(arg[1] or "127.0.0.1:8443"))
print((arg[2] and "" or identity.cert) .. "https_proxy listens on " .. listener:local_addr())
assert(momo.net.serve(listener, tunnel, { tls = assert(momo.tls.server(identity)), max_connections = 1000 }))
