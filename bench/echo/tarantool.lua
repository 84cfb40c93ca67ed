-- An echo server on Tarantool; see momo.lua.

local errno, log, socket = require "errno", require "log", require "socket"
log.level(2) -- errors

local function serve(client)
  while true do
    local bytes = client:sysread(65536)
    if not bytes then
      if client:errno() ~= errno.EAGAIN or not client:readable() then
        return
      end
    elseif bytes == "" or not client:write(bytes) then
      return
    end
  end
end

local listener = socket.tcp_server("127.0.0.1", 0, { handler = serve, backlog = 511 })
print(listener:name().port)
io.stdout:flush()
