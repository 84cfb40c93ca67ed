-- A service that reads its settings again on SIGHUP. The task that waits for the signal keeps no process alive.
--
--    echo "greeting: Hello" >settings
--    ./dev run examples/reload.lua settings [ADDRESS]      then:  nc 127.0.0.1 8085;  kill -HUP $(pgrep -f reload.lua)

local momo = require "momo"

local function read_settings(path)
  local settings = {}
  for line in io.lines(path) do
    local key, value = line:match "^(%w+): (.*)$"
    settings[key or line] = value
  end
  return settings
end

local path = assert(arg[1], "which file holds the settings?")
local settings = read_settings(path)

io.stdout:setvbuf "line"
momo.spawn(function()
  while true do
    momo.signal.recv "SIGHUP"
    settings = read_settings(path)
    print "the settings were read again"
  end
end)

local listener = assert(momo.net.TcpListener.bind(arg[2] or "127.0.0.1:8085"))
print("reload listens on " .. listener:local_addr())
assert(momo.net.serve(listener, function(stream)
  stream:write { settings.greeting, "\n" }
end))
