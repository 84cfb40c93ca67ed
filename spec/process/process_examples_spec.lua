---The examples that run other programs, as a user would run them.

local process = require "spec.support.process"
local support = require "spec.support"

local examples = assert(os.getenv "MOMO_SOURCE_DIR") .. "/examples/"

describe("examples", function()
  after_each(process.stop_all)

  it("run_jobs.lua shows what each job printed, and fails if one has", function()
    if (os.getenv "MOMO_SANITIZE" or "") ~= "" then
      return pending "os.exit leaves the state as it is, which looks leaked"
    end
    local status, out = support.momo(examples .. "run_jobs.lua", "echo a; exit 2", "echo b", "kill -9 $$")
    assert.equal(1, status)
    assert.matches("== echo a; exit 2: status 2\na\n", out, 1, true)
    assert.matches("== echo b: status 0\nb\n", out, 1, true)
    assert.matches("== kill -9 $$: SIGKILL\n", out, 1, true)
    assert.equal(0, (support.momo(examples .. "run_jobs.lua", "true", "true", "true")))
  end)

  it("supervisor.lua starts it anew, and gives up in the end", function()
    local status, out = support.shell("TRIES=2 exec " .. os.getenv "MOMO_BIN" .. " " .. examples
      .. "supervisor.lua sh -c 'exit 4'")
    assert.equal(1, status)
    assert.matches("^started\t%d+\nended\t4\nstarted\t%d+\nended\t4\ngave up after 2 ends\n$", out)
  end)

  it("supervisor.lua ends its program when it is told to stop", function()
    local file = support.tmpfile ""
    local status = support.shell(("timeout --foreground 1 %s %ssupervisor.lua sh -c 'echo $$ >%s; exec sleep 9'")
      :format(os.getenv "MOMO_BIN", examples, file))
    assert.is_true(status == 124 or status == 143, tostring(status))
    local handle = io.open(file)
    local pid = handle:read "*l"
    handle:close()
    assert.is_nil(io.open("/proc/" .. pid .. "/stat"))
  end)
end)
