---A real nats-server for a spec, on a free port; it can be killed and started again on the same one.

local folder = require "spec.support.folder"
local process = require "spec.support.process"
local support = require "spec.support"

local M = {}

---@param server {arguments: string[], port: string, url: string, process: table}
function M.start(server)
  local words = { "nats-server", "-a", "127.0.0.1", "-p", server.port or "-1" }
  for _, word in ipairs(server.arguments) do
    words[#words + 1] = word
  end
  server.process = process.start(unpack(words))
  local port
  while true do -- it tells in which order it likes
    local line = process.line_of(server.process)
    port = line:match "Listening for client connections on 127%.0%.0%.1:(%d+)" or port
    if line:find "Server is ready" then
      break
    end
  end
  server.port = server.port or port
  server.url = "nats://127.0.0.1:" .. server.port
  return server
end

---@param ... string more arguments
function M.server(...)
  return M.start { arguments = { ... } }
end

---Ends it as a crash does.
function M.kill(server)
  support.shell("kill -KILL " .. server.process.pid)
  process.wait(server.process)
end

---One with JetStream, whose store lives as long as the returned folder.
---@return table server
function M.jetstream()
  return M.server("-js", "-sd", folder.make {})
end

---One with the settings of a file.
function M.configured(text)
  return M.server("-c", folder.make { ["nats.conf"] = text } .. "/nats.conf")
end

return M
