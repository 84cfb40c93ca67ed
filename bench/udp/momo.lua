-- A UDP echo server on Momo. Prints its port.

local momo = require "momo"

local socket = assert(momo.net.UdpSocket.bind "127.0.0.1:0")
print((socket:local_addr():match "%d+$"))
io.stdout:flush()
while true do
  local data, from = assert(socket:recv_from())
  socket:send_to(data, from) -- one that can't be sent is one that got lost
end
