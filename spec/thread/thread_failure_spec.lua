local support = require "spec.support"

describe("a thread that failed", function()
  local FAILING = [[
    local momo = require "momo"
    local thread
    momo.run(function()
      thread = momo.thread.spawn({ name = "worker" }, function()
        error "it broke"
      end)
      %s
    end)
    print "run has returned"
  ]]

  it("unjoined is reported on stderr with its name, place and traceback", function()
    local status, stdout, stderr = support.luajit(FAILING:format "")
    assert.equal(0, status)
    assert.equal("run has returned\n", stdout)
    assert.matches("^momo: thread worker failed: app%.lua:5: it broke\nstack traceback:\n", stderr)
  end)

  it("and is joined is not reported", function()
    local status, stdout, stderr = support.luajit(FAILING:format "thread:join()")
    assert.equal(0, status)
    assert.equal("run has returned\n", stdout)
    assert.equal("", stderr)
  end)

  it("and is joined later was reported, and still gives its error", function()
    local status, stdout, stderr = support.luajit(FAILING:format [[
      while momo.metrics().threads > 0 do momo.time.sleep(0.001) end
      print(select("#", thread:join()), (select(2, thread:join()):match "^[^\n]*"))
    ]])
    assert.equal(0, status)
    assert.equal("2\tapp.lua:5: it broke\nrun has returned\n", stdout)
    assert.matches("^momo: thread worker failed: app%.lua:5: it broke\n", stderr)
  end)

  it("with an error object is reported too", function()
    local status, _, stderr = support.luajit((FAILING:format "":gsub('"it broke"', "{}")))
    assert.equal(0, status)
    assert.matches("^momo: thread worker failed: ", stderr)
  end)

  it("for want of descriptors leaves none behind", function()
    local status, stdout = support.luajit [[
      local momo = require "momo"
      local descriptors = require "spec.support.descriptors"
      local before, after, failed = nil, nil, 0
      momo.run(function()
        before = descriptors.list()
        for round = 1, 10 do
          for left = 3, 16 do
            descriptors.few(left)
            local threads = {}
            for i = 1, 6 do -- which take them from each other
              threads[i] = assert(momo.thread.spawn(function() end))
            end
            for _, thread in ipairs(threads) do
              failed = failed + (thread:join() and 0 or 1)
            end
          end
        end
        descriptors.many()
        after = descriptors.list()
      end)
      print(failed > 0, table.concat(before, " ") == table.concat(after, " ") or table.concat(after, " "))
    ]]
    assert.same({ 0, "true\ttrue\n" }, { status, stdout })
  end)
end)
