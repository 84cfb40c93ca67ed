-- A UDP echo server on Momo. Prints its port.

local momo = require "momo"

local socket = assert(momo.net.UdpSocket.bind "127.0.0.1:0")
print((socket:local_addr():match "%d+$"))
io.stdout:flush()
while true do
  local data, from = socket:recv_from()
  if data then
    socket:send_to(data, from)
  end
end
