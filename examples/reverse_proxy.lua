-- A reverse proxy: requests to its address go to the servers that are named, in turn, and WebSockets through it. A
-- server that is down is left out; those behind it see in X-Forwarded-For who has asked.
--
--    momo reverse_proxy.lua [ADDRESS] [URL ...]
--    momo reverse_proxy.lua 127.0.0.1:8080 http://127.0.0.1:8081 http://127.0.0.1:8082

local momo = require "momo"

local address = arg[1] or "127.0.0.1:8080"
local urls = arg[2] and { unpack(arg, 2) } or { "http://127.0.0.1:8081" }
local proxy = momo.http.proxy(urls, { connect_timeout = 2, timeout = 30 })
local router = momo.http.Router()
router:handle("/", proxy)
router:handle("GET /health", function(_, response) response:send(200, "up\n") end) -- the proxy's own

local listener = assert(momo.net.TcpListener.bind(address))
io.stdout:setvbuf "line"
print("reverse_proxy listens on " .. listener:local_addr())
momo.http.serve(listener, router, { drain = 10, max_connections = 10000 })
