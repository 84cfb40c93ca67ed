-- A service of three processes behind HAProxy, whose work goes through NATS: starts all five, and again what ends.
--
--    ./dev run examples/cluster/cluster.lua [PORT [FOLDER]]      then:
--    curl -X PUT -d "some words" http://127.0.0.1:8080/jobs/1; curl http://127.0.0.1:8080/jobs/1
--
-- HAProxy listens on PORT (8080), NATS on the next, the three processes on those after it. FOLDER is where NATS stores
-- what was accepted. Any of them may be killed: whoever got an answer to his PUT gets a result.

local momo = require "momo"

io.stdout:setvbuf "line"

local HERE = arg[0]:match "^(.*)/[^/]*$" or "."
local AGAIN = 0.2 -- seconds until what has ended is started again

local port, folder = tonumber(arg[1] or 8080), arg[2] or "cluster-data"
local nats_url = "nats://127.0.0.1:" .. port + 1

local function environment(more)
  local env = momo.process.environ()
  for name, value in pairs(more) do
    env[name] = value
  end
  return env
end

-- Runs a program for ever. When this task is cancelled, the program is ended, too.
local function keep(name, words)
  while true do
    local child, err = momo.process.spawn(words)
    if child then
      print(("%s: process %d"):format(name, child:pid()))
      local status = child:wait()
      print(("%s has ended: %s"):format(name, tostring(status)))
    else
      print(("%s: %s"):format(name, err))
    end
    momo.time.sleep(AGAIN)
  end
end

local ports = {}
momo.scope(function(scope)
  scope:spawn(keep, "nats", {
    "nats-server", "-js", "-sd", folder, "-a", "127.0.0.1", "-p", tostring(port + 1), stderr = "null",
  })
  for i = 1, 3 do
    ports["PORT" .. i] = port + 1 + i
    scope:spawn(keep, "service " .. i, {
      os.getenv "MOMO_BIN" or "momo", HERE .. "/service.lua", tostring(port + 1 + i), nats_url,
    })
  end
  ports.PORT = port
  scope:spawn(keep, "haproxy", {
    "haproxy", "-db", "-f", HERE .. "/haproxy.cfg", env = environment(ports), stderr = "null",
  })
end)
