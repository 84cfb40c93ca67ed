-- An echo server on Momo that makes no Lua strings. Listens on 127.0.0.1, and prints its port as its first line.
-- Who has many connections frees a buffer once it is sent: its memory, still in the cache, is what the next one takes.

local buffer = require "string.buffer"
local momo = require "momo"

local function serve(stream)
  local bytes = buffer.new()
  while true do
    if not stream:read_into(bytes) or not stream:write(bytes) then
      return stream:close()
    end
    bytes:free()
  end
end

local listener = assert(momo.net.TcpListener.bind "127.0.0.1:0")
print((listener:local_addr():match "%d+$"))
io.stdout:flush()
while true do
  momo.spawn(serve, assert(listener:accept()))
end
