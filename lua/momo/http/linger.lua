---The end of a stream, so that its last bytes arrive: a close with unread bytes makes the system drop what the
---other end has not read yet.

local now = require("momo.time").now

---Reads and forgets what the other end goes on sending, until it has closed too, or the time is over.
---@async
---@param stream momo.Stream
---@param deadline number of momo.time.now
return function(stream, deadline)
  repeat
    local left = math.max(0, deadline - now())
    stream:set_timeout(left)
  until not stream:read() or left == 0
end
