-- GETs of a Redis server by a library, in so many tasks: the microseconds of CPU time that one took this process.
--
-- Usage: get.lua luasocket|shim|resty PORT COUNT [TASKS]

local kind, port, count, tasks = ...
port, count, tasks = assert(tonumber(port)), assert(tonumber(count)), tonumber(tasks or 1)

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

if kind ~= "luasocket" then
  require("momo.compat").install(kind == "shim" and "luasocket" or "ngx")
end

-- A function that makes a GET, with a connection of its own.
local function client()
  if kind ~= "resty" then
    local redis = require("redis").connect("127.0.0.1", port)
    return function() return redis:get "key" end
  end
  local redis = require("nginx.redis"):new()
  assert(redis:connect("127.0.0.1", port))
  return function() return redis:get "key" end
end

local function work(get, n)
  for _ = 1, n do
    assert(get() == "some value")
  end
end

local function all(n)
  if tasks == 1 then
    work(client(), n)
    return
  end
  require("momo").scope(function(scope)
    for _ = 1, tasks do
      scope:spawn(function() work(client(), n / tasks) end)
    end
  end)
end

all(count / 10) -- the compiler warms up
local before = cpu_us()
all(count)
print(("%.3f"):format((cpu_us() - before) / count))
if kind ~= "luasocket" then
  require("momo").stop()
end
