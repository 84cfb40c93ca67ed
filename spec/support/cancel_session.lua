-- What spec/house/memory_spec.lua runs, in a build whose allocations can fail: a scope is cancelled while the n-th
-- allocation of Lua fails, each time with more children than before, so that what is kept for them has to grow. Whoever
-- was not cancelled then is later cancelled, by a timeout or by the scope, and hears of that alone.

local momo = require "momo"

print(select(2, assert(momo.thread.spawn(function()
  local ffi = require "ffi"
  local C = require("momo.internal.core").C
  ffi.cdef "void momo_fail_allocations(long n, long m);"
  jit.off()
  local failed, went_well = 0, false
  for round = 2, 21 do
    local n, again, children = math.floor(round / 2), round % 2 == 0 and "second", 2 ^ math.min(round, 8)
    local reasons = {}
    for i = 1, children do reasons[i] = "none" end
    local cancelled, expected = false, nil
    momo.time.timeout(0.5, function()
      momo.scope(function(scope)
        for i = 1, children do
          scope:spawn(function()
            local _, err = pcall(momo.time.sleep, 5)
            reasons[i] = err.reason
          end)
        end
        momo.yield_now()
        C.momo_fail_allocations(0, n)
        cancelled = pcall(scope.cancel, scope, "first")
        C.momo_fail_allocations(0, 0)
        expected = cancelled and "first" or again or "timeout"
        if again then
          scope:cancel(again)
        end
        momo.time.sleep(5)
      end)
    end)
    for i = 1, children do
      assert(reasons[i] == expected, n .. ": " .. tostring(reasons[i]))
    end
    failed = failed + (cancelled and 0 or 1)
    went_well = cancelled
  end
  return failed >= 6, went_well -- the scope's own two allocations, and the third
end)):join()))
