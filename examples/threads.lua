-- One listener a thread on the same address: the system spreads the connections over them, and nothing is shared.
--
--    ./dev run examples/threads.lua [ADDRESS]                  starts the other threads by itself, one a CPU
--    ./dev run --threads 4 examples/threads.lua [ADDRESS]      each of 4 threads runs this file
--    then, a few times:  nc 127.0.0.1 8083

local momo = require "momo"

---Runs on every thread. It can use `momo`, since that is a module; all else is passed as an argument.
---@async
local function serve(address, on_bound)
  local me = momo.thread.current()
  local listener = assert(momo.net.TcpListener.bind(address, { reuseport = true }))
  io.stdout:write(("thread %d listens on %s\n"):format(me.index, listener:local_addr())) -- at once, beside others
  if on_bound then
    on_bound(listener:local_addr())
  end
  local served = 0
  assert(momo.net.serve(listener, function(stream)
    served = served + 1
    stream:write(("thread %d, connection %d\n"):format(me.index, served))
  end))
end

io.stdout:setvbuf "line"
local address = arg[1] or "127.0.0.1:8083"
local alone = momo.thread.current().index == 0 and momo.metrics().threads == 0 -- no --threads
serve(address, alone and function(bound)
  for _ = 2, momo.thread.available_parallelism() do
    assert(momo.thread.spawn(serve, bound))
  end
end)
