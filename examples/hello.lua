-- The first service: it asks for your name, greets you, counts down and says bye; everybody gets a task of their own.
--
--    ./dev run examples/hello.lua [ADDRESS]      then, in another terminal:  nc 127.0.0.1 8080

local momo = require "momo"

local function serve(stream)
  stream:set_timeout(60) -- who says nothing for a minute is forgotten
  stream:write "What is your name? "
  local name = stream:read_until("\n", 100)
  if name then
    stream:write { "Hello, ", name:match "^%s*(.-)%s*$", "!\n" }
    for n = 3, 1, -1 do
      stream:write(n .. "...\n")
      momo.time.sleep(1) -- this task sleeps; the others go on
    end
    stream:write "Bye.\n"
  end
  stream:close()
end

io.stdout:setvbuf "line" -- show each line at once, in a file or pipe too
local listener = assert(momo.net.TcpListener.bind(arg[1] or "127.0.0.1:8080"))
print("hello listens on " .. listener:local_addr())
while true do
  local stream, peer = listener:accept()
  if stream then
    print("a visitor from " .. peer)
    momo.spawn(serve, stream)
  else
    print("accept failed, next try in a second: " .. peer)
    momo.time.sleep(1)
  end
end
