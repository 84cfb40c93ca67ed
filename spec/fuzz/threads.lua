---Conversations with other threads: messages to and from them, ends that move, threads that stop in the midst, and
---threads that run a random program of their own. spec/fuzz/child.lua is what the threads do.

local momo = require "momo"
local channels = require "spec.fuzz.channels"

local M = {}

local function spawn(world, role, seed, ...)
  local options = { short = world:is_short() }
  local ok, thread, err, code = pcall(momo.thread.spawn, "spec.fuzz.child", role, seed, options, ...)
  if not ok then
    if not world:is_want(thread) then
      world:problem("thread.spawn raised", tostring(thread))
    end
    return nil
  elseif not thread then
    world:failed("thread.spawn", err, code, "")
  end
  return thread
end

-- What a thread has returned, of which nil says that it did not do all that it was to do; or nil: it is not known.
local function join(actor, thread)
  local world = actor.world
  for _ = 1, 300 do
    local ok, result, problems
    local timeout = actor.random(3) == 1 and actor:timeout() or nil
    local done = actor:step("join", function() ok, result, problems = thread:join(timeout) end)
    if done and ok then
      for _, problem in ipairs(problems or {}) do
        world:problem("in a thread:", problem)
      end
      return result
    elseif done and ok == nil then
      world:failed("join", result, problems, "ETIMEDOUT")
    elseif done then
      world:expect(world:is_want(result), "a thread failed:", tostring(result))
      return nil
    end
  end
end

-- Threads send; tasks of this one receive.
function M.gather(world, random)
  local tx, rx = momo.thread.channel(random(random(2) == 1 and 4 or 100))
  local ledger, actors = channels.ledger(), {}
  local receiving = random(2)
  for who = 1, random(2) do
    local own = tx:clone()
    ledger.sent[who] = math.huge
    actors[#actors + 1] = { "joiner", function(actor)
      local thread = spawn(world, "send", actor.random(1e6), own, who, actor.random(200))
      own:close()
      local sent = thread and join(actor, thread)
      ledger.sent[who] = sent or math.huge
    end, function() own:close() end }
  end
  tx:close()
  for _ = 1, receiving do
    actors[#actors + 1] = { "receiver", function(actor)
      if actor.random(8) > 1 then
        channels.receive_all(actor, ledger, rx)
      end
    end, function()
      receiving = receiving - 1
      if receiving == 0 then
        ledger.closed = not ledger.ended
        rx:close()
      end
    end }
  end
  return {
    crosses = true,
    actors = actors,
    close = function() rx:close() end,
    check = function()
      for _, sent in pairs(ledger.sent) do
        ledger.closed = ledger.closed or sent == math.huge -- a thread was stopped
      end
      channels.check(world, ledger, "from threads:")
    end,
  }
end

-- A thread passes on what it is sent, through ends that were moved to it, one of them in a message.
function M.echo(world, random)
  local tx, there = momo.thread.channel(random(8))
  local back, rx = momo.thread.channel(random(8))
  local ledger = channels.ledger()
  ledger.closed = world:is_short() -- then the thread may fail
  local thread = spawn(world, "echo", random(1e6), there)
  if not thread then
    return
  end
  local actors = {
    { "sender", function(actor)
      local given = actor:insist("give an end away", function()
        local ok, err, code = tx:send { back = back }
        if not ok then
          world:failed("send", err, code, ledger.closed and "EPIPE EBADF ECANCELED" or "EPIPE")
        end
      end)
      if given then
        channels.send(actor, ledger, tx, 1)
      end
    end, function()
      tx:close()
      back:close() -- if it was not given away
    end },
    { "receiver", function(actor) channels.receive_all(actor, ledger, rx) end, function()
      ledger.closed = ledger.closed or not ledger.ended
      rx:close()
    end },
    { "joiner", function(actor)
      if join(actor, thread) == nil then
        ledger.closed = true
      end
    end, function(actor) ledger.closed = ledger.closed or not actor.ended end },
  }
  if random(4) == 1 then
    world.hooks[#world.hooks + 1] = function()
      ledger.closed = true
      tx:close()
    end
  end
  return {
    crosses = true,
    actors = actors,
    close = function()
      for _, own in ipairs { tx, back, rx, there } do own:close() end
    end,
    check = function() channels.check(world, ledger, "an echo:") end,
  }
end

-- A thread runs a random program of its own.
function M.program(world, random)
  local thread = spawn(world, "program", random(2 ^ 30))
  return thread and {
    actors = { { "joiner", function(actor) join(actor, thread) end } },
    close = function() end,
    check = function() end,
  }
end

return M
