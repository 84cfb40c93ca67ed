---The rows of operations.lua for clients of NATS, whose server answers only what a client has to hear to begin.

local momo = require "momo"
local tcp = require "spec.support.tcp"

local rows = {}

local ANSWERS = {
  ["CONSUMER%.CREATE"] = '{"stream_name":"s","name":"c","config":{}}',
  ["STREAM%.INFO"] = '{"config":{"name":"KV_b","max_msgs_per_subject":1},"state":{}}',
}

-- Answers what is asked of JetStream's API as ANSWERS says, with a message if there is one, and nothing else.
---@async
local function answer(stream, has_message)
  local sid
  while true do
    local words = stream:read_until "\r\n"
    if not words then
      return
    end
    sid = words:match "^SUB _INBOX%S* +(%d+)" or sid
    local subject, reply, size = words:match "^H?PUB (%S+) ?(%S*) [%d ]-(%d+)\r\n$"
    if size then
      stream:read_exact(size + 2)
    end
    if has_message and subject and subject:find "MSG%.NEXT" then
      stream:write(("MSG s %s $JS.ACK.s.c.1.1.1.1.0 1\r\nx\r\n"):format(sid))
    end
    for pattern, body in pairs(ANSWERS) do
      if subject and subject:find(pattern) then
        stream:write(("MSG %s %s %d\r\n%s\r\n"):format(reply, sid, #body, body))
      end
    end
  end
end

---@return momo.nats.Client
---@return fun() close
local function client(has_message)
  local listener = tcp.listen()
  momo.spawn(function()
    local stream = listener:accept()
    stream:write "INFO {\"max_payload\":1000000}\r\nPONG\r\n"
    answer(stream, has_message)
    stream:close()
    listener:close()
  end)
  local made = assert(momo.nats.connect(listener:local_addr()))
  return made, function() made:close() end
end

rows["nats client:request"] = function()
  local made, close = client()
  return { own = true, wait = function(timeout) return made:request("a", "b", timeout or 1e9) end, check = close }
end

rows["nats client:publish"] = function()
  local listener, megabyte = tcp.listen(), ("x"):rep(1000000)
  local made = momo.spawn(momo.nats.connect, listener:local_addr(), { outbox = 1 })
  local deaf = listener:accept()
  deaf:write "INFO {\"max_payload\":1000000}\r\nPONG\r\n"
  made = select(2, made:join())
  repeat -- what the two sockets hold
    local ok = made:publish("a", megabyte, { timeout = 0.05 })
  until not ok
  return {
    own = true,
    wait = function(timeout) return made:publish("a", "b", { timeout = timeout }) end,
    check = function()
      made:close()
      deaf:close()
      listener:close()
    end,
  }
end

rows["nats client:flush"] = function()
  local made, close = client()
  return { own = true, wait = function(timeout) return made:flush(timeout) end, check = close }
end

rows["nats client:drain"] = function()
  local made = client()
  return {
    once = true,
    ends = true,
    wait = function() return made:drain(1e9) end,
    check = function() assert(made:status() == "closed") end,
  }
end

rows["nats jetstream:publish"] = function()
  local made, close = client()
  local jetstream = made:jetstream()
  return {
    wait = function() return jetstream:publish("a", "b", { timeout = 1e9 }) end,
    check = close,
  }
end

rows["nats consumer:fetch"] = function()
  local made, close = client()
  local consumer = assert(made:jetstream():ephemeral "s")
  return { wait = function() return consumer:fetch(1, 1e6) end, check = close }
end

rows["nats consumer:next"] = function()
  local made, close = client()
  local consumer = assert(made:jetstream():ephemeral "s")
  return { wait = function() return consumer:next() end, check = close }
end

rows["nats message:ack_sync"] = function()
  local made, close = client(true)
  local message = assert(assert(made:jetstream():ephemeral "s"):next())
  return { own = true, wait = function(timeout) return message:ack_sync(timeout or 1e9) end, check = close }
end

rows["nats jetstream:delete_stream"] = function()
  local made, close = client()
  local jetstream = made:jetstream { timeout = 1e9 }
  return { wait = function() return jetstream:delete_stream "a" end, check = close }
end

rows["nats key_value:get"] = function()
  local made, close = client()
  local bucket = assert(made:jetstream { timeout = 1e9 }:key_value "b")
  return { wait = function() return bucket:get "a" end, check = close }
end

rows["nats key_value:put"] = function()
  local made, close = client()
  local bucket = assert(made:jetstream { timeout = 1e9 }:key_value "b")
  return { wait = function() return bucket:put("a", "b") end, check = close }
end

rows["nats rx:recv"] = function()
  local made, close = client()
  local rx = made:subscribe "a"
  return { own = true, wait = function(timeout) return rx:recv(timeout) end, check = close }
end

rows["nats rx:drain"] = function()
  local made, close = client()
  local rx = made:subscribe "a"
  return { own = true, wait = function(timeout) return rx:drain(timeout) end, check = close }
end

rows["nats key_value:watch"] = function()
  local made, close = client()
  local next = assert(assert(made:jetstream { timeout = 1e9 }:key_value "b"):watch())
  return { wait = next, check = close }
end

rows["nats.connect"] = function()
  local listener = tcp.listen()
  return {
    wait = function() return momo.nats.connect(listener:local_addr(), { connect_timeout = 1e9 }) end,
    check = function() listener:close() end,
  }
end

return rows
