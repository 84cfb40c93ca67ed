---Private: bytes that wait to be written, whole messages each. They are joined in blocks as they come, so that a burst
---of small ones costs one system call in the end.

local sync = require "momo.sync"

local PIECES = 4096 -- of a block
local BLOCK = 65536 -- bytes from which a block is closed

---@class momo.nats.Outbox
---@field limit integer bytes from which on who puts something in waits
---@field bytes integer that wait
---@field closed boolean
---@field private pieces (string|integer)[] the open block
---@field private n integer of them
---@field private size integer of the open block
---@field private filling integer places that were taken and are not filled
---@field private blocks string[]
---@field private filled boolean the writer has something to look at
---@field private work momo.Notify
---@field private room momo.Notify
local Outbox = {}
Outbox.__index = Outbox

-- A finalizer may publish too, in the midst of these functions. So new objects are made first, places are taken before
-- they are filled, and nobody closes a block in which a place is not filled yet.

local function close_block(self)
  local fresh = {}
  local pieces, n = self.pieces, self.n
  self.pieces, self.n, self.size = fresh, 0, 0
  local block = table.concat(pieces, "", 1, n)
  self.blocks[#self.blocks + 1] = block
end

local function added(self, size)
  self.bytes = self.bytes + size
  self.size = self.size + size
  if self.filling == 0 and (self.n >= PIECES or self.size >= BLOCK) then
    close_block(self)
  end
  if not self.filled then
    self:wake()
  end
end

---The writer looks at it.
function Outbox:wake()
  self.filled = true
  self.work:notify_one()
end

---Puts four pieces in, as most messages have.
---@param a string
---@param b integer|string
---@param c string
---@param d string
function Outbox:put(a, b, c, d)
  self.filling = self.filling + 1
  local n = self.n + 4
  self.n = n
  local pieces = self.pieces
  pieces[n - 3] = a
  pieces[n - 2] = b
  pieces[n - 1] = c
  pieces[n] = d
  self.filling = self.filling - 1
  added(self, #a + #c + #d + 8) -- the second one is short
end

---Puts a line in.
---@param text string
function Outbox:line(text)
  self:put(text, "", "", "\r\n")
end

---Waits until it is less full than its limit.
---@async
---@param timeout number? seconds
---@return true? ok nil: the time is over
---@return string? err
---@return string? code
function Outbox:wait(timeout)
  while self.bytes >= self.limit and not self.closed do
    local ok, err, code = self.room:notified(timeout)
    if not ok then
      return nil, err, code
    end
  end
  return true
end

---Waits until there is something, or somebody calls wake.
---@async
function Outbox:await()
  while not self.filled do
    self.work:notified()
  end
end

---All that waits now.
---@return string[] blocks
function Outbox:take()
  self.filled = false
  if self.n > 0 then
    close_block(self)
  end
  local fresh = {}
  local blocks = self.blocks
  self.blocks, self.bytes = fresh, 0
  self.room:notify_waiters()
  return blocks
end

---Who waits for room hears that there will be none.
function Outbox:close()
  self.closed = true
  self.room:notify_waiters()
end

---@param limit integer
---@return momo.nats.Outbox
return function(limit)
  return setmetatable({
    limit = limit, bytes = 0, closed = false, pieces = {}, n = 0, size = 0, filling = 0, blocks = {}, filled = false,
    work = sync.Notify(), room = sync.Notify(),
  }, Outbox)
end
