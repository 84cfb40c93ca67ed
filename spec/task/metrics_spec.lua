local momo = require "momo"

describe("metrics", function()
  it("count tasks, those that are ready, timers, spawns, resumes and handles", function()
    local idle = momo.metrics()
    assert.same({ 0, 0, 0, 0 }, { idle.tasks, idle.ready, idle.timers, idle.handles })
    momo.run({ clock = "virtual" }, function()
      for _ = 1, 5 do momo.spawn(momo.time.sleep, 0.01) end
      for _ = 1, 3 do momo.spawn(momo.yield_now) end
      local spawned = momo.metrics()
      assert.same({ 9, 8, 0, 9 }, { spawned.tasks, spawned.ready, spawned.timers, spawned.spawned - idle.spawned })
      momo.yield_now()
      local parked = momo.metrics()
      assert.same({ 9, 3, 5 }, { parked.tasks, parked.ready, parked.timers })
      local listener = assert(momo.net.TcpListener.bind "127.0.0.1:0")
      assert.equal(1, momo.metrics().handles)
      listener:close()
      assert.equal(0, momo.metrics().handles)
    end)
    local after = momo.metrics()
    assert.same({ 0, 0, 0, 0 }, { after.tasks, after.ready, after.timers, after.handles })
    assert.equal(9 * 2, after.resumes - idle.resumes)
  end)

  it("count what was dropped without close, which the collector closes", function()
    local before = momo.metrics().collected
    momo.run(function()
      for _ = 1, 10 do assert(momo.net.TcpListener.bind "127.0.0.1:0") end
      collectgarbage()
      collectgarbage()
    end)
    assert.equal(0, momo.metrics().handles)
    assert.equal(10, momo.metrics().collected - before)
  end)
end)
