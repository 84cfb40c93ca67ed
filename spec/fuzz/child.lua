---What the threads of random programs do. Returns what they have done, and what went wrong.

local momo = require "momo"
local channels = require "spec.fuzz.channels"
local worlds = require "spec.fuzz.world"

local M = {}

-- Runs one actor. Returns what fn returns.
local function alone(world, name, fn)
  local result
  momo.scope(function(scope)
    world:act(scope, name, function(actor) result = fn(actor) end)
  end)
  return result
end

function M.send(world, _, tx, who, count)
  local ledger = channels.ledger()
  ledger.closed = true -- the other thread may close its end at any time
  local stops = world.random(12) == 1
  return alone(world, "sender", function(actor)
    actor.left = count
    channels.send(actor, ledger, tx, who)
    if stops then
      momo.stop()
      momo.yield_now()
    end
    if world.random(2) == 1 then -- else the thread's end does it
      tx:close()
    end
    return ledger.sent[who]
  end)
end

---Passes on what it receives, through the end that came first. True: all of it.
function M.echo(world, _, rx)
  local back
  return alone(world, "echo", function(actor)
    local all, ended
    actor.left = 5000
    while not ended and actor:goes_on() do
      local message
      actor:step("recv", function()
        local err, code
        message, err, code = rx:recv(actor:timeout())
        if message == nil then
          world:failed("recv", err, code, "ETIMEDOUT EOF")
          all = code == "EOF"
          ended = code ~= "ETIMEDOUT"
        end
      end)
      if type(message) == "table" and message.back then
        back = message.back
      elseif message ~= nil then
        local sent
        actor:insist("send", function()
          local ok, err, code = back:send(message)
          sent = ok
          if not ok then
            world:failed("send", err, code, "EPIPE")
          end
        end)
        ended = not sent
      end
    end
    return all
  end)
end

function M.program(world)
  require("spec.fuzz.program").run(world, { threads = false })
  return true
end

---A program of spec/fuzz/session.lua.
function M.main(world, options)
  require("spec.fuzz.program").run(world, options)
  return true
end

---@param options {short: boolean?} and for `main`, those of the program; short: the process lacks descriptors or memory
return function(role, seed, options, ...)
  if options.short then -- allocations of Lua may fail on all threads, which LuaJIT's compiled code does not survive
    jit.off()
    jit.flush()
  end
  local world = worlds.new(seed, options)
  world.starved = options.short
  local result = M[role](world, options, ...)
  local problems = world.problems
  if problems[1] then
    problems[#problems + 1] = ("(role %s, seed %d)\n%s"):format(role, seed, world:history())
  end
  return result, problems
end
