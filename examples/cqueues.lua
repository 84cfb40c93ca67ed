-- Runs a controller of cqueues, another scheduler with an ecosystem of its own (lua-http, say), inside of a task: its
-- descriptor is ready when one of its own coroutines can go on.
--
--    ./dev run examples/cqueues.lua      (Debian: lua-cqueues)

local cqueues = require "cqueues"
local momo = require "momo"
local socket = require "cqueues.socket"

---Until all coroutines of the controller have ended; the first error of one is raised.
---@async
local function run(controller)
  while not controller:empty() do
    local timeout = controller:timeout()
    if timeout ~= 0 then
      momo.io.poll(controller:pollfd(), "r", timeout)
    end
    assert(controller:step(0))
  end
end

-- A client on cqueues of a server on Momo.
local listener = assert(momo.net.TcpListener.bind "127.0.0.1:0")
local host, port = listener:local_addr():match "^(.*):(%d+)$"
local server = momo.spawn(momo.net.serve, listener, function(stream)
  for line in stream:lines() do
    momo.time.sleep(0.05)
    stream:write { "echo: ", line, "\n" }
  end
end)

local controller = cqueues.new()
for i = 1, 3 do
  controller:wrap(function()
    local client = socket.connect(host, port)
    cqueues.sleep(i * 0.02)
    client:write(("line %d\n"):format(i))
    client:flush()
    print(client:read "*l")
    client:close()
  end)
end
run(controller)
server:cancel()
