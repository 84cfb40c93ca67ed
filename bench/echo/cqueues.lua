-- An echo server on cqueues; see momo.lua.

local cqueues, socket = require "cqueues", require "cqueues.socket"

local loop = cqueues.new()

local function serve(client)
  client:setmode("b", "bn")
  client:setbufsiz(65536, 65536)
  client:onerror(function(_, _, code)
    return code
  end)
  while true do
    local bytes = client:read(-65536)
    if not bytes or not client:write(bytes) then
      return client:close()
    end
  end
end

loop:wrap(function()
  local listener = socket.listen { host = "127.0.0.1", port = 0, nodelay = true }
  assert(listener:listen())
  local _, _, port = listener:localname()
  print(port)
  io.stdout:flush()
  for client in listener:clients() do
    loop:wrap(serve, client)
  end
end)
assert(loop:loop())
