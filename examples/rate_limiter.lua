-- A token bucket: bursts of 3, then 10 requests a second; who would wait too long is refused. And no more than 2 are
-- under way at once, whatever the bucket says.
--
--    ./dev run examples/rate_limiter.lua [REQUESTS [PATIENCE]]      12 requests, each waits 0.65 seconds at most

local momo = require "momo"

local BURST, PER_SECOND, AT_ONCE, WORK_SECONDS = 3, 10, 2, 0.15

---A bucket of tokens; it is refilled as long as the scope lasts.
---@return fun(patience: number?): true?, string?, string? take
local function bucket(scope, burst, per_second)
  local tokens, taken = momo.sync.Semaphore(burst), 0
  scope:spawn(function()
    local interval = momo.time.interval(1 / per_second)
    while true do
      local _, missed = interval:tick()
      for _ = 1, math.min(taken, 1 + missed) do -- a full bucket takes no more
        taken = taken - 1
        tokens:release()
      end
    end
  end)
  return function(patience)
    local ok, err, code = tokens:acquire(patience) -- first come, first served
    taken = taken + (ok and 1 or 0)
    return ok, err, code
  end
end

io.stdout:setvbuf "line"
local n, patience = tonumber(arg[1] or 12), tonumber(arg[2] or 0.65)
local served, under_way, peak = 0, 0, 0
momo.scope(function(scope)
  local take, slots = bucket(scope, BURST, PER_SECOND), momo.sync.Semaphore(AT_ONCE)
  local start = momo.time.now()

  local function request(i)
    local ok, err = take(patience)
    print(("%.1f s: request %d %s"):format(momo.time.now() - start, i, ok and "goes" or "is refused, " .. err))
    if ok then
      slots:with(function() -- gives its slot back however this ends
        under_way = under_way + 1
        peak = math.max(peak, under_way)
        momo.time.sleep(WORK_SECONDS)
        served, under_way = served + 1, under_way - 1
      end)
    end
  end

  momo.scope(function(requests)
    for i = 1, n do
      requests:spawn(request, i)
    end
  end) -- here all requests have ended
  scope:cancel() -- ends the refilling
end)
print(("%d served, %d refused, at most %d at once"):format(served, n - served, peak))
