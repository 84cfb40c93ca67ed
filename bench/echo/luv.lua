-- An echo server on luv, libuv's binding to Lua; see momo.lua.

local uv = require "luv"

local function serve(client)
  client:read_start(function(_, bytes)
    if not bytes then
      client:close()
      return
    end
    local written = client:try_write(bytes) or 0
    if written < #bytes then
      client:write(bytes:sub(written + 1))
    end
  end)
end

local listener = uv.new_tcp()
assert(listener:bind("127.0.0.1", 0))
assert(listener:listen(511, function()
  local client = uv.new_tcp()
  listener:accept(client)
  serve(client)
end))
print(listener:getsockname().port)
io.stdout:flush()
uv.run()
