-- Messages of 16 bytes through a NATS server: how many a second, and the microseconds of CPU time that one took this
-- process.
--
-- Usage: momo.lua publish|receive URL COUNT    receive: it publishes them, too, by a client of their own

local kind, url, count = ...
count = assert(tonumber(count))

local momo = require "momo"
local ffi = require "ffi"
ffi.cdef [[
  struct bench_usage { long user_s, user_us, system_s, system_us, rest[28]; };
  int getrusage(int who, struct bench_usage *usage);
]]

local usage = ffi.new "struct bench_usage"
local function cpu_us()
  ffi.C.getrusage(0, usage)
  return tonumber((usage.user_s + usage.system_s) * 1000000 + usage.user_us + usage.system_us)
end

local DATA = ("x"):rep(16)

local client = assert(momo.nats.connect(url))

local function publish(publisher, n)
  for _ = 1, n do
    publisher:publish("bench", DATA)
  end
  assert(publisher:flush())
end

local function receive(n)
  local rx = client:subscribe("bench", { max = n, policy = "wait" })
  assert(client:flush())
  local publisher = assert(momo.nats.connect(url))
  local task = momo.spawn(publish, publisher, n)
  for _ = 1, n do
    assert(rx:recv())
  end
  task:join()
  publisher:close()
end

local function work(n)
  if kind == "publish" then
    publish(client, n)
  else
    receive(n)
  end
end

work(count / 10) -- the compiler warms up
local cpu, began = cpu_us(), momo.time.now()
work(count)
print(("%.0f %.4f"):format(count / (momo.time.now() - began), (cpu_us() - cpu) / count))
client:close()
momo.stop()
