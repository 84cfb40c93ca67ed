-- Sends each datagram back to where it came from.
--
--    ./dev run examples/udp_echo.lua [ADDRESS]      then, in another terminal:  nc -u 127.0.0.1 8084

local momo = require "momo"

io.stdout:setvbuf "line"
local socket = assert(momo.net.UdpSocket.bind(arg[1] or "127.0.0.1:8084"))
print("udp_echo listens on " .. socket:local_addr())
while true do
  local data, from = assert(socket:recv_from())
  print(("%s: %d bytes"):format(from, #data))
  socket:send_to(data, from) -- one that can't be sent is one that got lost
end
