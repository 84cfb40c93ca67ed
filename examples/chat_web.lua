-- A chat in the browser, over WebSocket: each line goes to all.
--
--    ./dev run examples/chat_web.lua [ADDRESS]      then open http://127.0.0.1:8080/ in two windows

local momo = require "momo"
local http = momo.http

local PAGE = [[
<!doctype html><meta charset="utf-8"><title>Chat</title>
<ul></ul><form><input autofocus autocomplete="off"></form>
<script>
const ws = new WebSocket(location.origin.replace("http", "ws") + "/chat"), input = document.querySelector("input")
ws.onmessage = e => {
  const line = document.createElement("li")
  line.textContent = e.data
  document.querySelector("ul").append(line)
}
document.querySelector("form").onsubmit = e => { e.preventDefault(); ws.send(input.value); input.value = "" }
</script>
]]

local QUEUE = 100 -- lines that wait for one visitor; who is further behind misses some

local visitors = {} -- a sender of lines for each
local router = http.Router()

router:handle("GET /{$}", function(_, response)
  response:send(200, PAGE, { ["Content-Type"] = "text/html; charset=utf-8" })
end)

router:handle("GET /chat", function(request, response)
  local ws = response:websocket(request)
  if not ws then
    return
  end
  local tx, rx = momo.sync.channel(QUEUE)
  visitors[tx] = true
  local writer = momo.spawn(function()
    for line in rx:iter() do
      ws:send(line)
    end
  end)
  for line in ws:messages() do
    for each in pairs(visitors) do
      each:send(line, 0)
    end
  end
  visitors[tx] = nil
  tx:close()
  writer:join()
end)

io.stdout:setvbuf "line"
local listener = assert(momo.net.TcpListener.bind(arg[1] or "127.0.0.1:8080"))
print("chat_web listens on " .. listener:local_addr())
assert(http.serve(listener, router, { drain = 5 }))
