---The CPU time of a Redis client for a GET, by libraries on momo.compat, beside blocking LuaSocket. The contenders take
---turns, and what is compared is the ratio within a round.

local shell = require "harness.shell"

local SOURCE = os.getenv "MOMO_SOURCE_DIR"
local COUNT, PORT = 20000, 26390

local CONTENDERS = {
  { name = "redis-lua, LuaSocket, blocking", command = "luajit %s luasocket" },
  { name = "redis-lua, momo.compat", command = "momo %s shim" },
  { name = "redis-lua, momo.compat, 50 tasks", command = "momo %s shim", tasks = 50 },
  { name = "lua-resty-redis, momo.compat", command = "momo %s resty" },
  { name = "lua-resty-redis, momo.compat, 50 tasks", command = "momo %s resty", tasks = 50 },
}

local function command_of(contender)
  local command = contender.command:format(shell.quote(SOURCE .. "/bench/compat/get.lua"))
  command = command:gsub("^momo", (shell.quote(os.getenv "MOMO_BIN"):gsub("%%", "%%%%")))
  return ("%s %d %d %d"):format(command, PORT, COUNT, contender.tasks or 1)
end

local function median(samples)
  table.sort(samples)
  return samples[math.ceil(#samples / 2)]
end

---@param rounds integer
return function(rounds)
  local redis = ("redis-cli -p %d"):format(PORT)
  shell.output(("redis-server --port %d --bind 127.0.0.1 --save '' --appendonly no --daemonize yes; "):format(PORT) ..
    ("until %s set key 'some value'; do sleep 0.1; done 2>/dev/null"):format(redis))
  local times, ratios = {}, {}
  for round = 1, rounds do
    for i, contender in ipairs(CONTENDERS) do
      times[i], ratios[i] = times[i] or {}, ratios[i] or {}
      times[i][round] = tonumber(shell.output(command_of(contender)))
      ratios[i][round] = times[i][round] / times[1][round]
    end
  end
  shell.output(redis .. " shutdown nosave 2>&1 || true")
  print "CPU time of the client for a GET\t\t us\t x LuaSocket"
  for i, contender in ipairs(CONTENDERS) do
    print(("%-40s\t%6.2f\t%6.2f"):format(contender.name, median(times[i]), median(ratios[i])))
  end
end
