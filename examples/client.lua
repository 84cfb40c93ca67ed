-- A client of echo_server.lua: one task sends lines while another prints what comes back.
--
--    ./dev run examples/client.lua [ADDRESS [LINE...]]

local momo = require "momo"

local CONNECT_SECONDS, ANSWER_SECONDS = 5, 10

---@async
local function send(stream, lines)
  for _, line in ipairs(lines) do
    assert(stream:write { line, "\n" })
  end
  assert(stream:shutdown()) -- no more from us: the server reads EOF, and ends when it has answered
end

local address = arg[1] or "127.0.0.1:8081"
local lines = { unpack(arg, 2) }
if #lines == 0 then
  lines = { "the first line", "the second line", "and the last one" }
end

local stream, err = momo.net.TcpStream.connect(address, CONNECT_SECONDS)
if not stream then
  error("is echo_server.lua running? " .. err, 0)
end
print(("connected to %s from %s"):format(stream:peer_addr(), stream:local_addr()))
stream:set_timeout(ANSWER_SECONDS)

local start = momo.time.now()
local sender = momo.spawn(send, stream, lines)
local count = 0
for line in stream:lines() do
  count = count + 1
  print("echo: " .. line)
end
assert(sender:join()) -- had it failed, this would raise its error
stream:close()
print(("%d lines there and back in %.1f ms"):format(count, (momo.time.now() - start) * 1000))
