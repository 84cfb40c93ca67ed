-- The first service: it asks for your name, greets you, counts down and says bye; everybody gets a task of their own.
--
--    ./dev run examples/hello.lua [ADDRESS]      then, in another terminal:  nc 127.0.0.1 8080

local momo = require "momo"

local function hello(stream, peer)
  print("a visitor from " .. peer)
  stream:write "What is your name? "
  local name = momo.time.timeout(60, stream.read_until, stream, "\n", 100) -- a minute to answer
  if name then
    stream:write { "Hello, ", name:match "^%s*(.-)%s*$", "!\n" }
    for n = 3, 1, -1 do
      stream:write(n .. "...\n")
      momo.time.sleep(1) -- this task sleeps; the others go on
    end
    stream:write "Bye.\n"
  end
end

io.stdout:setvbuf "line" -- show each line at once, in a file or pipe too
local listener = assert(momo.net.TcpListener.bind(arg[1] or "127.0.0.1:8080"))
print("hello listens on " .. listener:local_addr())
momo.net.serve(listener, hello, { max_connections = 1000, drain = 5 }) -- Ctrl-C: 5 seconds to say bye
