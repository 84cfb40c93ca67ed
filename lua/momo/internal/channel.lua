---Channels between the tasks of one thread: many senders, one receiver. See sync.lua for what all waiting has in
---common.

local bit = require "bit"
local check = require "momo.internal.check"
local core = require "momo.internal.core"
local names = require "momo.internal.names"
local waitable = require "momo.internal.waitable"

local C, native = core.first, core.native
local park, queue = native.park, native.queue
local band, type = bit.band, type

local M = {}

-- A sender's channel is its `into`, a receiver's its `from`, until it is closed. So one look-up tells them from each
-- other and from all else, where getmetatable would be several; what finds nothing there is checked in full.
-- Each has the method that is called most as a field of its own: there it is found at once.

---The sending end of a channel between tasks of one thread.
---@class momo.Sender
local Sender = { __name = "momo.Sender" }
Sender.__index = Sender

---The receiving end of a channel between tasks of one thread. Several tasks may call `recv`: each value goes to one of
---them.
---@class momo.Receiver
local Receiver = { __name = "momo.Receiver" }
Receiver.__index = Receiver

---Why a wait in a queue has ended, if nobody has woken the task. Raises a cancellation.
---@return nil, string err, string code
function M.give_up(of, timeout)
  local again, err, code
  repeat again, err, code = park(of, timeout) until not again
  return nil, err, code
end

---What `recv_many` of a receiver does, here and in thread_channel.lua: what needs no waiting comes with the first.
---@async
---@param try fun(receiver): any the next value, if there is one; it raises no cancellation, which would lose the others
function M.recv_many(receiver, max, timeout, try)
  check.argument(check.is_whole(max) and max >= 1, "recv_many: argument 1 must be a whole number from 1", max)
  check.seconds(timeout, "recv_many")
  local value, err, code = receiver:recv(timeout)
  if value == nil then
    return nil, err, code
  end
  local values, n = {}, 0
  while value ~= nil do
    n = n + 1
    values[n] = value
    value = nil
    if n < max then
      value = try(receiver)
    end
  end
  return values
end

---What `iter` of a receiver returns, here and in thread_channel.lua.
function M.iterate(receiver)
  local begun = false
  return function()
    local value, err, code = receiver:recv()
    if code == "EBADF" and not begun then
      check.fail("iter: " .. err:match ": (.*)$")
    end
    begun = true
    return value
  end
end

local function eof()
  return nil, "EOF: end of file", "EOF"
end

local function broken_pipe()
  return nil, "EPIPE: broken pipe", "EPIPE"
end

-- A finalizer may send, and LuaJIT runs finalizers wherever compiled code is left, as at a comparison that goes the
-- other way than before. So what is read before a comparison or a loop is read anew after it, and what is stored then
-- is stored at once.

---Twice the room, the values in order from place 1 on.
local function grow(channel)
  local larger = {}
  local ring, mask, head, tail = channel.ring, channel.mask, channel.head, channel.tail
  for i = head, tail - 1 do
    larger[i - head + 1] = ring[band(i, mask) + 1]
  end
  if channel.ring == ring and channel.tail == tail and channel.head == head then -- else there was a finalizer
    channel.ring, channel.mask, channel.head, channel.tail = larger, 2 * mask + 1, 0, tail - head
  end
end

local function push(channel, value)
  if channel.tail - channel.head > channel.mask then
    grow(channel)
    return push(channel, value)
  end
  local tail = channel.tail
  channel.ring[band(tail, channel.mask) + 1] = value
  channel.tail = tail + 1
  if channel.receiving then
    if C.momo_queue_wake(channel.receivers) ~= 0 then
      channel.promised = channel.promised + 1 -- a value is kept for the one that was woken
    else
      channel.receiving = false
    end
  end
end

---Once there is nothing that a send would have to mind, it need only look whether there is room.
local function relax(channel)
  if channel.reserved == 0 and not channel.sending and not channel.once then
    channel.credits = channel.capacity
  end
end

---Wakes the first sender that waits, if there is room for its value.
local function admit(channel)
  if channel.sending and channel.tail - channel.head + channel.reserved < channel.capacity then
    if C.momo_queue_wake(channel.senders) ~= 0 then
      channel.reserved = channel.reserved + 1 -- a place is kept for it
    else
      channel.sending = false
      relax(channel)
    end
  end
end

---Whether nothing more will come, though what has come may still be there.
local function ended(channel)
  return channel.open == 0 and channel.reserved == 0
    and not (channel.sending and C.momo_queue_waiting(channel.senders) ~= 0)
end

---Those who wait for a value hear that there will be none.
local function announce_end(channel)
  if channel.receiving and ended(channel) then
    channel.receiving = false
    C.momo_queue_wake_all(channel.receivers)
  end
end

---Sends when its turn comes.
local function send_in_turn(channel, value, timeout)
  channel.sending = true
  channel.credits = 0
  if park(channel.senders, timeout) then
    announce_end(channel)
    return M.give_up(channel.senders, timeout)
  elseif channel.receiver_closed then
    return broken_pipe()
  end
  channel.reserved = channel.reserved - 1
  push(channel, value)
  admit(channel)
  relax(channel)
  announce_end(channel)
  return true
end

local function send_with_care(self, value, timeout)
  check.self(self, Sender, "tx", "send")
  local channel = self.into
  if value == nil then
    check.fail("send: nil can't be sent; it stands for the end")
  elseif not channel then
    return nil, "EBADF: the sender is closed", "EBADF"
  end
  check.seconds(timeout, "send")
  if channel.receiver_closed then
    return broken_pipe()
  end
  if channel.tail - channel.head + channel.reserved >= channel.capacity or channel.reserved > 0
    or channel.sending and C.momo_queue_waiting(channel.senders) ~= 0 then
    local ok, err, code = send_in_turn(channel, value, timeout)
    if not ok then
      return nil, err, code
    end
  else
    push(channel, value)
  end
  if channel.once then
    self:close()
  end
  return true
end

---Sends a value; waits while the channel is full.
---
---Codes: EPIPE nobody will receive; ETIMEDOUT; EBADF the sender is closed.
---@async
---@param value any but nil, which throws
---@param timeout number? seconds; 0 only tries
---@return true? ok
---@return string? err
---@return string? code
function Sender:send(value, timeout)
  local channel = type(self) == "table" and self.into
  if channel and value ~= nil and timeout == nil and channel.tail - channel.head < channel.credits then
    push(channel, value)
    return true
  end
  return send_with_care(self, value, timeout)
end

local function new_sender(channel)
  return setmetatable({ into = channel, send = Sender.send }, Sender)
end

---Another sender of the same channel, which ends when all are closed.
---@return momo.Sender tx
function Sender:clone()
  check.self(self, Sender, "tx", "clone")
  local channel = self.into
  if not channel then
    check.fail("clone: the sender is closed")
  end
  channel.open = channel.open + 1
  return new_sender(channel)
end

---When the last sender is closed, the receiver gets what was sent, and then EOF. May be repeated.
function Sender:close()
  check.self(self, Sender, "tx", "close")
  local channel = self.into
  if channel then
    self.into = false
    channel.open = channel.open - 1
    announce_end(channel)
  end
end

---Takes the oldest value, and lets the first sender that waits have the room.
local function take(channel)
  local head = channel.head
  local i = band(head, channel.mask) + 1
  local ring = channel.ring
  local value = ring[i]
  ring[i] = false
  channel.head = head + 1
  if channel.sending then
    admit(channel)
  end
  return value
end

---What being woken has brought.
local function woken(channel)
  if channel.promised > 0 then
    channel.promised = channel.promised - 1
    return take(channel)
  elseif channel.receiver_closed then
    return nil, "ECANCELED: operation canceled", "ECANCELED"
  end
  return eof()
end

---The oldest value; waits for one.
---
---Codes: EOF nobody will send; ETIMEDOUT; ECANCELED it was closed meanwhile; EBADF it is closed.
---@async
---@param timeout number? seconds; 0 only tries
---@return any value
---@return string? err
---@return string? code
function Receiver:recv(timeout)
  local channel = type(self) == "table" and self.from
  if not channel then
    check.self(self, Receiver, "rx", "recv")
    return nil, "EBADF: the receiver is closed", "EBADF"
  elseif timeout ~= nil then
    check.seconds(timeout, "recv")
  end
  if channel.tail - channel.head > channel.promised then
    return take(channel)
  elseif ended(channel) then
    return eof()
  end
  channel.receiving = true
  if park(channel.receivers, timeout) then
    return M.give_up(channel.receivers, timeout)
  end
  return woken(channel)
end

local function try(receiver)
  local channel = receiver.from
  if channel and channel.tail - channel.head > channel.promised then
    return take(channel)
  end
end

---The values that are there, the oldest first, at most `max` of them; waits for the first.
---
---Codes: EOF nobody will send; ETIMEDOUT; ECANCELED it was closed meanwhile; EBADF it is closed.
---@async
---@param max integer 1 or more
---@param timeout number? seconds; 0 only tries
---@return any[]? values one at least
---@return string? err
---@return string? code
function Receiver:recv_many(max, timeout)
  check.self(self, Receiver, "rx", "recv_many")
  return M.recv_many(self, max, timeout, try)
end

---Iterates until the end, or until the receiver is closed meanwhile. One that is closed already throws.
---@async
---@return fun(): any next for the `for` loop
function Receiver:iter()
  check.self(self, Receiver, "rx", "iter")
  return M.iterate(self)
end

---Drops what was not received. Who waits in `send` gets EPIPE, in `recv` ECANCELED. May be repeated.
function Receiver:close()
  check.self(self, Receiver, "rx", "close")
  local channel = self.from
  if channel then
    self.from = false
    channel.receiver_closed, channel.credits = true, 0
    channel.ring, channel.head, channel.tail = {}, 0, 0
    channel.sending, channel.receiving, channel.promised = false, false, 0
    C.momo_queue_wake_all(channel.senders)
    C.momo_queue_wake_all(channel.receivers)
  end
end

waitable[Receiver] = {
  is_ready = function(self)
    local channel = self.from
    return not channel or channel.tail - channel.head > channel.promised or ended(channel)
  end,
  consume = function(self) return self:recv(0) end,
  waiters = function(self)
    self.from.receiving = true
    return self.from.receivers, self.from
  end,
  woken = woken,
}

local function new_channel(capacity, name)
  return {
    name = name,
    ring = {},
    mask = 7,
    head = 0,     -- values received
    tail = 0,     -- values sent
    capacity = capacity,
    credits = capacity, -- below so many values a send need not mind anything else; else 0
    open = 1,     -- senders
    once = false, -- a oneshot: its sender is closed after a value
    receiver_closed = false, -- the receiver is closed
    senders = queue "send",
    sending = false, -- there may be tasks in `senders`
    reserved = 0,    -- places for senders that were woken
    receivers = queue "recv",
    receiving = false, -- there may be tasks in `receivers`
    promised = 0,      -- values for receivers that were woken
  }
end

---A channel between tasks of this thread: many senders (`tx:clone()`), one receiving end.
---@param capacity integer? values that it holds, from 1; without one it is unbounded, and `send` never waits
---@param name string? that `momo.tasks` and reports show of those who wait there
---@return momo.Sender tx
---@return momo.Receiver rx
function M.channel(capacity, name)
  check.argument(capacity == nil or (check.is_whole(capacity) and capacity >= 1),
    "channel: the capacity must be a whole number from 1, or nil", capacity)
  check.argument(name == nil or type(name) == "string", "channel: the name must be a string, or nil", name)
  local channel = new_channel(capacity or math.huge, name)
  return new_sender(channel), setmetatable({ from = channel, recv = Receiver.recv }, Receiver)
end

---A channel for one value; it is closed after that.
---@return momo.Sender tx
---@return momo.Receiver rx
function M.oneshot()
  local tx, rx = M.channel(1)
  tx.into.once, tx.into.credits = true, 0
  return tx, rx
end

names.objects(Sender, "tx")
names.objects(Receiver, "rx", "for value in rx:iter() do")

return M
