-- Deadlines: around a request of several steps, around a fan-out that keeps what came in time, and a hedged request:
-- a second one, when the first is slower than usual. Whatever is cut short is closed by its `defer`.
--
--    ./dev run examples/timeouts.lua [SECONDS]      how long the fan-out may take (0.5)

local momo = require "momo"

---Answers the line "0.3" 0.3 seconds later.
---@async
local function serve(stream)
  local delay = stream:read_until "\n" or "0"
  momo.time.sleep(tonumber(delay))
  stream:write("the answer after " .. delay)
  stream:close()
end

---Three steps that know of no deadline: who calls sets one.
---@async
local function ask(address, delay)
  return momo.scope(function(scope)
    local stream = assert(momo.net.TcpStream.connect(address))
    scope:defer(stream.close, stream) -- however this ends
    assert(stream:write(delay .. "\n"))
    return (assert(stream:read_until "\n"):gsub("\n", " s"))
  end)
end

io.stdout:setvbuf "line"
local limit = tonumber(arg[1] or 0.5)
momo.scope(function(scope)
  local listener = assert(momo.net.TcpListener.bind "127.0.0.1:0")
  local address = listener:local_addr()
  scope:spawn(function()
    while true do
      scope:spawn(serve, assert(listener:accept()))
    end
  end)

  print("request:  " .. assert(momo.time.timeout(5, ask, address, 0.1)))
  print("too slow: " .. select(2, momo.time.timeout(0.1, ask, address, 60)))
  print(("hedged:   number %d was first, with %s"):format(momo.race {
    function() return ask(address, 60) end,
    function()
      momo.time.sleep(0.1)
      return ask(address, 0)
    end,
  }))

  local answers = {}
  local _, err = momo.time.timeout(limit, momo.scope, function(requests)
    for i, delay in ipairs { 0.1, 60, 0.2, 60 } do
      requests:spawn(function() answers[i] = ask(address, delay) end)
    end
  end)
  for i = 1, 4 do
    print(("fan-out:  %d: %s"):format(i, answers[i] or err))
  end
  scope:cancel "the show is over" -- the server would go on
end)
