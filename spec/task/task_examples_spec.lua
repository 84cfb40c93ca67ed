---Runs each example about tasks as a user would, as a process of its own. Where no socket is involved it runs on the
---virtual clock, so what it prints is certain.

local support = require "spec.support"

local examples = assert(os.getenv "MOMO_SOURCE_DIR") .. "/examples/"

---Runs it to its end.
---@param name string
---@param ... string its arguments
---@return string stdout
local function run(name, ...)
  local status, out, err = support.momo(examples .. name .. ".lua", ...)
  assert.equal("", err)
  assert.equal(0, status)
  return out
end

---The same on the virtual clock.
local function run_virtual(name, ...)
  local status, out, err = support.momo("--virtual", examples .. name .. ".lua", ...)
  assert.equal("", err)
  assert.equal(0, status)
  return out
end

local function count(text, pattern)
  return select(2, text:gsub(pattern, ""))
end

describe("timeouts.lua", function()
  local BEGINNING = "request:  the answer after 0.1 s\n"
    .. "too slow: ETIMEDOUT: not done within 0.1 s\n"
    .. "hedged:   number 2 was first, with the answer after 0 s\n"

  it("keeps what came in time", function()
    assert.equal(BEGINNING
      .. "fan-out:  1: the answer after 0.1 s\n"
      .. "fan-out:  2: ETIMEDOUT: not done within 10 s\n"
      .. "fan-out:  3: the answer after 0.2 s\n"
      .. "fan-out:  4: ETIMEDOUT: not done within 10 s\n", run("timeouts", "10"))
  end)

  it("keeps nothing when there is no time", function()
    local late = "fan-out:  %d: ETIMEDOUT: not done within 0 s\n"
    assert.equal(BEGINNING .. late:format(1) .. late:format(2) .. late:format(3) .. late:format(4),
      run("timeouts", "0"))
  end)
end)

describe("pipeline.lua", function()
  it("counts the words of a file, in batches", function()
    local path = support.tmpfile(("two words\n"):rep(30) .. "\nand now an unterminated line")
    local out = run_virtual("pipeline", path)
    assert.equal("10 lines so far, 20 words\n20 lines so far, 40 words\n30 lines so far, 60 words\n",
      out:match "^.-30.-\n")
    assert.equal("32 lines so far, 65 words\n", out:match "[^\n]+\n$")
  end)

  it("does not wait for a batch to be full", function()
    local path = support.tmpfile "one"
    assert.equal("1 lines so far, 1 words\n", run_virtual("pipeline", path))
    assert.equal("0 lines so far, 0 words\n", run_virtual("pipeline", support.tmpfile ""))
  end)

  it("counts itself when no file is named", function()
    local n = 0
    for _ in io.lines(examples .. "pipeline.lua") do
      n = n + 1
    end
    assert.truthy(run("pipeline"):find(("\n%d lines so far, %%d+ words\n$"):format(n)))
  end)

  it("ends as a whole when one stage fails, and tells where", function()
    local status, out, err = support.momo(examples .. "pipeline.lua", "/no/such/file")
    assert.equal(1, status)
    assert.equal("", out)
    assert.truthy(err:find "^momo: [^\n]*pipeline%.lua:%d+: [^\n]*/no/such/file: No such file or directory")
    assert.truthy(err:find "in task %d")
  end)
end)

describe("rate_limiter.lua", function()
  it("lets a burst go, then one each tenth of a second, and refuses who would wait too long", function()
    local lines = {}
    for i = 1, 12 do
      local refused = i > 9 and "is refused, ETIMEDOUT: operation timed out" or "goes"
      lines[i] = ("%.1f s: request %d %s\n"):format(math.min(math.max(0, i - 3) / 10, 0.65), i, refused)
    end
    assert.equal(table.concat(lines) .. "9 served, 3 refused, at most 2 at once\n", run_virtual "rate_limiter")
  end)

  it("refuses at once without patience", function()
    assert.truthy(run_virtual("rate_limiter", "5", "0"):find "\n3 served, 2 refused, at most 2 at once\n$")
  end)

  it("serves everybody with enough of it", function()
    assert.truthy(run_virtual("rate_limiter", "1000", "1000"):find "\n1000 served, 0 refused, at most 2 at once\n$")
  end)
end)

describe("cron.lua", function()
  it("runs each job at its times, for a day of virtual time", function()
    local out = run_virtual("cron", "86400")
    assert.equal(3, count(out, "heartbeat, run %d+ %(0 skipped%): done\n"))
    local backups = count(out, "%d%d:40:00  backup, run %d+ %(0 skipped%): done\n")
    assert.truthy(backups == 4 or backups == 3) -- the last may be under way when the day ends
    assert.equal(1, count(out, "18:00:00  report, run 1 %(0 skipped%): done\n"))
    assert.truthy(out:find "heartbeat ran 86400 times\n")
    assert.truthy(out:find "backup ran 4 times\n")
    assert.truthy(out:find "report ran 1 times\n$")
  end)

  it("goes on with a job that failed, and skips the ticks that it missed", function()
    local out = run_virtual("cron", "86400")
    local runs = count(out, "cleanup, run %d+ %([023] skipped%): the disk is full\n")
    assert.truthy(runs == 6 or runs == 7) -- the last may be under way when the day ends
    assert.truthy(count(out, "%([23] skipped%)") >= 5)
  end)

  it("ends by itself in real time too", function()
    assert.truthy(run("cron", "0.1"):find "^%d%d:%d%d:%d%d  cron begins .*heartbeat ran %d times\n")
  end)
end)

describe("retry.lua", function()
  it("tries until there is an answer, and gives up at the deadline", function()
    local out = run("retry", "12")
    local first, second = out:match "^(.-the answer: hello, at last\n)(.*)$"
    assert.truthy(first:find "^  attempt 1: EOF: end of file; again in 0%.%d%d s\n"
      or first:find "^  attempt 1: ETIMEDOUT: ") -- half a second may be over before
    assert.truthy(first:find "\n  attempt %d+: ETIMEDOUT: not done within 0.5 s; again in %d%.%d%d s\n")
    assert.truthy(second:find "  attempt %d+: ECONNREFUSED: connection refused: 127%.0%.0%.1:%d+; again in")
    assert.truthy(second:find "\ngiven up: ETIMEDOUT: not done within 12 s\n$")
  end)

  it("fails when its deadline comes before the first answer", function()
    local status, out, err = support.momo(examples .. "retry.lua", "0.1")
    assert.equal(1, status)
    assert.falsy(out:find "the answer")
    assert.truthy(err:find "^momo: [^\n]*retry%.lua:%d+: ETIMEDOUT: not done within 0.1 s\n")
  end)
end)
