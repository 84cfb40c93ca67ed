---Programs that run beside a spec's own servers and clients, within a run.

local momo = require "momo"
local tcp = require "spec.support.tcp"

local M = {}

---A port that is free now, and none of those that the system gives to connections: one that asks whether somebody
---listens yet could be given the very port, and would be connected with itself.
---@return string port
function M.free_port()
  local port = math.floor(momo.time.wall() * 1000) % 10000 + 20000
  while true do
    local listener = momo.net.TcpListener.bind("127.0.0.1:" .. port)
    if listener then
      listener:close()
      return tostring(port)
    end
    port = port + 1
  end
end

---Runs fn() beside a program, once something listens on the port.
---@param words table as for momo.process.spawn
---@param port string
---@param fn fun()
function M.run(words, port, fn)
  words.stdout = words.stdout or "null"
  local child = assert(momo.process.spawn(words))
  local ended = momo.spawn(child.wait, child)
  tcp.wait_for(function()
    assert(ended:status() == "waiting" or ended:status() == "ready", words[1] .. " has ended")
    local stream = momo.net.TcpStream.connect("127.0.0.1:" .. port)
    return stream and (stream:close() or true)
  end)
  momo.scope(function(scope)
    scope:defer(function()
      child:kill()
      ended:join()
    end)
    fn()
  end)
end

return M
