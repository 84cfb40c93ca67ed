---Conversations over streams of every kind. The bytes of each direction are a stretch of one long text, in which no two
---places are alike: so a byte that is lost, comes twice, or comes from another connection is seen at once.

local buffer = require "string.buffer"
local ffi = require "ffi"
local momo = require "momo"
local core = require "momo.internal.core"

local net = momo.net
local length = core.new "size_t[1]"
local RECORDS, RECORD = 32768, 8
local PERIOD = RECORDS * RECORD
local text

local M = {}

-- n bytes of the flow's text.
local function bytes(flow, from, n)
  if not text then
    local records = {}
    for i = 1, RECORDS do
      records[i] = ("%07x%s"):format(i * 7919 % 268435456, i % 5 == 0 and "\n" or ";")
    end
    text = table.concat(records):rep(3)
  end
  local start = (flow.salt + from) % PERIOD
  return text:sub(start + 1, start + n)
end

---One direction. sent: bytes that are sure to be sent; at_most: as many may be, since a write was cut short; position:
---bytes that were read; dropped: how much each consume of a finalizer has dropped; broken: an end was closed early;
---back: the flow the other way, if there is one.
function M.flow(random, goal)
  return {
    salt = random(RECORDS) * RECORD,
    goal = goal,
    sent = 0,
    at_most = 0,
    position = 0,
    dropped = {},
    broken = false,
  }
end

---The code, behind a blank, that TLS tells at an end which came too early, as a write was cut short; or nothing.
function M.truncation(flow)
  return flow.at_most > flow.sent and " ETLS" or ""
end

-- What was read must be what comes next. A finalizer may have dropped bytes just before or just after, while the string
-- was made: `before` says how many consumes there had been when the read began.
local function check_read(actor, flow, name, data, before, stays)
  local start, last = flow.position, #flow.dropped -- what follows allocates, and so may drop more
  local matches = bytes(flow, start, #data) == data
  for i = last, before, -1 do
    start = start - flow.dropped[i]
    matches = matches or bytes(flow, start, #data) == data
  end
  if not matches then
    local found = text:find(data, 1, true)
    actor.world:problem(actor.name, name, "returned other bytes at", flow.position, "by", before, "to", last,
      ":", data:sub(1, 60), found and "which are those at " .. (found - 1 - flow.salt) % PERIOD or "of nowhere")
  end
  actor.world:log(actor.name, "  has", #data, "bytes at", flow.position)
  if not stays then
    flow.position = flow.position + #data
  end
end

local function read_failed(actor, flow, name, err, code)
  actor.world:log(actor.name, "  returned", err)
  actor.world:failed(actor.name .. " " .. name, err, code,
    flow.broken and "EOF ETIMEDOUT ECANCELED EBADF ECONNRESET ETLS" or "EOF ETIMEDOUT" .. M.truncation(flow))
  if code == "ETLS" and flow.back then -- the connection is at its end in both directions
    flow.back.broken = true
  end
  if code == "EOF" then
    flow.ended = true
  elseif code ~= "ETIMEDOUT" and not actor.world:is_want(err) then
    flow.broken, flow.ended = true, true
  end
end

-- As stream:read.
local function read_into(stream, n)
  local into = buffer.new():put "kept"
  local count, err, code = stream:read_into(into, n)
  if not count then
    return nil, err, code
  end
  local all = into:get()
  return #all == count + 4 and all:sub(1, 4) == "kept" and all:sub(5) or "other bytes", err, code
end

local function reading(name, argument)
  return function(actor, flow, stream)
    local n = argument and argument(actor.random)
    actor:step(name .. " " .. tostring(n), function()
      local before = #flow.dropped + 1
      local data, err, code
      if name == "read_into" then
        data, err, code = read_into(stream, n)
      else
        data, err, code = stream[name](stream, n)
      end
      if data then
        local fits = name == "read_exact" and #data == n or name ~= "read_exact" and #data <= (n or 65536)
        actor.world:expect(#data > 0 and fits, actor.name, name, "returned", #data, "bytes")
        check_read(actor, flow, name, data, before)
      else
        local at_end = code == "EOF" and name == "read_exact" -- the rest is still there
        read_failed(actor, flow, name, err, code)
        flow.ended = flow.ended and not at_end
        flow.short = at_end
      end
    end)
  end
end

local function size(random)
  return random(6) == 1 and random(40000) or random(300)
end

local read = reading("read")

local function read_until(actor, flow, stream)
  actor:step("read_until", function()
    local before = #flow.dropped + 1
    local data, err, code = stream:read_until("\n", actor.random(3) == 1 and actor.random(60) or nil)
    if data then
      actor.world:expect(data:find("\n", 1, true) == #data, actor.name, "read_until returned no line")
      check_read(actor, flow, "read_until", data, before)
    elseif code == "EOF" then
      flow.short = true -- what has no delimiter is still there
    elseif code ~= "ENOBUFS" then
      read_failed(actor, flow, "read_until", err, code)
    end
  end)
end

local function peek(actor, flow, stream)
  actor:step("peek", function()
    local before, min = #flow.dropped + 1, size(actor.random)
    local data, err, code = stream:peek(min)
    if data and actor.random(2) == 1 then -- no finalizer may use the stream as long as the pointer is to be good
      collectgarbage "stop"
      before = #flow.dropped + 1
      stream:set_timeout(0)
      data, err, code = stream:peek_ptr(min)
      data = data and ffi.string(data, err)
      stream:set_timeout(nil)
      collectgarbage "restart"
    end
    if not data then
      flow.short = code == "EOF"
      return flow.short or read_failed(actor, flow, "peek", err, code)
    end
    check_read(actor, flow, "peek", data, before, true)
    local taken = actor.random(#data)
    local ok, done = pcall(stream.consume, stream, taken)
    if ok and done then
      flow.position = flow.position + taken
    else
      actor.world:expect(#flow.dropped >= before or not stream:fd() or actor.world:is_want(done),
        actor.name, "consume failed:", tostring(done))
    end
  end)
end

local reads = {
  read, reading("read", size), reading("read_into"), reading("read_into", size), reading("read_exact", size),
  read_until, peek,
}

---Reads until the end; some give up earlier, by closing.
function M.read(actor, flow, stream)
  while actor:goes_on() and not flow.ended do
    if actor.random(10) == 1 then
      stream:set_timeout(actor.random(2) == 1 and actor:ms(8) or nil)
    end
    reads[actor.random(#reads)](actor, flow, stream)
    if flow.short then -- the end is near: only read tells it
      flow.short = nil
      read(actor, flow, stream)
    end
  end
  if not flow.ended and actor.random(6) == 1 then
    actor.world:log(actor.name, "gives up")
    flow.broken = true
    return
  end
  stream:set_timeout(nil)
  actor.left = 400
  while not flow.ended and actor:goes_on() do
    read(actor, flow, stream)
  end
  flow.broken = flow.broken or not flow.ended
end

local function pieces_of(random, data)
  local pieces, at = {}, 1
  local most = random(2) == 1 and 20 or 20000
  while at <= #data do
    local n = random(most)
    pieces[#pieces + 1] = data:sub(at, at + n - 1)
    at = at + n
  end
  return pieces
end

---Writes until the goal, or until it can't any more.
function M.write(actor, flow, stream)
  while flow.sent < flow.goal and actor:goes_on() and not flow.cut do
    local random = actor.random
    local n = math.min(flow.goal - flow.sent, random(5) == 1 and random(flow.goal) or size(random))
    local data = bytes(flow, flow.sent, n)
    if random(10) == 1 then
      stream:set_timeout(random(2) == 1 and actor:ms(8) or nil)
    end
    actor:step(("write %d at %d"):format(n, flow.sent), function()
      local may_break = flow.broken or flow.at_most > flow.sent -- an earlier write was cut short
      flow.at_most = math.max(flow.at_most, flow.sent + n)
      local given = random(3) == 1 and pieces_of(random, data) or random(3) == 1 and buffer.new():put(data) or data
      flow.spoil = type(given) == "table" and random(4) == 1 and given
      local whole, written, err, code = pcall(stream.write, stream, given)
      if not whole and type(written) == "string" and written:find("write: ", 1, true) and flow.spoil == nil then
        actor.world:log(actor.name, "  raised", written)
        return -- nothing was sent, or the stream is broken from here on
      end
      flow.spoil = false
      if not whole then
        error(written, 0)
      end
      if written then
        actor.world:expect(written == n, actor.name, "write returned", tostring(written))
        flow.sent = flow.sent + n
        flow.at_most = flow.sent
        return
      end
      actor.world:log(actor.name, "  returned", err)
      actor.world:failed(actor.name .. " write", err, code,
        (flow.broken or may_break) and "ETIMEDOUT EPIPE ECONNRESET ECANCELED EBADF ETLS" or "ETIMEDOUT")
      flow.cut = code ~= "ETIMEDOUT" and not actor.world:is_want(err)
    end)
  end
end

---What has arrived, once both sides have ended and the end was read.
function M.check(world, flow, name)
  world:expect(flow.position <= flow.at_most, name, "more bytes were read than written")
  if flow.ended and not flow.broken then
    world:expect(flow.position >= flow.sent, name, "read", tostring(flow.position), "bytes of", tostring(flow.sent))
  end
end

-- Little fits between the two.
local function narrow(random, ...)
  if random(2) == 1 then
    for _, stream in ipairs { ... } do
      stream:set_option("so_sndbuf", 4608)
      stream:set_option("so_rcvbuf", 4608)
    end
  end
  return ...
end

---@type table<string, fun(random): momo.Stream?, momo.Stream?> two ends; only the second of a pipe is written to
M.pairs = {
  unix = function(random)
    local one, other = net.UnixStream.pair()
    if one then
      return narrow(random, one, other)
    end
  end,
  tcp = function(random)
    local listener = net.TcpListener.bind "127.0.0.1:0"
    local one = listener and net.TcpStream.connect(assert(listener:local_addr()))
    local other = one and listener:accept()
    if listener then
      listener:close()
    end
    if other then
      return narrow(random, one, other)
    end
  end,
  pipe = function()
    local reader, writer = momo.io.pipe()
    if reader then
      return reader, writer
    end
  end,
}

local identity, client, server

-- Made when it is first asked for, once, as keys take long; it may fail.
local function prepare()
  if not identity then
    local pair, err = momo.tls.self_signed()
    identity = pair or error(err, 0)
  end
  client = client or momo.tls.client { ca = identity.cert }
  server = server or momo.tls.server(identity)
  return client and server
end

-- TLS over it; both ends may be asked for in the midst of the handshake, and then nobody has them.
function M.pairs.tls(random)
  if not prepare() then
    return
  end
  local lower, upper = M.pairs[random(2) == 1 and "unix" or "tcp"](random)
  if not lower then
    return
  end
  local one, other
  momo.scope(function(scope)
    scope:spawn(function() one = client:wrap(lower, "localhost", 10) end)
    other = server:wrap(upper, 10)
  end)
  if one and other then
    return one, other
  end
  lower:close()
  upper:close()
end

---A pair of a random kind, or nothing: there are no descriptors for it.
---@return momo.Stream? reader
---@return momo.Stream? writer
---@return boolean both_ways
function M.pair(world, random, both_ways)
  local kinds = { "unix", "tcp", "tls", not both_ways and "pipe" or nil }
  local kind = kinds[random(#kinds)]
  local one, other = M.pairs[kind](random)
  world:log("a", kind, one and "pair" or "pair can't be had")
  return one, other, kind ~= "pipe"
end

function M.goal(random)
  return random(4) == 1 and random(400000) or random(20000)
end

---What finalizers may do to a stream that is read: drop bytes, or close it.
---@param break_it function? called before it is closed; without it, it is not
function M.hook(world, random, flow, stream, break_it)
  local hooks = world.hooks
  hooks[#hooks + 1] = function()
    local n = random(20) - 1
    if random(3) == 1 then -- all: then its buffer goes
      core.C.momo_unread(core.executor, stream, length)
      n = tonumber(length[0])
    end
    local ok, done = pcall(stream.consume, stream, n)
    if ok and done then
      world:log("a hook consumes", n, "at", flow.position)
      flow.position = flow.position + n
      flow.dropped[#flow.dropped + 1] = n
    end
  end
  hooks[#hooks + 1] = function() -- a mistake: pieces change while they are written
    if flow.spoil then
      flow.spoil[#flow.spoil] = {}
      flow.spoil = nil
    end
  end
  if break_it then
    hooks[#hooks + 1] = function()
      world:log "a hook closes a stream"
      break_it()
      stream:close()
    end
  end
end

---A conversation: bytes go one way, or both ways.
function M.conversation(world, random)
  local one, other, both = M.pair(world, random, random(2) == 1)
  if not one then
    return
  end
  local flows = { M.flow(random, M.goal(random)), both and random(2) == 1 and M.flow(random, M.goal(random)) or nil }
  flows[1].back = flows[2]
  if flows[2] then
    flows[2].back = flows[1]
  end
  local ends = { { reads = one, writes = other }, { reads = other, writes = one } }
  local closes, open, actors = random(6) == 1, { [one] = #flows, [other] = #flows }, {}
  local function break_all()
    for _, flow in ipairs(flows) do
      flow.broken = flow.broken or not flow.ended
    end
  end
  local function leave(stream) -- the last that needs it closes it
    open[stream] = open[stream] - 1
    if open[stream] == 0 then
      stream:close()
    end
  end
  for i, flow in ipairs(flows) do
    local source, sink = ends[i].reads, ends[i].writes
    M.hook(world, random, flow, source, closes and break_all)
    actors[#actors + 1] = { "reader", function(actor) M.read(actor, flow, source) end, function()
      if not flow.ended then
        break_all()
        source:close()
      end
      leave(source)
    end }
    actors[#actors + 1] = { "writer", function(actor) M.write(actor, flow, sink) end, function()
      world:log("shutdown", select(3, sink:shutdown()) or "")
      leave(sink)
    end }
  end
  return {
    actors = actors,
    close = function()
      one:close()
      other:close()
    end,
    check = function()
      for _, flow in ipairs(flows) do M.check(world, flow, "a stream:") end
    end,
  }
end

return M
