-- Keeps a program running: started anew when it ends, later and later if it goes on failing. SIGTERM or Ctrl-C ends it
-- and whatever it has started.
--
--    momo supervisor.lua COMMAND [ARGUMENT...]     TRIES=5: ends failed in a row after which it gives up

local momo = require "momo"

local LONGEST_PAUSE, STEADY = 10, 5 -- seconds; who ran for so long has not failed at once
local tries = tonumber(os.getenv "TRIES") or 5
local command = { unpack(arg) }
command.process_group = true

local failures = 0
while failures < tries do
  local began = momo.time.now()
  local child = assert(momo.process.spawn(command))
  print("started", child:pid())
  local ended = assert(child:wait()) -- a stop cancels this, and so ends the child
  print("ended", ended.status or ended.signal)
  failures = momo.time.now() - began >= STEADY and 0 or failures + 1
  momo.time.sleep(math.min(LONGEST_PAUSE, 0.1 * 2 ^ failures))
end
print("gave up after " .. failures .. " ends")
os.exit(1)
