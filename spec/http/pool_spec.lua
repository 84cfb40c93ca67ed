local momo = require "momo"
local pool = require "momo.http.pool"
local tcp = require "spec.support.tcp"

local run, pair, waiting = tcp.run, tcp.pair, tcp.waiting

-- A connection, and the peer's end of it.
local function open()
  local stream, peer = pair()
  return { stream = stream, used = true }, peer
end

local function is_open(connection)
  return connection.stream:fd() ~= nil
end

describe("a pool", function()
  after_each(tcp.check_nothing_left)

  it("gives again what was given back, the last first", function()
    run(function()
      local p = pool.Pool(10)
      local one, peer = open()
      local other = open()
      assert.is_nil(p:take "a")
      assert.is_nil(p:take "a")
      p:give("a", one, 30)
      p:give("a", other, 30)
      assert.equal(other, p:take "a")
      assert.equal(one, p:take "a")
      assert.is_nil(p:take "a")
      peer:write "hello"
      assert.equal("hello", one.stream:read())
      assert.is_nil(p:take "b") -- another place
      p:close()
    end)
  end)

  for name, speak in pairs {
    ["has ended"] = function(peer) peer:close() end,
    ["has said something that nobody asked for"] = function(peer) peer:write "HTTP/1.1 408 Request Timeout\r\n\r\n" end,
    ["has reset it"] = function(peer)
      peer:set_option("linger", 0)
      peer:close()
    end,
  } do
    it("never gives a connection whose peer " .. name, function()
      run(function()
        local p = pool.Pool(10)
        for _, when in ipairs { "before", "just", "long" } do
          local connection, peer = open()
          p:take "a"
          if when == "before" then
            speak(peer)
          end
          p:give("a", connection, 30)
          if when ~= "before" then
            speak(peer)
          end
          if when == "long" then -- the loop closes it by itself
            tcp.wait_for(function() return not is_open(connection) end)
          end
          assert.is_nil(p:take "a", when)
          assert.is_false(is_open(connection))
          p:give "a"
        end
      end)
    end)
  end

  it("closes what was idle for its time", function()
    momo.run({ clock = "virtual" }, function()
      local p = pool.Pool(10)
      local one, other = open(), open()
      p:take "a"
      p:take "a"
      p:give("a", one, 3)
      p:give("a", other, 5)
      momo.time.sleep(2.9)
      assert.is_true(is_open(one))
      momo.time.sleep(0.2)
      assert.is_false(is_open(one))
      assert.equal(other, p:take "a")
      momo.time.sleep(10) -- in use, it may take its time
      assert.is_true(is_open(other))
      p:give("a", other, 5)
      momo.time.sleep(5.1)
      assert.is_false(is_open(other))
      assert.is_nil(p:take "a")
    end)
  end)

  it("lets others wait in turn, and loses nothing by who gives up", function()
    run(function()
      local p, order = pool.Pool(2), {}
      local connection = open()
      p:take "a"
      p:take "a"
      local tasks = {}
      for i = 1, 4 do
        tasks[i] = waiting(function()
          local got = p:take "a"
          order[#order + 1] = i
          momo.yield_now()
          p:give("a", got, 30)
        end)
      end
      tasks[2]:cancel()
      p:take "b" -- does not wait for others' places
      p:give("a", connection, 30)
      p:give "a"
      for i = 1, 4 do
        tasks[i]:join()
      end
      assert.same({ 1, 3, 4 }, order)
      assert.equal(connection, p:take "a")
      assert.is_nil(p:take "a")
      assert.is_true(select(3, momo.time.timeout(0.001, p.take, p, "a")) == "ETIMEDOUT")
      p:close()
    end)
  end)

  it("keeps no run alive, and leaves nothing open behind it", function()
    local connection
    run(function()
      local p = pool.Pool(10)
      p:take "a"
      connection = open()
      p:give("a", connection, math.huge)
    end)
    assert.is_false(is_open(connection))
  end)

  it("that is closed keeps nothing", function()
    run(function()
      local p = pool.Pool(10)
      local one, other = open(), open()
      p:take "a"
      p:take "a"
      p:give("a", one, 30)
      p:close()
      assert.is_false(is_open(one))
      p:give("a", other, 30)
      assert.is_false(is_open(other))
    end)
  end)

  it("forgets where nobody goes any more", function()
    run(function()
      local p, last = pool.Pool(10), nil
      for i = 1, 1000 do
        p:take("host" .. i)
        last = i % 10 == 0 and open() or nil
        p:give("host" .. i, last, 30)
        if last and i < 1000 then
          last.stream:close()
        end
      end
      local count = 0
      for _ in pairs(p.places) do
        count = count + 1
      end
      assert.is_true(count < 700, count .. " places")
      assert.equal(last, p:take "host1000")
    end)
  end)
end)
