-- Jobs at their times: each in a task of its own, without drift and never twice at once; one that fails hurts no other.
-- On the virtual clock a day goes by in a blink: time moves only when every task waits, straight to the next deadline.
--
--    ./dev run examples/cron.lua [SECONDS]           for 3 seconds
--    ./dev run --virtual examples/cron.lua 86400     a whole day

local momo = require "momo"

local MINUTE, HOUR, DAY = 60, 3600, 86400

local jobs = {
  { name = "heartbeat", every = 1, quiet_after = 3, run = function() end },
  { name = "backup", every = 6 * HOUR, run = function()
    momo.time.sleep(40 * MINUTE)
  end },
  { name = "cleanup", every = HOUR, run = function()
    momo.time.sleep(3.5 * HOUR) -- longer than its period: ticks are skipped
    error("the disk is full", 0)
  end },
  { name = "report", every = DAY, at = 18 * HOUR, run = function() end },
}

local epoch = momo.time.wall() - momo.time.now() -- what the wall's clock showed when `now` was 0

local function log(text, ...)
  print(os.date("!%H:%M:%S  ", epoch + momo.time.now()) .. text:format(...))
end

---Runs a job at whole multiples of its period, counted from its time of the day (UTC).
---@async
local function keep(job)
  job.ran = 0
  momo.time.sleep(((job.at or 0) - epoch - momo.time.now()) % job.every)
  local interval, missed = momo.time.interval(job.every), 0
  while true do
    job.ran = job.ran + 1
    local ok, err = momo.pcall(job.run) -- not pcall: a cancellation goes through
    if job.ran <= (job.quiet_after or math.huge) then
      log("%s, run %d (%d skipped): %s", job.name, job.ran, missed, ok and "done" or err)
    end
    missed = select(2, interval:tick())
  end
end

io.stdout:setvbuf "line"
local seconds = tonumber(arg[1] or 3)
log("cron begins (UTC)")
momo.time.timeout(seconds, momo.scope, function(scope)
  for _, job in ipairs(jobs) do
    scope:spawn(keep, job):set_name(job.name)
  end
end)
for _, job in ipairs(jobs) do
  log("%s ran %d times", job.name, job.ran)
end
