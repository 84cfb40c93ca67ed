-- What Momo can't be cheaper than, as LuaJIT and the system take so much: the parts of which docs/design/floors.md
-- speaks.
--
-- Usage: momo floors.lua
--
-- Nanoseconds of CPU time (the least of several rounds), and bytes of Lua's heap.

local momo = require "momo"
local ffi = require "ffi"
local core = require "momo.internal.core"
local each = require "momo.internal.each"
local native, C, executor = core.native, core.C, core.executor

ffi.cdef "int getppid(void);"

local ROUNDS, COUNT, MANY = 15, 100000, 20000

local function noop() end

local function tell(what, figure, unit)
  print(("%-62s %8.1f %s"):format(what, figure, unit))
end

-- In a loop of its own, which is compiled by itself.
local function measure(what, code, count, ...)
  local loop = assert(loadstring(("local a, b = ... return function(n) for _ = 1, n do %s end end"):format(code)))(...)
  local least = math.huge
  for _ = 1, ROUNDS do
    local begin = os.clock()
    loop(count)
    least = math.min(least, (os.clock() - begin) / count)
  end
  tell(what, least * 1e9, "ns")
end

local function heap()
  collectgarbage()
  collectgarbage()
  return collectgarbage "count" * 1024
end

-- Each is kept; what keeps it takes 8 bytes, which are not counted.
local function bytes(what, make)
  local kept = {}
  for i = 1, MANY do
    kept[i] = false
  end
  local before = heap()
  for i = 1, MANY do
    kept[i] = make()
  end
  momo.time.sleep(0.01)
  tell(what, (heap() - before) / MANY, "B")
  return kept
end

measure("a call through the FFI", "a(b)", COUNT, C.momo_draining, executor)
measure("a call of a C function of Lua's, which ends the trace", "a()", COUNT, native.unjoined)
measure("a system call: getppid", "a()", COUNT, ffi.C.getppid)
measure("a coroutine that runs to its end", "a(b)()", COUNT / 10, coroutine.wrap, noop)
measure("a switch: resume and yield of a coroutine", "a()", COUNT, coroutine.wrap(function()
  while true do coroutine.yield() end
end))
measure("a traceback of a coroutine of two levels", "a(b)", COUNT / 10, debug.traceback, (function()
  local co = coroutine.create(function() coroutine.yield() end)
  coroutine.resume(co)
  return co
end)())
measure("an error that is raised and caught", "a(b)", COUNT / 10, pcall, error)
bytes("a coroutine that waits", function()
  local co = coroutine.create(coroutine.yield)
  coroutine.resume(co)
  return co
end)
bytes("a userdata without contents", newproxy)
for _, task in each(bytes("a sleeping task: its coroutine and its handle", function()
  return momo.spawn(momo.time.sleep, 3600)
end)) do
  task:cancel()
end
