---Channels between threads: many senders, one receiver, bounded. They are used as those of momo.sync.
---
---Values are copied: booleans, numbers, strings, 64-bit integers, and tables of these, nested, shared and cyclic ones
---too, without their metatables. An end of another channel moves: the giver's handle of it is closed. An end is given
---away in a value, as an argument of momo.thread.spawn, or as a result. What a thread still has of them at its end is
---closed.

local check = require "momo.internal.check"
local core = require "momo.internal.core"
local names = require "momo.internal.names"
local waitable = require "momo.internal.waitable"

local C, native = core.first, core.native
local channel = require "momo.internal.channel"
local channel_recv, channel_send = native.channel_recv, native.channel_send
local message = core.new "momo_message"

---The sending end of a channel between threads.
---@class momo.thread.Sender: momo.Sender
local Sender = native.metatables.sender
Sender.__name = "momo.thread.Sender"
Sender.__index = Sender

---The receiving end of a channel between threads. Values that were sent to one that is closed are dropped, and the ends
---in them closed.
---@class momo.thread.Receiver: momo.Receiver
local Receiver = native.metatables.receiver
Receiver.__name = "momo.thread.Receiver"
Receiver.__index = Receiver

local M = {}

---Sends a copy of a value; waits while the channel is full, its thread does not.
---
---Booleans, numbers, strings, 64-bit integers (`1LL`, `1ULL`) and tables of these are copied, nested, shared and cyclic
---ones too, without their metatables. Anything else throws and names the place (`value.handlers[3] is a function`):
---then nothing was sent, and no end given away. The end of another channel moves: the giver's handle of it is closed,
---and who waits in that gets ECANCELED.
---
---Codes: EPIPE nobody will receive; ETIMEDOUT; ECANCELED it was closed or given away meanwhile; EBADF it is closed.
---@async
---@param value any but nil, which throws
---@param timeout number? seconds; 0 only tries
---@return true? ok
---@return string? err
---@return string? code
function Sender:send(value, timeout)
  if timeout == nil and getmetatable(self) == Sender then
    local kind = type(value)
    if kind == "number" and C.momo_send_number(self, value) ~= 0
      or kind == "string" and C.momo_send_string(self, value, #value) ~= 0 then
      return true
    end
  end
  local again, _, err, code
  repeat again, _, err, code = channel_send(self, value, timeout) until not again
  if err then
    return nil, err, code
  end
  return true
end

---Another sender of the same channel; the values of each arrive in order.
---@type fun(self: momo.thread.Sender): tx: momo.thread.Sender
Sender.clone = native.sender_clone

---When the last sender is closed, the receiver gets what was sent, and then EOF. May be repeated.
---@type fun(self: momo.thread.Sender)
Sender.close = native.end_close

---The oldest value of some sender; waits for one.
---
---Codes: EOF nobody will send; ETIMEDOUT; ECANCELED it was closed or given away meanwhile; EBADF it is closed.
---@async
---@param timeout number? seconds; 0 only tries
---@return any value
---@return string? err
---@return string? code
function Receiver:recv(timeout)
  if timeout == nil and getmetatable(self) == Receiver then
    local kind = C.momo_receive(self, message)
    if kind == C.MOMO_NUMBER then
      return message.number
    elseif kind == C.MOMO_STRING then
      local size, bytes = message.size, message.bytes -- which a finalizer can't change any more
      local value = core.string(bytes, size)
      C.momo_received(self)
      return value
    end
  end
  local again, value, err, code
  repeat again, value, err, code = channel_recv(self, timeout) until not again
  if err then
    return nil, err, code
  end
  return value
end

-- A cancellation is raised before anything is taken, and will be again.
local function try(receiver)
  local ok, value = pcall(receiver.recv, receiver, 0)
  if ok then
    return value
  elseif getmetatable(value) ~= native.metatables.cancelled then
    native.rethrow(value)
  end
end

---The values that are there, the oldest first, at most `max` of them; waits for the first.
---
---Codes: EOF nobody will send; ETIMEDOUT; ECANCELED it was closed or given away meanwhile; EBADF it is closed.
---@async
---@param max integer 1 or more
---@param timeout number? seconds; 0 only tries
---@return any[]? values one at least
---@return string? err
---@return string? code
function Receiver:recv_many(max, timeout)
  check.self(self, Receiver, "rx", "recv_many")
  return channel.recv_many(self, max, timeout, try)
end

---Iterates until the end, or until the receiver is closed meanwhile. One that is closed already throws.
---@async
---@return fun(): any next for the `for` loop
function Receiver:iter()
  check.self(self, Receiver, "rx", "iter")
  return channel.iterate(self)
end

---Drops what was not received. Who waits in `send` gets EPIPE, in `recv` ECANCELED. May be repeated.
---@type fun(self: momo.thread.Receiver)
Receiver.close = native.end_close

waitable[Receiver] = {
  is_ready = native.channel_ready,
  consume = function(self) return self:recv(0) end,
  waiters = function(self) return self, self end,
  woken = native.channel_woken,
}

---A channel between threads: many senders (`tx:clone()`), one receiving end, bounded. Its ends are given to other
---threads as arguments of `momo.thread.spawn`, in values of other channels, or as results. A thread's end, however it
---comes, closes the ends that it has, so nobody waits for ever.
---@param capacity integer values that are under way at most, of all senders together; then senders wait
---@return momo.thread.Sender tx
---@return momo.thread.Receiver rx
function M.channel(capacity)
  check.argument(check.is_whole(capacity) and capacity >= 1 and capacity <= 2 ^ 31,
    "channel: the capacity of a channel between threads must be a whole number from 1 to 2^31", capacity)
  return native.thread_channel(capacity)
end

names.objects(Sender, "tx")
names.objects(Receiver, "rx", "for value in rx:iter() do")

return M
