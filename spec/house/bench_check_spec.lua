-- `./dev bench --check`: a path that takes more instructions than its table allows fails it.

local support = require "spec.support"

local SOURCE = assert(os.getenv "MOMO_SOURCE_DIR")
local SANITIZED = (os.getenv "MOMO_SANITIZE" or "") ~= ""

-- Checks one path; with modules of this folder before Momo's own.
local function check(path, folder)
  local first = folder and ("LUA_PATH=\"%s/?.lua;$LUA_PATH\" "):format(folder) or ""
  return support.shell(("%sluajit %s/bench/run.lua --check %s"):format(first, support.quote(SOURCE),
    support.quote(path)))
end

-- valgrind has no say in a build with a sanitizer, and the table is for Release.
(SANITIZED and pending or describe)("bench --check", function()
  local folder

  setup(function()
    folder = os.tmpname()
    os.remove(folder)
    assert(os.execute("mkdir " .. folder) == 0)
  end)

  teardown(function()
    os.execute("rm -r " .. folder)
  end)

  it("passes what is as heavy as the table says", function()
    local status, output, errors = check "channel of 128"
    assert.are.equal(0, status, output .. errors)
    assert.matches("channel of 128 +[%d.]+ +[%d.]+", output)
  end)

  it("fails when a path got heavier, and names it", function()
    -- Momo, but a send of its channels counts to twenty first.
    local file = assert(io.open(folder .. "/momo.lua", "w"))
    assert(file:write(([[
      local momo = assert(loadfile %q)("momo")
      local methods = getmetatable(momo.sync.channel()).__index
      local send = methods.send
      function methods.send(self, value)
        local sum = 0
        for i = 1, 20 do
          sum = sum + i * value
        end
        assert(sum >= 0)
        return send(self, value)
      end
      return momo
    ]]):format(SOURCE .. "/lua/momo.lua")))
    file:close()
    local status, output, errors = check("channel of 128", folder)
    assert.are.equal(1, status, output .. errors)
    assert.matches("heavier by more than 3 %%: channel of 128\n", output)
  end)

  it("knows its paths by name", function()
    local status, _, errors = check "channel of 129"
    assert.are_not.equal(0, status)
    assert.matches("there is no path 'channel of 129'", errors)
  end)
end)
