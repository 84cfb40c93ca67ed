-- `./dev bench --check`: a path that takes more instructions than its table allows fails it.

local support = require "spec.support"

local SOURCE = assert(os.getenv "MOMO_SOURCE_DIR")
local SANITIZED = (os.getenv "MOMO_SANITIZE" or "") ~= ""

-- Checks one path, against the table of that source.
local function check(path, source)
  return support.shell(("MOMO_SOURCE_DIR=%s luajit %s/bench/run.lua --check %s"):format(support.quote(source or SOURCE),
    support.quote(SOURCE), support.quote(path)))
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

  it("fails when a path is heavier than the table says, and names it", function()
    support.shell(("cd %s && mkdir bench && cd bench && ln -s %s/bench/* . && rm instructions.lua"):format(folder,
      support.quote(SOURCE)))
    local counts = dofile(SOURCE .. "/bench/instructions.lua")
    local file = assert(io.open(folder .. "/bench/instructions.lua", "w"))
    assert(file:write(("return { tolerance = %f, ['channel of 128'] = %f }"):format(counts.tolerance,
      counts["channel of 128"] / 1.1)))
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
