-- The examples of threads, run as a user would.

local support = require "spec.support"

local SOURCE = assert(os.getenv "MOMO_SOURCE_DIR")

local function run(name, ...)
  local words = { ("%s/examples/%s.lua"):format(SOURCE, name) }
  for _, word in ipairs { ... } do
    words[#words + 1] = type(word) == "number" and tostring(word) or word
  end
  local status, stdout, stderr = support.momo(unpack(words))
  assert.same({ 0, "" }, { status, stderr })
  return stdout
end

local function count(text, pattern)
  return select(2, text:gsub(pattern, ""))
end

describe("examples/workers.lua", function()
  for _, workers in ipairs { 1, 2, 5 } do
    it(("does every job once with %d workers"):format(workers), function()
      local output = run("workers", workers, 20)
      assert.equal(20, count(output, "worker %d+: %d+ = "))
      for i = 2, 20 do
        assert.equal(1, count(output, (": %d = "):format(10 ^ 6 + i)))
      end
      assert.matches(": 4503599627370449 = 4503599627370449\n", output, 1, true)
      local done = 0
      for n in output:gmatch "worker %d+ did (%d+)" do
        done = done + n
      end
      assert.equal(20, done)
    end)
  end
end)

describe("examples/map_reduce.lua", function()
  it("counts the words of all files", function()
    local one = support.tmpfile(("a few words, a few\n"):rep(20000))
    local other = support.tmpfile "words without an end"
    assert.equal("40000\ta\n40000\tfew\n20001\twords\n1\tan\n1\tend\n1\twithout\n", run("map_reduce", one, other))
  end)

  it("counts its own where it is given none", function()
    assert.matches("^%d+\t%a+\n", run "map_reduce")
  end)
end)

describe("examples/blocking.lua", function()
  it("ticks while a command runs, and shows what went wrong", function()
    -- A state is in use at the end: LuaJIT's compiler holds its buffer by a pointer that lies outside of it.
    local output = run("blocking", "1", { leaks = true })
    assert.is_true(count(output, "tick\n") >= 2, output)
    for _, line in ipairs {
      "pi is about 3.141593\n", "\nthe command is done\n", "blocking.lua:37: no such thing\n",
      "ETIMEDOUT: not done within 0.5 s\tETIMEDOUT\n",
      "cancelled: it takes too long (the blocking work that it waited for goes on)\n",
    } do
      assert.matches(line, output, 1, true)
    end
  end)
end)
