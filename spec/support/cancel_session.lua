-- What spec/house/memory_spec.lua runs, in a build whose allocations can fail: a scope is cancelled while the n-th
-- allocation of Lua fails. Whoever was not cancelled then is later cancelled by a timeout, and hears of that alone.

local momo = require "momo"

print(select(2, assert(momo.thread.spawn(function()
  local ffi = require "ffi"
  local C = require("momo.internal.core").C
  ffi.cdef "void momo_fail_allocations(long n, long m);"
  jit.off()
  local failed, went_well = 0, false
  for n = 1, 60 do
    local reasons = {}
    for i = 1, 20 do reasons[i] = "none" end
    local cancelled = false
    momo.time.timeout(0.01, function()
      momo.scope(function(scope)
        for i = 1, 20 do
          scope:spawn(function()
            local _, err = pcall(momo.time.sleep, 5)
            reasons[i] = err.reason
          end)
        end
        momo.yield_now()
        C.momo_fail_allocations(0, n)
        cancelled = pcall(scope.cancel, scope, "first")
        C.momo_fail_allocations(0, 0)
        momo.time.sleep(5)
      end)
    end)
    for i = 1, 20 do
      assert(reasons[i] == (cancelled and "first" or "timeout"), n .. ": " .. tostring(reasons[i]))
    end
    failed = failed + (cancelled and 0 or 1)
    went_well = cancelled
  end
  return failed > 0, went_well
end)):join()))
