-- Takes bodies of any size, a piece at a time: memory stays what it is, and a client is not read faster than its bytes
-- are used.
--
--    ./dev run examples/upload.lua [ADDRESS]      then:  curl -T FILE http://127.0.0.1:8080/

local momo = require "momo"
local http = momo.http

local function upload(request, response)
  if request.method ~= "PUT" and request.method ~= "POST" then
    return response:send(405, "PUT a file here\n", { Allow = "PUT, POST" })
  end
  local bytes, lines = 0, 0
  for piece in request:pieces() do
    bytes = bytes + #piece
    lines = lines + select(2, piece:gsub("\n", "")) -- in place of more useful work
  end
  response:send(201, ("%d bytes, %d lines\n"):format(bytes, lines))
end

io.stdout:setvbuf "line"
local listener = assert(momo.net.TcpListener.bind(arg[1] or "127.0.0.1:8080"))
print("upload listens on " .. listener:local_addr())
assert(http.serve(listener, upload, { drain = 5 }))
