---Conversations in which bytes are copied from stream to stream, and the copies are cancelled, time out and go on.

local momo = require "momo"
local streams = require "spec.fuzz.streams"

local M = {}

local FAILURES = "ETIMEDOUT"
local BROKEN = "ETIMEDOUT EPIPE ECONNRESET ECANCELED EBADF ENOTCONN ETLS"

-- Copies from `from` to `to` until the end; what a copy that ended early has not written is there for the next one.
local function copy_all(actor, flow, from, to)
  local world, random, copied, ended = actor.world, actor.random, 0, false
  actor.left = 300
  while not ended and actor:goes_on() do
    local n = random(2) == 1 and random(50000) or nil
    if random(5) == 1 then
      from:set_timeout(random(2) == 1 and actor:ms(8) or nil)
      to:set_timeout(random(2) == 1 and actor:ms(8) or nil)
    end
    actor:step("copy " .. tostring(n), function()
      local bytes, err, code, side = momo.io.copy(from, to, n)
      world:log(actor.name, "  copied", bytes or err, side or "")
      if bytes then
        world:expect(bytes <= (n or math.huge), actor.name, "copied too much")
        copied = copied + bytes
        ended = n == nil or bytes < n
      else
        world:failed(actor.name .. " copy", err, code, flow.broken and BROKEN or FAILURES .. streams.truncation(flow))
        world:expect(side == "from" or side == "to", actor.name, "copy names no side:", tostring(side))
        ended = code ~= "ETIMEDOUT" and not world:is_want(err)
        flow.broken = flow.broken or ended
      end
    end)
  end
  flow.broken = flow.broken or not ended
end

-- writer --> first  ==copier==>  second --> reader
function M.chain(world, random)
  local from, writes = streams.pair(world, random)
  if not from then
    return
  end
  local reads, to = streams.pair(world, random)
  if not reads then
    from:close()
    writes:close()
    return
  end
  local flow = streams.flow(random, streams.goal(random))
  streams.hook(world, random, flow, reads)
  return {
    actors = {
      { "writer", function(actor) streams.write(actor, flow, writes) end, function() writes:close() end },
      { "copier", function(actor) copy_all(actor, flow, from, to) end, function(actor)
        flow.broken = flow.broken or not actor.ended
        from:close()
        to:close()
      end },
      { "reader", function(actor) streams.read(actor, flow, reads) end, function()
        flow.broken = flow.broken or not flow.ended
        reads:close()
      end },
    },
    close = function()
      for _, stream in ipairs { from, writes, reads, to } do stream:close() end
    end,
    check = function() streams.check(world, flow, "a copy:") end,
  }
end

-- left <--> a  ==pipe_both==  b <--> right
function M.both(world, random)
  local left, a = streams.pair(world, random, true)
  if not left then
    return
  end
  local b, right = streams.pair(world, random, true)
  if not b then
    left:close()
    a:close()
    return
  end
  local there, back = streams.flow(random, streams.goal(random)), streams.flow(random, streams.goal(random))
  streams.hook(world, random, there, right)
  streams.hook(world, random, back, left)
  local function break_both()
    there.broken, back.broken = there.broken or not there.ended, back.broken or not back.ended
  end
  local open = { [left] = 2, [right] = 2 }
  local function leave(stream)
    open[stream] = open[stream] - 1
    if open[stream] == 0 then
      stream:close()
    end
  end
  local function reader(flow, stream)
    return { "reader", function(actor) streams.read(actor, flow, stream) end, function()
      if not flow.ended then
        break_both()
        stream:close()
      end
      leave(stream)
    end }
  end
  local function writer(flow, stream)
    return { "writer", function(actor) streams.write(actor, flow, stream) end, function()
      stream:shutdown()
      leave(stream)
    end }
  end
  return {
    actors = {
      writer(there, left), reader(there, right), writer(back, right), reader(back, left),
      { "both ways", function(actor)
        local ended = false
        actor.left = 100
        while not ended and actor:goes_on() do
          actor:step("pipe_both", function()
            local one_way, other_way, code = momo.io.pipe_both(a, b)
            world:log(actor.name, "  copied", one_way, other_way)
            ended = one_way ~= nil
            if not ended then
              world:failed(actor.name, other_way, code, (there.broken or back.broken) and BROKEN
                or FAILURES .. streams.truncation(there) .. streams.truncation(back))
              ended = code ~= "ETIMEDOUT" and not world:is_want(other_way)
              if ended then
                break_both()
              end
            end
          end)
        end
        if not ended then
          break_both()
        end
      end, function(actor)
        if not actor.ended then
          break_both()
        end
        a:close()
        b:close()
      end },
    },
    close = function()
      for _, stream in ipairs { left, a, b, right } do stream:close() end
    end,
    check = function()
      streams.check(world, there, "there:")
      streams.check(world, back, "back:")
    end,
  }
end

-- Several tasks write to one stream, and each write is whole: a frame of who, which, how long, and as many letters.
function M.frames(world, random)
  local reads, writes = streams.pair(world, random)
  if not reads then
    return
  end
  local n = 1 + random(4)
  local sent, at_most, got, open, broken, ended = {}, {}, {}, n, false, false
  local actors = {}
  for who = 1, n do
    sent[who], at_most[who], got[who] = 0, 0, 0
    actors[who] = { "frames", function(actor)
      local dead
      while actor:goes_on() and not dead do
        local size = actor.random(3) == 1 and actor.random(30000) or actor.random(50)
        local letters = string.char(64 + who):rep(size)
        actor:step("frame", function()
          local frame = ("%02d %05d %05d "):format(who, sent[who] + 1, size)
          local cut = broken
          for i = 1, n do cut = cut or at_most[i] > sent[i] end
          at_most[who] = sent[who] + 1
          local bytes, err, code = writes:write(actor.random(2) == 1 and frame .. letters or { frame, letters })
          if bytes then
            sent[who] = sent[who] + 1
          else
            for i = 1, n do cut = cut or i ~= who and at_most[i] > sent[i] end
            world:failed(actor.name, err, code, (cut or broken) and "ETIMEDOUT EPIPE ECONNRESET" or "ETIMEDOUT")
            dead = code ~= "ETIMEDOUT" and not world:is_want(err)
          end
        end)
      end
    end, function()
      open = open - 1
      if open == 0 then
        writes:close()
      end
    end }
  end
  local function read_exact(actor, size) -- nil: there is no more, or it was given up
    local data
    for _ = 1, 200 do
      actor:step("read_exact " .. size, function()
        local err, code
        data, err, code = reads:read_exact(size)
        if not data then
          local cut = broken
          for i = 1, n do cut = cut or at_most[i] > sent[i] end
          world:failed(actor.name, err, code, cut and "EOF ETLS" or "EOF")
          ended = code == "EOF" or code == "ETLS"
        end
      end)
      if data or ended then
        return data
      end
    end
    broken = true
  end
  actors[n + 1] = { "frame reader", function(actor)
    while not ended and not broken do
      local head = read_exact(actor, 15)
      local who, which, size = (head or ""):match "^(%d%d) (%d%d%d%d%d) (%d%d%d%d%d) $"
      who, which = tonumber(who), tonumber(which)
      if head and not (who and sent[who] and which == got[who] + 1) then
        broken = true
        return world:problem(actor.name, "a frame is torn:", head)
      end
      local letters = head and read_exact(actor, tonumber(size))
      if letters and world:expect(letters == string.char(64 + who):rep(#letters), "not the letters of", head) then
        got[who] = which
      end
    end
  end, function()
    broken = broken or not ended
    reads:close()
  end }
  return {
    actors = actors,
    close = function()
      reads:close()
      writes:close()
    end,
    check = function()
      for who = 1, n do
        world:expect(got[who] <= at_most[who] and (broken or got[who] >= sent[who]), "of writer", tostring(who),
          tostring(got[who]), "frames arrived of", tostring(sent[who]))
      end
    end,
  }
end

return M
