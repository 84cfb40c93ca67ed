-- Retrying: each attempt has a time limit, the pauses double and are spread by chance, and the whole has a deadline.
-- A server here fails twice before it answers; then it is gone.
--
--    ./dev run examples/retry.lua [SECONDS]      the deadline of each whole (2)

local momo = require "momo"

local EACH, PAUSE, PAUSE_MAX = 0.5, 0.1, 1 -- seconds

---Calls fn until it returns something: for ever, unless its caller sets a deadline.
---@async
local function retry(fn, ...)
  local pause, attempt = PAUSE, 1
  while true do
    local result, err = momo.time.timeout(EACH, fn, ...)
    if result then
      return result
    end
    local wait = pause * (0.5 + math.random() / 2)
    print(("  attempt %d: %s; again in %.2f s"):format(attempt, err, wait))
    momo.time.sleep(wait)
    pause, attempt = math.min(pause * 2, PAUSE_MAX), attempt + 1
  end
end

---@async
local function ask(address)
  local stream, err = momo.net.TcpStream.connect(address)
  if not stream then
    return nil, err
  end
  return momo.scope(function(scope)
    scope:defer(stream.close, stream) -- also when the attempt's time is over
    return stream:read_until "\n"
  end)
end

---Hangs up on the first visitor, lets the second one wait in vain, and answers from the third on.
---@async
local function serve(listener)
  assert(listener:accept()):close()
  assert(listener:accept()):read() -- until the visitor gives up
  while true do
    local stream = assert(listener:accept())
    stream:write "hello, at last\n"
    stream:close()
  end
end

io.stdout:setvbuf "line"
math.randomseed(os.time())
local seconds, listener = tonumber(arg[1] or 2), assert(momo.net.TcpListener.bind "127.0.0.1:0")
local address = listener:local_addr()
momo.scope(function(scope)
  scope:defer(listener.close, listener)
  scope:spawn(serve, listener)
  print("the answer: " .. assert(momo.time.timeout(seconds, retry, ask, address)))
  scope:cancel() -- the server would go on
end)
print("given up: " .. select(2, momo.time.timeout(seconds, retry, ask, address))) -- nobody listens any more
