---lua-http, and what else stands on cqueues, unchanged, in tasks.

local momo = require "momo"
local tcp = require "spec.support.tcp"

require("momo.compat").install "cqueues"
local cqueues = require "cqueues"

local run = tcp.run

describe("momo.compat, cqueues:", function()
  after_each(tcp.check_nothing_left)

  it("runs lua-http's client: twenty requests at once", function()
    run(function()
      local request = require "http.request"
      local listener = tcp.listen()
      local url = "http://" .. listener:local_addr() .. "/"
      local arrived, go = 0, momo.sync.Notify()
      local server = momo.spawn(momo.http.serve, listener, function(incoming, response)
        arrived = arrived + 1
        if arrived == 20 then
          go:notify_waiters()
        elseif arrived < 20 then
          go:notified()
        end
        response:send(200, incoming.path)
      end)
      momo.scope(function(scope)
        for i = 1, 20 do
          scope:spawn(function()
            local headers, stream = assert(request.new_from_uri(url .. i):go(10))
            assert.same({ "200", "/" .. i }, { headers:get ":status", stream:get_body_as_string(10) })
          end)
        end
      end)
      server:cancel()
      server:join()
      listener:close()
    end)
  end)

  it("runs a controller's loop in a task, while others go on", function()
    run(function()
      local ticks, order = 0, {}
      local ticker = momo.spawn(function()
        while true do
          momo.time.sleep(0.002)
          ticks = ticks + 1
        end
      end)
      local controller = cqueues.new()
      for i = 1, 3 do
        controller:wrap(function()
          cqueues.sleep(0.01 * i)
          order[i] = i
        end)
      end
      assert(controller:loop())
      controller:close()
      ticker:cancel()
      assert.same({ 1, 2, 3 }, order)
      assert(ticks > 0)
    end)
  end)

  it("is cut short by a cancellation and a limit", function()
    run(function()
      local task = tcp.waiting(function() cqueues.poll(1000) end)
      task:cancel()
      task:join()
      assert.equal("cancelled", task:status())
      assert.is_nil((momo.time.timeout(0.01, cqueues.poll, 1000)))
      cqueues.poll(0.001)
    end)
  end)

  it("is as it was outside of tasks", function()
    local controller, done = cqueues.new(), false
    controller:wrap(function()
      cqueues.sleep(0.001)
      done = true
    end)
    assert(controller:loop())
    assert.is_true(done)
  end)
end)
