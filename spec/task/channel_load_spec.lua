local momo = require "momo"
local virtual = require "spec.support.virtual"

local channel, sleep = momo.sync.channel, momo.time.sleep

describe("channels under a random load", function()
  local SEEDS, SENDERS, VALUES = 300, 3, 12

  -- An operation that may be given up: whatever came of it, or nil.
  local function try(random, operation, object, value)
    local patience = random(0, 4) / 1000
    local kind = random(4)
    if kind == 1 then
      return operation(object, value)
    elseif kind == 2 and value then
      return operation(object, value, patience)
    elseif kind == 2 then
      return operation(object, patience)
    end
    return momo.time.timeout(patience, operation, object, value)
  end

  -- Returns what sends returned true for, in each sender's order, and what came, in the order in which it did.
  local function load(seed)
    math.randomseed(seed)
    local random = math.random
    local sent, received = {}, {}
    local capacities = { 1, 2, 5 }
    local tx, rx = channel(capacities[random(4)])
    local victims = {}
    for s = 1, SENDERS do
      local mine = tx:clone()
      sent[s] = {}
      victims[#victims + 1] = momo.spawn(function()
        pcall(function()
          for i = 1, VALUES do
            if try(random, mine.send, mine, { sender = s, number = i }) == true then
              table.insert(sent[s], i)
            end
            if random(2) == 1 then sleep(random(0, 3) / 1000) end
          end
        end)
        mine:close()
      end)
    end
    tx:close()
    for r = 1, 3 do
      local task = momo.spawn(function()
        while true do
          local value, _, code = try(random, rx.recv, rx)
          if value then
            received[#received + 1] = value
          elseif code == "EOF" then
            return
          end
          if random(3) == 1 then sleep(random(0, 3) / 1000) end
        end
      end)
      victims[#victims + 1] = r > 1 and task or nil -- one goes on to the end
    end
    for _ = 1, 3 do
      sleep(random(0, 20) / 1000)
      victims[random(#victims)]:cancel()
    end
    return sent, received
  end

  it("lose nothing, double nothing, and keep each sender's order", function()
    local most = 0
    for seed = 1, SEEDS do
      local sent, received
      virtual.run(function() sent, received = load(seed) end)
      local got = {}
      for s = 1, SENDERS do got[s] = {} end
      for _, value in ipairs(received) do
        table.insert(got[value.sender], value.number)
      end
      assert.same(sent, got, "seed " .. seed)
      most = math.max(most, #received)
    end
    assert.is_true(most > SENDERS * VALUES / 2, most) -- or the load was none
  end)
end)
