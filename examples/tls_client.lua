-- What you type goes to a server over TLS, and what it says is shown, as netcat.lua does without TLS.
--
--    ./dev run examples/tls_client.lua HOST:PORT [CA]
--    echo hello | ./dev run examples/tls_client.lua localhost:8443 cert.pem      cert.pem: what tls_echo.lua printed
--
-- CA: a file with the certificate of whom to trust, if it is not the system's.

local momo = require "momo"

local CONNECT_SECONDS = 10

local address = assert(arg[1], "which HOST:PORT?")
local server, err = momo.tls.connect(address, { ca = arg[2] }, CONNECT_SECONDS)
if not server then
  error(err, 0) -- it says whose certificate is wrong, in what, and what to do
end
local facts = server:tls()
io.stderr:write(("%s, %s; the certificate of %s is good until %s\n"):format(facts.version, facts.cipher,
  table.concat(facts.peer.names, ", "), os.date("!%Y-%m-%d", facts.peer.not_after)))

momo.spawn(function()
  assert(momo.io.copy(momo.io.stdin, server))
  server:shutdown()
end)

assert(momo.io.copy(server, momo.io.stdout)) -- an end that the server has not told is an error: somebody cut it
momo.stop()
