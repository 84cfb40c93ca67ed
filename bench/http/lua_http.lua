-- An HTTP server on lua-http; see momo.lua.

local headers = require "http.headers"
local server = require "http.server"

local BODIES = { ["/"] = "Hello, world!\n", ["/header"] = "Hello, world!\n", ["/1k"] = ("x"):rep(1024),
  ["/1m"] = ("x"):rep(1024 * 1024), ["/json"] = '{"message":"Hello, world!"}' }

local function on_stream(_, stream)
  local request = assert(stream:get_headers())
  local body, answer = BODIES[request:get ":path"], headers.new()
  answer:append(":status", body and "200" or "404")
  answer:append("content-type", "text/plain")
  answer:append("content-length", tostring(#(body or "")))
  assert(stream:write_headers(answer, not body))
  if body then
    assert(stream:write_chunk(body, true))
  end
end

local listening = assert(server.listen { host = "127.0.0.1", port = 0, tls = false, onstream = on_stream,
  onerror = function() end, max_concurrent = math.huge })
assert(listening:listen())
print((select(3, listening:localname())))
io.stdout:flush()
assert(listening:loop())
