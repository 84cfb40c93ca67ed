local momo = require "momo"

local on = require("spec.support.virtual").on

-- LuaJIT also runs finalizers where compiled code is left, as at a comparison that goes the other way than before: in
-- the midst of any function. So this program's shape changes all the time, and it has finalizers throughout.
local ROUNDS = 400000
local values = { 1, "a", true, 1.5, {}, print }

---@param count fun() for each round
---@param finalize fun() now and then
---@param look fun() now and then, from the task
---@return integer finalized
local function stir(count, finalize, look)
  local finalized, armed, seen = 0, true, {}
  local function arm()
    getmetatable(newproxy(true)).__gc = function()
      if armed then
        finalize()
        finalized = finalized + 1
        arm()
      end
    end
  end
  for _ = 1, 50 do arm() end
  collectgarbage("setpause", 50)
  collectgarbage() -- from which on the pause counts
  for i = 1, ROUNDS do
    count(values[i % (i % 7 == 0 and 6 or 1 + (i / 1000) % 6) + 1] or 2)
    seen[1] = { i } -- which compiled code has to make, as somebody could see it
    if seen[1][1] % (1 + i % 5) == 0 then
      look()
    end
  end
  armed = false
  collectgarbage("setpause", 200)
  collectgarbage()
  assert.is_true(finalized > 1000, finalized .. " finalizers have run")
  return finalized
end

describe("a finalizer", function()
  it("that sends to a channel loses no value, neither its own nor the task's", on(function()
    local tx, rx = momo.sync.channel()
    local mark, received, marks = {}, 0, 0
    local function receive_all()
      local value = rx:recv(0)
      while value ~= nil do
        received = received + 1
        marks = marks + (value == mark and 1 or 0)
        value = rx:recv(0)
      end
    end
    local finalized = stir(function(value) tx:send(value) end, function() assert(tx:send(mark)) end, receive_all)
    receive_all()
    assert.equal(finalized, marks)
    assert.equal(ROUNDS + finalized, received)
  end))

  it("that publishes with NATS leaves each message whole", on(function()
    local outbox = require "momo.nats.outbox"(math.huge)
    local lines, marks = 0, 0
    local function look()
      for _, block in ipairs(outbox:take()) do
        for line in block:gmatch "(.-)\r\n" do
          lines = lines + 1
          marks = marks + (line == "PUB mark 0" and 1 or 0)
          assert(line == "PUB mark 0" or line == "PUB a 1", line)
        end
      end
    end
    local turn = 0
    local finalized = stir(function() outbox:put("PUB a ", 1, "", "\r\n") end,
      function() outbox:put("PUB mark ", 0, "", "\r\n") end, function()
        turn = turn + 1
        if turn % 5000 == 0 then
          look()
        end
      end)
    look()
    assert.equal(finalized, marks)
    assert.equal(ROUNDS + finalized, lines)
  end))
end)
