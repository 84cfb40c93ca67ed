---What LuaSocket's streams and datagram sockets share. A timeout of mode "b" is for a wait, of "t" for a whole call.

local each = require "momo.internal.each"
local now = require("momo.time").now
local words = require "momo.compat.luasocket.words"

---@class momo.compat.Socket private
---@field object any the stream, listener or UDP socket behind it; false: there is none yet, or no longer
---@field block number?
---@field total number?
---@field options table<string, any> that are set once it is there
---@field received integer bytes
---@field sent integer bytes
---@field born number
---@field watches table<string, momo.Watch> of select
local Base = {}

function Base.new(class, object)
  return setmetatable({
    object = object or false, options = {}, received = 0, sent = 0, born = now(), watches = {},
  }, class)
end

function Base:settimeout(value, mode)
  value = value and value >= 0 and value or nil
  if mode == "t" or mode == "r" then
    self.total = value
  else
    self.block = value
  end
  return 1
end

function Base:gettimeout()
  return self.block or -1, self.total or -1
end

---A class with the methods of others: a table that has all of them itself, since libraries look through it.
---@param name string
---@param ... table the later ones hide the earlier ones
---@return table class
function Base.class(name, ...)
  local class = { __name = name }
  for _, methods in ipairs { Base, ... } do
    for key, method in each(methods) do
      class[key] = method
    end
  end
  class.__index, class.new, class.class = class, nil, nil
  return class
end

---How long an operation may wait that begins now.
---@return number? seconds
function Base:limit()
  local block, total = self.block, self.total
  return block and total and math.min(block, total) or block or total
end

function Base:getfd()
  local fd = self.object and self.object:fd()
  return fd or -1
end

function Base:getstats()
  return self.received, self.sent, now() - self.born
end

function Base:setstats(received, sent, age)
  self.received, self.sent = received or self.received, sent or self.sent
  self.born = age and now() - age or self.born
  return 1
end

---Takes what was made for it, with the options that were set before.
---@return 1|nil ok
---@return string? err
function Base:take(object, err, code)
  if not object then
    return nil, words.error(err, code)
  end
  self.object = object
  for name, value in each(self.options) do
    local ok, problem = words.set_option(object, name, value)
    if not ok then
      return nil, problem
    end
  end
  self.options = {}
  return 1
end

function Base:setoption(name, value)
  if value == nil then
    value = true
  end
  if self.object then
    return words.set_option(self.object, name, value)
  end
  self.options[name] = value
  return 1
end

function Base:getoption(name)
  if not self.object then
    return self.options[name]
  end
  return words.get_option(self.object, name)
end

function Base:getsockname()
  if not self.object then
    return nil, "closed"
  end
  return words.split(self.object:local_addr())
end

function Base:getpeername()
  if not self.object then
    return nil, "closed"
  end
  return words.split(self.object:peer_addr())
end

function Base:close()
  for _, watch in each(self.watches) do
    watch:close()
  end
  self.watches = {}
  if self.object then
    self.object:close()
    self.object = false
  end
  return 1
end

return Base
