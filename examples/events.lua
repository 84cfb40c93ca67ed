-- Server-sent events: a clock that each visitor watches as long as they like.
--
--    ./dev run examples/events.lua [ADDRESS]      then:  curl -N http://127.0.0.1:8080/events

local momo = require "momo"
local http = momo.http

local PAUSE_SECONDS = tonumber(os.getenv "PAUSE") or 1

local router = http.Router()

router:handle("GET /events", function(_, response)
  response:start(200, { ["Content-Type"] = "text/event-stream", ["Cache-Control"] = "no-store" })
  local n = 0
  repeat
    n = n + 1
    local ok = response:write(("id: %d\ndata: %s\n\n"):format(n, os.date "%X"))
    momo.time.sleep(PAUSE_SECONDS)
  until not ok -- the visitor has left
end)

router:handle("GET /{$}", function(_, response)
  response:send(200, [[
<!doctype html><title>Clock</title><h1></h1>
<script>new EventSource("/events").onmessage = e => document.querySelector("h1").textContent = e.data</script>
]], { ["Content-Type"] = "text/html; charset=utf-8" })
end)

io.stdout:setvbuf "line"
local listener = assert(momo.net.TcpListener.bind(arg[1] or "127.0.0.1:8080"))
print("events listens on " .. listener:local_addr())
assert(http.serve(listener, router))
