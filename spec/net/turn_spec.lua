---What tasks write to sockets in one turn of the loop, while bytes have come for others: a poller may send it later.

local buffer = require "string.buffer"
local momo = require "momo"
local tcp = require "spec.support.tcp"

local TASKS = 8

-- Each of the tasks is woken by a byte, all in one turn, and runs `body` with its number.
local function in_one_turn(body)
  local tasks, triggers, woken = {}, {}, {}
  for i = 1, TASKS do
    woken[i], triggers[i] = momo.net.UnixStream.pair()
    tasks[i] = momo.spawn(function()
      assert(woken[i]:read_exact(2))
      return body(i)
    end)
  end
  for _ = 1, 2 do
    momo.time.sleep(0.01)
    for i = 1, TASKS do
      triggers[i]:write "x"
    end
  end
  return tasks, function()
    for i = 1, TASKS do
      woken[i]:close()
      triggers[i]:close()
    end
  end
end

-- Each of the tasks spawns a hundred, all in one turn, and those run `body` with its number and their own.
local function by_hundreds(body)
  local tasks, close = in_one_turn(function(i)
    local children = {}
    for j = 1, 100 do
      children[j] = momo.spawn(body, i, j)
    end
    for j = 1, 100 do
      assert(children[j]:join())
    end
  end)
  for i = 1, TASKS do
    assert(tasks[i]:join())
  end
  return close
end

-- Writes seven bytes, each time as another kind of value. What it returns.
local function write_seven(stream, i)
  local kind = math.floor(i / 2) % 3
  local bytes = buffer.new():put "written"
  local n, err = stream:write(kind == 0 and bytes or kind == 1 and "written" or { "writ", "ten" })
  assert.equal(kind == 0 and n and 0 or 7, #bytes)
  return n, err
end

describe("what tasks write in a turn", function()
  after_each(tcp.check_nothing_left)

  it("is out, and the write returns, when they are cancelled in it; the next operation raises", function()
    tcp.run(function()
      local ones, others, results = {}, {}, {}
      local tasks, close
      for i = 1, TASKS do
        ones[i], others[i] = tcp.pair()
      end
      tasks, close = in_one_turn(function(i)
        if i == TASKS then
          for j = 1, TASKS - 1 do
            tasks[j]:cancel()
          end
          return
        end
        results[i] = write_seven(ones[i], i)
        momo.time.sleep(1e6)
      end)
      for i = 1, TASKS - 1 do
        local ok, err = tasks[i]:join()
        assert.same({ false, "cancelled" }, { ok, tostring(err) })
        assert.equal(7, results[i])
        assert.equal(2, ones[i]:write "ag")
        ones[i]:close()
        assert.equal("writtenag", others[i]:read_exact(9, 10))
      end
      assert(tasks[TASKS]:join())
      close()
      for i = 1, TASKS do
        ones[i]:close()
        others[i]:close()
      end
    end)
  end)

  local next_ones = {
    ["writes without waiting"] = function(stream)
      assert.equal(4, stream:write(" too", 0))
      return " too"
    end,
    ["writes pieces"] = function(stream)
      assert.equal(4, stream:write { " ", "too" })
      return " too"
    end,
    ["writes what there is room for"] = function(stream)
      assert.equal(4, stream:write_some " too")
      return " too"
    end,
    ["ends the outgoing side"] = function(stream)
      assert.is_true(stream:shutdown())
      return ""
    end,
    ["closes"] = function(stream)
      stream:close()
      return ""
    end,
    ["gives the stream away"] = function(stream)
      local fd = assert(stream:into_fd())
      assert(momo.net.TcpStream.from_fd(fd)):close()
      return ""
    end,
  }
  for name, act in pairs(next_ones) do
    it("is out, and the write returns, for who comes next in it and " .. name, function()
      tcp.run(function()
        local ones, others, results, came = {}, {}, {}, {}
        for i = 1, TASKS do
          ones[i], others[i] = tcp.pair()
        end
        local tasks, close = in_one_turn(function(i)
          if i % 2 == 1 then
            results[i] = write_seven(ones[i], i)
          else
            came[i - 1] = "written" .. act(ones[i - 1])
          end
        end)
        for i = 1, TASKS do
          assert(tasks[i]:join())
        end
        for i = 1, TASKS, 2 do
          assert.equal(7, results[i])
          ones[i]:close()
          assert.equal(came[i], others[i]:read_exact(#came[i], 10))
          assert.equal("EOF", select(3, others[i]:read(1, 10)))
        end
        close()
        for i = 1, TASKS do
          ones[i]:close()
          others[i]:close()
        end
      end)
    end)
  end

  it("by many tasks to one stream returns in the order in which it is out", function()
    tcp.run(function()
      local one, other = tcp.pair()
      local sent = {}
      local reader = momo.spawn(function()
        local came = buffer.new()
        while other:read_into(came) do end
        return came:tostring()
      end)
      local close = by_hundreds(function(i, j)
        local text = ("%d %03d\n"):format(i, j):rep(j % 25 == 0 and 4000 or 1)
        assert.equal(#text, one:write(j % 3 == 0 and { text } or j % 3 == 1 and buffer.new():put(text) or text))
        sent[#sent + 1] = text
      end)
      one:close()
      local _, came = reader:join()
      assert.equal(table.concat(sent), came)
      close()
      other:close()
    end)
  end)

  it("by many tasks to one stream is out some turns later, each write whole", function()
    tcp.run(function()
      local one, other = tcp.pair()
      local before
      local close = by_hundreds(function(i)
        before = before or momo.metrics().polls
        assert.equal(3, one:write { tostring(i), "\0", "\n" })
      end)
      assert.is_true(momo.metrics().polls - before < 10 * TASKS)
      local count = {}
      for _ = 1, 100 * TASKS do
        local line = other:read_exact(3, 10)
        assert.matches("^%d%z\n$", line)
        count[line] = (count[line] or 0) + 1
      end
      for i = 1, TASKS do
        assert.equal(100, count[i .. "\0\n"])
      end
      close()
      one:close()
      other:close()
    end)
  end)
end)
