---A service that hangs in four ways, to be looked into. docs/guide/inside.md finds each of them with one command.
---
---    ./dev run examples/stuck.lua deadlock     two tasks wait for each other's lock
---    ./dev run examples/stuck.lua loop         a task computes and lets nobody else run
---    ./dev run examples/stuck.lua channel      jobs are sent, and nobody takes them
---    ./dev run examples/stuck.lua blocking     a task is in a function of C that waits

local momo = require "momo"

local ways = {}

-- Each has what the other one wants.
function ways.deadlock()
  local accounts, journal = momo.sync.Mutex(), momo.sync.Mutex()
  local function hold(first, second)
    first:lock()
    momo.time.sleep(0.1)
    second:lock()
  end
  momo.spawn(hold, accounts, journal):set_name "transfer"
  momo.spawn(hold, journal, accounts):set_name "audit"
end

function ways.loop()
  momo.spawn(function()
    local n = 0
    while n >= 0 do
      n = (n + 1) % 1000
    end
  end):set_name "report"
end

-- The channel has room for 10 jobs; whoever was to take them is missing.
function ways.channel()
  local tx, rx = momo.sync.channel(10)
  momo.spawn(function()
    for i = 1, 1000 do
      tx:send(i)
    end
  end):set_name "producer"
  return rx
end

-- What io.popen gives is read without letting other tasks run: momo.process is what does not hold them up.
function ways.blocking()
  momo.spawn(function()
    io.popen("exec sleep 1000"):read "*a"
  end):set_name "backup"
end

local way = ways[arg[1]]
if not way then
  io.stderr:write "usage: stuck.lua deadlock|loop|channel|blocking\n"
  os.exit(2)
end

-- What the service does besides.
momo.spawn(function()
  while true do
    momo.time.sleep(1)
  end
end):set_name "heartbeat"
io.stdout:setvbuf "line"
print(("stuck: process %d hangs: %s"):format(assert(io.open "/proc/self/stat"):read "*n", arg[1]))
momo.time.sleep(0.2)
local kept = way()
momo.time.sleep(math.huge)
return kept
