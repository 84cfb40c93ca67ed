-- Sends back what it reads, over TLS. On SIGHUP it reads its certificate again: new connections get the new one, and
-- those that there are go on.
--
--    ./dev run examples/tls_echo.lua [ADDRESS [CERT KEY]]      then:  openssl s_client -connect 127.0.0.1:8443
--
-- Without a certificate it makes one that vouches for itself, and prints it for clients to trust.

local momo = require "momo"

local HANDSHAKE_SECONDS, IDLE_SECONDS = 10, 60

local function settings()
  if arg[2] then
    return { cert = arg[2], key = assert(arg[3], "where is the key of that certificate?") }
  end
  local made = momo.tls.self_signed()
  print(made.cert)
  return made
end

---@async
local function echo(stream, peer)
  stream:set_timeout(IDLE_SECONDS)
  local facts = stream:tls()
  print(("%s: %s, %s%s"):format(peer, facts.version, facts.cipher, facts.resumed and ", resumed" or ""))
  momo.io.copy(stream, stream)
  stream:shutdown()
end

io.stdout:setvbuf "line"
local server = assert(momo.tls.server(settings()))

momo.spawn(function()
  while momo.signal.recv "SIGHUP" do
    local ok, err = server:reload() -- if the new one is no good, the old one stays
    print(ok and "the certificate was read again" or "the certificate stays: " .. err)
  end
end)

local listener = assert(momo.net.TcpListener.bind(arg[1] or "127.0.0.1:8443"))
print("tls_echo listens on " .. listener:local_addr())
assert(momo.net.serve(listener, echo, {
  tls = server,
  handshake_timeout = HANDSHAKE_SECONDS,
  on_tls_error = function(err, peer) print(("%s: %s"):format(peer, err)) end,
}))
