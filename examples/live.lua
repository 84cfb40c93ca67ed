-- A page that shows what happens as it happens, in three ways: a stream that fetch reads, server-sent events, and a
-- WebSocket.
--
--    ./dev run examples/live.lua [ADDRESS]      then open http://127.0.0.1:8080/

local momo = require "momo"
local http = momo.http

local LINES = 5

local PAGE = [[
<!doctype html><meta charset="utf-8"><title>Live</title>
<style>body { font: 15px sans-serif; display: flex; gap: 2em } li { font-family: monospace }</style>
<section><h3>fetch</h3><ul id="stream"></ul></section>
<section><h3>EventSource</h3><ul id="events"></ul></section>
<section><h3>WebSocket</h3><ul id="chat"></ul></section>
<script>
function show(list, text) {
  const item = document.createElement("li")
  item.textContent = text
  document.getElementById(list).append(item)
}

async function stream() {
  const reader = (await fetch("/stream")).body.pipeThrough(new TextDecoderStream()).getReader()
  for (let piece; !(piece = await reader.read()).done;) show("stream", piece.value)
}
stream()

const events = new EventSource("/events")
events.onmessage = e => show("events", e.data)
events.addEventListener("end", () => events.close())

const ws = new WebSocket(location.origin.replace("http", "ws") + "/chat")
ws.onopen = () => ws.send("hello")
ws.onmessage = e => show("chat", e.data)
ws.onclose = e => show("chat", `closed: ${e.code}`)
</script>
]]

local router = http.Router()

router:handle("GET /{$}", function(_, response)
  response:send(200, PAGE, { ["Content-Type"] = "text/html; charset=utf-8" })
end)

router:handle("GET /stream", function(_, response)
  response:start(200, { ["Content-Type"] = "text/plain; charset=utf-8", ["Cache-Control"] = "no-store" })
  for n = 1, LINES do
    if not response:write("piece " .. n) then
      return -- the visitor has left
    end
    momo.time.sleep(0.2)
  end
end)

router:handle("GET /events", function(_, response)
  response:start(200, { ["Content-Type"] = "text/event-stream", ["Cache-Control"] = "no-store" })
  for n = 1, LINES do
    if not response:write(("data: event %d\n\n"):format(n)) then
      return
    end
    momo.time.sleep(0.2)
  end
  response:write "event: end\ndata:\n\n"
end)

router:handle("GET /chat", function(request, response)
  local ws = response:websocket(request)
  local message = ws and ws:recv()
  if message then
    for n = 1, LINES do
      ws:send(("%s %d"):format(message, n))
      momo.time.sleep(0.2)
    end
  end
end)

io.stdout:setvbuf "line"
local listener = assert(momo.net.TcpListener.bind(arg[1] or "127.0.0.1:8080"))
print("live listens on " .. listener:local_addr())
assert(http.serve(listener, router, { drain = 5 }))
