-- Values of a user's that Momo shows: error objects, reasons. Whatever they are, showing them never fails.

local momo = require "momo"
local support = require "spec.support"

local FAILED = "(error object whose __tostring failed)"

local function with(tostring_of)
  return setmetatable({ code = "EIO" }, { __tostring = tostring_of })
end

-- What each is shown as.
local shown = {
  ["an object that fails to tell what it is"] = { with(function() error "no" end), FAILED },
  ["one that fails with itself"] = { with(function(self) error(self) end), FAILED },
  ["one that tells no text"] = { with(function() return {} end), FAILED },
  ["one that suspends to tell it"] = { with(function() momo.time.sleep(0.001) return "slept" end), "slept" },
  ["one that tells it"] = { with(function(self) return "object of " .. self.code end), "object of EIO" },
  ["a table"] = { { code = "EIO", "first", 2, inner = {}, on = false },
    '{ "first", 2, code = "EIO", inner = table, on = false }' },
  ["a table with a metatable"] = { setmetatable({ n = 1 }, { __index = error, __metatable = "hidden" }), "{ n = 1 }" },
  ["a table of many"] = { { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, a = 1 },
    "{ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, and 3 more }" },
  ["a text"] = { "a text", "a text" },
  ["a number"] = { 42, "42" },
}

for what, case in pairs(shown) do
  local value, text = unpack(case)

  describe(what, function()
    it("is a reason of a scope", function()
      momo.run(function()
        local result, err, code = momo.scope(function(scope)
          scope:cancel(value)
          momo.time.sleep(1)
        end)
        assert.same({ nil, "ECANCELED: " .. text, "ECANCELED" }, { result, err, code })
      end)
    end)

    it("is a reason of a task", function()
      momo.run(function()
        local task = momo.spawn(momo.time.sleep, 1)
        momo.yield_now()
        task:cancel(value)
        local _, err = task:join()
        assert.equal("cancelled: " .. text, tostring(err))
        assert.equal(value, err.reason)
      end)
    end)
  end)
end

describe("an error object", function()
  it("is reported, of a task, a thread, blocking work and in on_error", function()
    local status, _, stderr = support.momo("-e", [[
      local momo = require "momo"
      local bad = { __tostring = function() error "no" end }
      momo.spawn(error, setmetatable({}, bad))
      momo.spawn(error, { code = "E1" })
      momo.thread.spawn(function() error { code = "E2" } end)
      momo.thread.spawn(function()
        error(setmetatable({ code = "E3" }, { __tostring = function() return "three" end }))
      end)
      momo.spawn(function()
        local ok, err = momo.spawn_blocking(function() error { code = "E4" } end):join()
        error(err)
      end)
    ]])
    assert.equal(1, status)
    assert.matches("momo: %(error object whose __tostring failed%)\n", stderr)
    assert.matches('momo: { code = "E1" }\n', stderr)
    assert.matches('momo: thread momo%-1 failed: { code = "E2" }\nstack traceback:\n', stderr)
    assert.matches('momo: thread momo%-2 failed: three\nstack traceback:\n', stderr)
    assert.matches('momo: { code = "E4" }\n', stderr)
  end)

  it("ends the program on each of its threads with a report", function()
    local file = support.tmpfile [[
      local momo = require "momo"
      if momo.thread.current().index == 1 then error { code = "E1" } end
      momo.time.sleep(60)
    ]]
    local status, _, stderr = support.momo("--threads", "2", file)
    assert.same({ 1, 'momo: { code = "E1" }\n' }, { status, stderr })
  end)

  it("reaches who joins the thread as it is", function()
    momo.run(function()
      local ok, err = momo.thread.spawn(function() error { code = "E1" } end):join()
      assert.same({ false, { code = "E1" } }, { ok, err })
    end)
  end)

  it("that on_error raises is shown", function()
    local program = support.tmpfile [[
      local momo = require "momo"
      momo.run({ on_error = function(err) error { code = err } end }, function() momo.spawn(error, "one") end)
    ]]
    local _, _, told = support.shell((os.getenv "MOMO_LUAJIT" or "luajit") .. " " .. program)
    assert.matches('^momo: while a failed task was reported: { code = "one" }\nmomo: one\n', told)
  end)
end)

describe("an object of Momo's", function()
  it("tells its class", function()
    local a, b = momo.net.UnixStream.pair()
    local tx, rx = momo.sync.channel()
    local far_tx, far_rx = momo.thread.channel(1)
    for class, object in pairs {
      ["momo.Stream"] = a, ["momo.Sender"] = tx, ["momo.Receiver"] = rx, ["momo.Mutex"] = momo.sync.Mutex(),
      ["momo.Semaphore"] = momo.sync.Semaphore(1), ["momo.Notify"] = momo.sync.Notify(),
      ["momo.time.Interval"] = momo.time.interval(1), ["momo.time.After"] = momo.time.after(1),
      ["momo.thread.Sender"] = far_tx, ["momo.thread.Receiver"] = far_rx,
    } do
      assert.matches("^" .. class .. ": 0x%x+$", tostring(object))
    end
    a:close()
    b:close()
    momo.run(function()
      momo.scope(function(scope) assert.matches("^momo.Scope: 0x%x+$", tostring(scope)) end)
      assert.matches("^momo.Task %d+ %(ready%)$", tostring(momo.spawn(momo.yield_now)))
      for class, object in pairs {
        ["momo.Listener"] = assert(momo.net.TcpListener.bind "127.0.0.1:0"),
        ["momo.net.UdpSocket"] = assert(momo.net.UdpSocket.bind "127.0.0.1:0"),
      } do
        assert.matches("^" .. class .. ": 0x%x+$", tostring(object))
        object:close()
      end
    end)
  end)
end)
