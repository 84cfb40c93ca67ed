---Conversations through channels, of one thread and between threads: each message arrives once. Also oneshots.

local momo = require "momo"

local sync, thread = momo.sync, momo.thread

local M = {}

-- Messages of many shapes, which say who has sent them and which one they are. A channel of one thread passes them as
-- they are.
local shapes = {
  function(who, i) return who * 1e6 + i end,
  function(who, i) return ("%d %d "):format(who, i) end,
  function(who, i, random) return ("%d %d %s"):format(who, i, ("x"):rep(random(4000))) end,
  function(who, i) return { who = who, i = i, nested = { true, { "deep" } } } end,
  function(who, i) return (who * 1000000 + i) * 1LL end,
}

function M.message(who, i, random)
  return shapes[random(#shapes)](who, i, random)
end

---@return integer who
---@return integer i
function M.read(message)
  local kind = type(message)
  if kind == "table" then
    return message.who, message.i
  elseif kind == "string" then
    local who, i = message:match "^(%d+) (%d+) "
    return tonumber(who), tonumber(i)
  end
  return math.floor(tonumber(message) / 1e6), tonumber(message) % 1e6
end

---What is known of a channel: of each sender, how many it has sent, and which of them came.
function M.ledger()
  return { sent = {}, closed = false, ended = false }
end

-- Never twice, and only what was sent.
function M.receive(world, ledger, message, name)
  local who, i = M.read(message)
  local sent = who and ledger.sent[who]
  world:expect(sent and i and not (ledger[who] and ledger[who][i]), name, "got a message twice, or a wrong one:",
    tostring(who), tostring(i))
  if sent then
    ledger[who] = ledger[who] or {}
    ledger[who][i] = true
    world:log(name, "  has", who, i)
  end
end

---After the end of all: what was received is what was sent.
function M.check(world, ledger, name)
  for who, sent in pairs(ledger.sent) do
    local received = 0
    for i in pairs(ledger[who] or {}) do
      received = received + 1
      world:expect(i <= sent, name, "was received, and told not to be sent:", who, i)
    end
    if ledger.ended and not ledger.closed then
      world:expect(received == sent, name, received, "messages of", who, "arrived of", sent)
    end
  end
end

---Sends messages as `who`, until it has no steps left or nobody receives.
function M.send(actor, ledger, tx, who)
  local dead
  ledger.sent[who] = 0
  while actor:goes_on() and not dead do
    local message, timeout = M.message(who, ledger.sent[who] + 1, actor.random), actor:timeout()
    actor:step(("send %d %d"):format(who, ledger.sent[who] + 1), function()
      -- it may be received before this task goes on
      ledger.sent[who] = ledger.sent[who] + 1
      local ok, done, err, code = pcall(tx.send, tx, message, timeout)
      if ok and done then
        return
      end
      ledger.sent[who] = ledger.sent[who] - 1
      if not ok then
        error(done, 0)
      end
      actor.world:failed(actor.name .. " send", err, code,
        (ledger.closed or actor.world.stopping) and "ETIMEDOUT EPIPE EBADF ECANCELED" or "ETIMEDOUT")
      dead = code ~= "ETIMEDOUT"
    end)
  end
end

---Receives until the end.
function M.receive_all(actor, ledger, rx)
  local world, random, ended = actor.world, actor.random, false
  actor.left = 2000
  local failures = 0
  while not ended and failures < 150 do
    local timeout, selects = actor:timeout(), random(4) == 1
    local done = actor:step(selects and "select" or "recv", function()
      local value, err, code
      if selects then
        local entries = { rx, momo.time.after(timeout or 1000) }
        local i
        if random(2) == 1 then
          entries[1], entries[2] = false, rx
          entries[3] = momo.time.after(timeout or 1000)
        end
        i, value, err, code = momo.select(entries)
        if entries[i] ~= rx then
          return
        end
      else
        value, err, code = rx:recv(timeout)
      end
      if value ~= nil then
        return M.receive(world, ledger, value, actor.name)
      end
      world:failed(actor.name .. " recv", err, code,
        ledger.closed and "ETIMEDOUT EOF EBADF ECANCELED" or "ETIMEDOUT EOF")
      ended = code ~= "ETIMEDOUT" and not world:is_want(err)
      ledger.ended = ledger.ended or code == "EOF"
    end)
    failures = done and 0 or failures + 1
  end
end

---Many senders and receivers of one channel.
---@param make fun(capacity: integer?): any, any
local function conversation(world, random, make, capacity)
  local tx, rx = make(capacity)
  local ledger = M.ledger()
  local actors, n_receivers, n_senders = {}, random(3), random(4)
  local receiving = n_receivers
  local senders = {}
  for who = 1, n_senders do
    local own = who < n_senders and tx:clone() or tx
    senders[who] = own
    actors[#actors + 1] = { "sender", function(actor) M.send(actor, ledger, own, who) end, function() own:close() end }
  end
  for _ = 1, n_receivers do
    actors[#actors + 1] = { "receiver", function(actor)
      if random(8) == 1 then
        world:log(actor.name, "gives up")
        return
      end
      M.receive_all(actor, ledger, rx)
    end, function()
      receiving = receiving - 1
      if receiving == 0 then
        ledger.closed = not ledger.ended
        rx:close()
      end
    end }
  end
  local hooks = world.hooks
  local hooked = false
  ledger.sent[99] = 0 -- the hooks'
  hooks[#hooks + 1] = function()
    if hooked then -- a finalizer, in the midst of what follows
      return
    end
    hooked = true
    local own = senders[random(n_senders)]
    ledger.sent[99] = ledger.sent[99] + 1
    local ok, done = pcall(own.send, own, 99 * 1e6 + ledger.sent[99], 0)
    world:log("a hook sends", ok, done)
    if not (ok and done) then
      ledger.sent[99] = ledger.sent[99] - 1
    end
    hooked = false
  end
  if random(5) == 1 then
    hooks[#hooks + 1] = function()
      world:log "a hook closes a receiver"
      ledger.closed = true
      rx:close()
    end
  end
  return {
    actors = actors,
    close = function()
      for _, own in ipairs(senders) do own:close() end
      rx:close()
    end,
    check = function() M.check(world, ledger, "a channel:") end,
  }
end

function M.of_tasks(world, random)
  return conversation(world, random, sync.channel, random(4) > 1 and random(5) or nil)
end

function M.of_threads(world, random)
  return conversation(world, random, thread.channel, random(random(2) == 1 and 4 or 200))
end

function M.oneshots(world, random)
  local actors, open = {}, {}
  for i = 1, random(4) do
    local tx, rx = sync.oneshot()
    local sent, got = false, nil
    open[#open + 1] = function()
      tx:close()
      rx:close()
      world:expect(got == nil or got == i and sent, "a oneshot brought", tostring(got))
    end
    actors[#actors + 1] = { "oneshot sender", function(actor)
      actor:step("send", function()
        sent = true
        local ok, err, code = tx:send(i)
        sent = ok
        if not ok then
          world:failed("oneshot", err, code, "EPIPE EBADF")
        end
      end)
    end, function() tx:close() end }
    actors[#actors + 1] = { "oneshot receiver", function(actor)
      actor:step("recv", function()
        local value, err, code = rx:recv(actor:timeout())
        got = value
        if value == nil then
          world:failed("oneshot", err, code, "ETIMEDOUT EOF EBADF ECANCELED")
        end
      end)
    end, function() rx:close() end }
  end
  return {
    actors = actors,
    close = function()
      for _, close in ipairs(open) do close() end
    end,
    check = function() end,
  }
end

return M
