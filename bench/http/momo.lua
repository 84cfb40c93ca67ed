-- An HTTP server on Momo. It gets a folder, with static files and a certificate, and "plain" or "tls"; listens on
-- 127.0.0.1, and prints its port as its first line.
--
--   /            Hello, world!         /1k, /1m      so many bytes from memory      /upload      reads the body
--   /header      the same, if there    /static/NAME  a file of the folder           /websocket   echoes messages
--                is a User-Agent       /json         an object, encoded each time, where there is a library for it

local momo = require "momo"

local folder, mode = ...
local http = momo.http
local router, has_json, json = http.Router(), pcall(require, "cjson")
local TEXT = { ["Content-Type"] = "text/plain" }

local function hello(_, response)
  response:send(200, "Hello, world!\n", TEXT)
end

router:handle("GET /{$}", hello)
router:handle("GET /header", function(request, response)
  if request:header "user-agent" then
    hello(request, response)
  end
end)
router:handle("GET /json", function(_, response)
  response:send(200, has_json and json.encode { message = "Hello, world!" } or '{"message":"Hello, world!"}',
    { ["Content-Type"] = "application/json" })
end)
for name, size in pairs { ["1k"] = 1024, ["1m"] = 1024 * 1024 } do
  local body = ("x"):rep(size)
  router:handle("GET /" .. name, function(_, response) response:send(200, body, TEXT) end)
end
router:handle("POST /upload", function(request, response)
  local total = 0
  for piece in request:pieces() do
    total = total + #piece
  end
  response:send(200, total .. "\n", TEXT)
end)
router:handle("GET /static/{path...}", http.files(folder))
router:handle("GET /websocket", function(request, response)
  local ws = assert(response:websocket(request))
  for message, kind in ws:messages() do
    ws:send(message, kind)
  end
end)

local function read(name)
  local file = assert(io.open(folder .. "/" .. name))
  local text = file:read "*a"
  file:close()
  return text
end

local options
if mode == "tls" then
  options = { tls = assert(momo.tls.server { cert = read "cert.pem", key = read "key.pem" }) }
end
local listener = assert(momo.net.TcpListener.bind "127.0.0.1:0")
print((listener:local_addr():match "%d+$"))
io.stdout:flush()
http.serve(listener, router, options)
