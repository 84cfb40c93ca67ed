-- An answer on luv to whatever has come: a handler in Lua on libuv, and nothing of HTTP; see momo.lua.

local uv = require "luv"

local function answer(type, body)
  return ("HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s"):format(type, #body, body)
end

local ANSWERS = {
  ["/"] = answer("text/plain", "Hello, world!\n"),
  ["/1k"] = answer("text/plain", ("x"):rep(1024)),
  ["/json"] = answer("application/json", '{"message":"Hello, world!"}'),
}
local NONE = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"

local listener = uv.new_tcp()
assert(listener:bind("127.0.0.1", 0))
assert(listener:listen(511, function()
  local socket = uv.new_tcp()
  listener:accept(socket)
  socket:nodelay(true)
  socket:read_start(function(_, bytes)
    if not bytes then
      return socket:close()
    end
    for path in bytes:gmatch "%u+ (%S+) HTTP/1" do
      socket:write(ANSWERS[path] or NONE)
    end
  end)
end))
print(listener:getsockname().port)
io.stdout:flush()
uv.run()
