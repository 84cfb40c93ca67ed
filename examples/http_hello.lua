-- The first web server.
--
--    ./dev run examples/http_hello.lua [ADDRESS]      then:  curl http://127.0.0.1:8080/hello/Ada

local momo = require "momo"
local http = momo.http

local router = http.Router()

router:handle("GET /{$}", function(_, response)
  response:send(200, "Try /hello/your-name\n")
end)

router:handle("GET /hello/{name}", function(request, response)
  response:send(200, "Hello, " .. request.params.name .. "!\n")
end)

io.stdout:setvbuf "line"
local listener = assert(momo.net.TcpListener.bind(arg[1] or "127.0.0.1:8080"))
print("http_hello listens on " .. listener:local_addr())
assert(http.serve(listener, router, { drain = 5 })) -- Ctrl-C: running requests are answered
