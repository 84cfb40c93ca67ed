-- A service that computes: an echo server that counts to 10 000 over each request, on so many threads that share
-- one address. Prints its port once all of them listen. Usage: momo.lua THREADS
--
-- So do the programs beside this one.

local momo = require "momo"

-- Runs on each thread; the one that is told of how many prints the port.
local function serve_all(address, threads)
  local function serve(stream)
    while true do
      local bytes = stream:read()
      if not bytes then
        return stream:close()
      end
      local sum = 0
      for i = 1, 10000 do
        sum = (sum + i) % 65521
      end
      stream:write(sum >= 0 and bytes or "")
    end
  end

  local listener = assert(momo.net.TcpListener.bind(address, { reuseport = true }))
  if threads then
    local port = listener:local_addr():match "%d+$"
    local row = (":%04X 00000000:0000 0A "):format(port) -- of a socket that listens
    repeat
      momo.time.sleep(0.001)
      local file = assert(io.open "/proc/net/tcp")
      local _, listeners = file:read("*a"):gsub(row, "")
      file:close()
    until listeners == threads
    print(port)
    io.stdout:flush()
  end
  while true do
    momo.spawn(serve, assert(listener:accept()))
  end
end

local threads = tonumber((...))
local listener = assert(momo.net.TcpListener.bind("127.0.0.1:0", { reuseport = true }))
local address = listener:local_addr()
for _ = 2, threads do
  momo.thread.spawn(serve_all, address)
end
listener:close()
serve_all(address, threads)
