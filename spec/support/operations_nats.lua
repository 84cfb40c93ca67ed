---The rows of operations.lua for clients of NATS, whose server answers only what a client has to hear to begin.

local momo = require "momo"
local tcp = require "spec.support.tcp"

local rows = {}

---@return momo.nats.Client
---@return fun() close
local function client(options)
  local listener = tcp.listen()
  momo.spawn(function()
    local stream = listener:accept()
    stream:write "INFO {\"max_payload\":1000000}\r\nPONG\r\n"
    repeat until not stream:read()
    stream:close()
    listener:close()
  end)
  local made = assert(momo.nats.connect(listener:local_addr(), options))
  return made, function() made:close() end
end

rows["nats client:request"] = function()
  local made, close = client()
  return { own = true, wait = function(timeout) return made:request("a", "b", timeout or 1e9) end, check = close }
end

rows["nats client:flush"] = function()
  local made, close = client()
  return { own = true, wait = function(timeout) return made:flush(timeout) end, check = close }
end

rows["nats client:drain"] = function()
  local made, close = client()
  return { once = true, wait = function() return made:drain(1e9) end, check = close }
end

rows["nats rx:recv"] = function()
  local made, close = client()
  local rx = made:subscribe "a"
  return { own = true, wait = function(timeout) return rx:recv(timeout) end, check = close }
end

rows["nats.connect"] = function()
  local listener = tcp.listen()
  return {
    wait = function() return momo.nats.connect(listener:local_addr(), { connect_timeout = 1e9 }) end,
    check = function() listener:close() end,
  }
end

return rows
