-- The sleep and wake protocol, as a model checker sees it: see spec/thread/model/doorbell.pml.

local support = require "spec.support"

local MODEL = assert(os.getenv "MOMO_SOURCE_DIR") .. "/spec/thread/model/doorbell.pml"

-- What spin's checker prints.
local function check(defines)
  local folder = os.tmpname()
  local status, stdout, stderr = support.shell(([[
    rm %s && mkdir %s && cd %s && spin %s -a %s && cc -w -DSAFETY -DVECTORSZ=2048 -o pan pan.c && ./pan -m1000000;
    status=$?; rm -r %s; exit $status]]):format(folder, folder, folder, defines, MODEL, folder))
  assert(status == 0, stdout .. stderr)
  assert(not stdout:find("max search depth too small", 1, true), stdout)
  return stdout
end

describe("the model of sleeping and waking", function()
  if support.shell "command -v spin" ~= 0 then
    return pending "spin is not installed"
  end

  for _, defines in ipairs { "", "-DCAPACITY=2 -DMESSAGES=4", "-DRECEIVER_CLOSES" } do
    it("holds " .. defines, function()
      local report = check(defines)
      assert.matches("errors: 0", report, 1, true)
      assert.is_true(tonumber(report:match "(%d+) states, stored") > 1000, report)
    end)
  end

  for _, defines in ipairs {
    "-DNO_FENCE_ARM=0", "-DNO_FENCE_ARM=1", "-DNO_FENCE_ARM=5",
    "-DNO_FENCE_FLUSH=0", "-DNO_FENCE_FLUSH=1", "-DNO_FENCE_FLUSH=5",
  } do
    it("lets a thread sleep for ever with " .. defines, function()
      local report = check(defines)
      assert.matches("errors: 1", report, 1, true)
      assert.matches("invalid end state", report, 1, true)
    end)
  end
end)
