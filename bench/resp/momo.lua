-- The example that speaks Redis' protocol. Usage: momo.lua PORT

local serve = loadfile(os.getenv "MOMO_SOURCE_DIR" .. "/examples/resp_server.lua")
if serve then -- else it is shown as absent
  _G.arg = { "127.0.0.1:" .. ... }
  serve()
end
