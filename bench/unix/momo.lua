-- An echo server on a Unix socket: a task for each connection. Usage: momo.lua PATH, which it prints when it listens.

local momo = require "momo"

local function serve(stream)
  while true do
    local bytes = stream:read()
    if not bytes or not stream:write(bytes) then
      return stream:close()
    end
  end
end

local path = ...
local listener = assert(momo.net.UnixListener.bind(path))
print(path)
io.stdout:flush()
while true do
  momo.spawn(serve, assert(listener:accept()))
end
