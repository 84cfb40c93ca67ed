-- What blocks or computes for long goes to the pool, and the tasks of this thread go on meanwhile.
--
--    ./dev run examples/blocking.lua [SECONDS]      a clock ticks while a command runs and a sum is worked out

local momo = require "momo"

local function sum(n) -- computes without a pause: it would hold every other task up
  local total = 0
  for i = 1, n do
    total = total + 1 / i ^ 2
  end
  return total
end

local function run(command) -- os.execute and io.popen block a whole thread
  local pipe = assert(io.popen(command))
  local text = pipe:read "*a"
  pipe:close()
  return (text:gsub("%s+$", ""))
end

io.stdout:setvbuf "line"
local seconds = tonumber(arg[1]) or 1
local clock = momo.spawn(function()
  local interval = momo.time.interval(seconds / 10)
  while true do
    interval:tick()
    print "tick"
  end
end)

local slow = momo.spawn_blocking(run, ("sleep %g; echo the command is done"):format(seconds))
local pi = momo.spawn_blocking(sum, 1e7)
print(("pi is about %.6f"):format(math.sqrt(6 * select(2, assert(pi:join())))))
print(select(2, assert(slow:join())))

local failed = momo.spawn_blocking(function() error "no such thing" end)
print(select(2, failed:join()):match "^[^\n]*") -- its traceback follows

local hopeless = momo.spawn_blocking(run, ("sleep %g"):format(10 * seconds))
print(select(2, momo.time.timeout(seconds / 2, function() return assert(hopeless:join()) end)))
hopeless:cancel "it takes too long" -- ends the waiting; the command itself goes on
print(select(2, hopeless:join()))
clock:cancel()
