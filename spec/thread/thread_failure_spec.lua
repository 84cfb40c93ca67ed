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
end)
