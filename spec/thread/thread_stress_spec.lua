-- Threads that start and stop while messages fly. MOMO_SOAK=1 makes it the soak: 100 000 starts and 10^8 messages, or
-- as many as MOMO_SOAK_STARTS and MOMO_SOAK_MESSAGES say.

local momo = require "momo"
local tcp = require "spec.support.tcp"

local SANITIZED = (os.getenv "MOMO_SANITIZE" or "") ~= ""
local SOAK = os.getenv "MOMO_SOAK"
local STARTS = tonumber(os.getenv "MOMO_SOAK_STARTS") or SOAK and 100000 or SANITIZED and 200 or 10000
local MESSAGES = tonumber(os.getenv "MOMO_SOAK_MESSAGES") or SOAK and 1e8 or SANITIZED and 50000 or 1000000
local AT_ONCE, SENDERS = 8, 4

local function resident_kb()
  for line in io.lines "/proc/self/status" do
    local kb = line:match "^VmRSS:%s*(%d+)"
    if kb then
      return tonumber(kb)
    end
  end
end

local function report(...)
  if SOAK then
    print(("%s " .. ...):format(os.date "%X", select(2, ...)))
  end
end

-- One of many short lives: its kind says how it ends.
local function live(kind, tx, rx)
  momo.spawn(function()
    for i = 1, kind * 7 do
      if not tx:send { i } then
        return
      end
    end
  end)
  if kind == 1 then
    rx:recv() -- by then it is being joined
    error "ended by an error"
  end
  momo.spawn(function()
    for value in rx:iter() do
      if value == "end" then
        rx:close()
      end
    end
  end)
  if kind == 2 then
    momo.time.sleep(0)
    momo.stop()
  elseif kind == 3 then
    return tx, rx, "given back"
  end
end

describe("threads", function()
  after_each(tcp.check_nothing_left)

  it(("start and stop %d times while messages fly, and leave nothing behind"):format(STARTS), function()
    local before
    tcp.run(function()
      local all_tx, all_rx = momo.thread.channel(64)
      local started, received = 0, 0
      local collector = momo.spawn(function()
        for _ in all_rx:iter() do
          received = received + 1
        end
      end)
      momo.scope(function(scope)
        for _ = 1, AT_ONCE do
          scope:spawn(function()
            while started < STARTS do
              started = started + 1
              local kind = started % 5
              local number = started
              local tx, rx = momo.thread.channel(2)
              local thread = assert(momo.thread.spawn(live, kind, all_tx:clone(), rx))
              local joiner = momo.spawn(thread.join, thread)
              momo.yield_now()
              for i = 1, kind do
                if not tx:send({ i, ("x"):rep(i * 10) }) then
                  break
                end
              end
              if kind == 4 then
                tx:send "end"
              end
              tx:close()
              local _, ok, err = joiner:join()
              if kind == 1 then
                assert(not ok and err:find("ended by an error", 1, true), err)
              elseif not ok then
                error(err)
              end
              if number % math.ceil(STARTS / 20) == 0 then
                collectgarbage()
                report("%d starts, %d messages, %d KB", number, received, resident_kb())
              end
              if number == math.ceil(STARTS / 10) then
                before = resident_kb()
              end
            end
          end)
        end
      end)
      all_tx:close()
      collectgarbage()
      collectgarbage() -- clones that were given back and that nobody took
      assert(collector:join())
    end)
    collectgarbage()
    if not SANITIZED then
      local grown = resident_kb() - before
      assert(grown < 20000, ("%d KB were added to %d"):format(grown, before))
    end
  end)

  it(("exchange %.0f messages of several senders, each in order"):format(MESSAGES), function()
    tcp.run(function()
      local tx, rx = momo.thread.channel(1024)
      local each = math.ceil(MESSAGES / SENDERS)
      for s = 1, SENDERS do
        assert(momo.thread.spawn(function(mine, number, n)
          for i = 1, n do
            if i % 16 == 0 then
              assert(mine:send { number, i, "x" })
            else
              assert(mine:send(number * 2 ^ 40 + i))
            end
          end
        end, tx:clone(), s, each))
      end
      tx:close()
      local last, total, begin = { 0, 0, 0, 0 }, 0, os.time()
      for value in rx:iter() do
        local s, i
        if type(value) == "table" then
          s, i = value[1], value[2]
        else
          s, i = math.floor(value / 2 ^ 40), value % 2 ^ 40
        end
        if i ~= last[s] + 1 then
          error(("sender %d: %d after %d"):format(s, i, last[s]))
        end
        last[s] = i
        total = total + 1
        if total % 1e7 == 0 then
          report("%.0f messages, %d KB, %d s", total, resident_kb(), os.time() - begin)
        end
      end
      assert.equal(each * SENDERS, total)
    end)
  end)
end)
