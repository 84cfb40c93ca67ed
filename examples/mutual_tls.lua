-- A service that knows its clients by their certificates. Here both ends are in one program, and two clients call: one
-- that is known, and one that is not.
--
--    ./dev run examples/mutual_tls.lua

local momo = require "momo"

local SECONDS = 10

-- In earnest, these are files that your CA has signed:
-- { cert = "service.pem", key = "service.key", client_ca = "ca.pem" }
local service = momo.tls.self_signed { "service.example" }
local known = momo.tls.self_signed { "billing.example" }
local unknown = momo.tls.self_signed { "mallory.example" }

local server = assert(momo.tls.server {
  cert = service.cert, key = service.key,
  client_ca = known.cert, client_auth = "require",
})

---@async
local function greet(stream)
  local peer = stream:tls().peer -- it was verified before this handler began
  stream:write { "hello, ", peer.names[1], "\n" }
end

---@async
local function call(address, identity)
  local client = assert(momo.tls.client { ca = service.cert, cert = identity.cert, key = identity.key })
  local stream = assert(momo.net.TcpStream.connect(address, SECONDS))
  local ok, err = client:wrap(stream, "service.example", SECONDS)
  if not ok then
    return "not connected: " .. err
  end
  -- Under TLS 1.3 a client hears that it was refused when it first reads: its handshake ends before the server looks.
  local line
  line, err = stream:read_until "\n"
  stream:close()
  return line and line:gsub("\n", "") or "nothing read: " .. err
end

local listener = assert(momo.net.TcpListener.bind "127.0.0.1:0")
momo.spawn(momo.net.serve, listener, greet, {
  tls = server,
  on_tls_error = function(err) print("refused: " .. err) end,
})
local address = listener:local_addr()
print("known: " .. call(address, known))
print("unknown: " .. call(address, unknown))
momo.stop()
