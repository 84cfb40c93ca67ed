-- What spec/house/memory_spec.lua runs, in a build whose allocations can fail (spec/support/failing_malloc.c):
--
--    momo spec/support/memory_session.lua "core", "lua" or "start" [first [step]]
--
-- For each n = first, first + step, ...: starts a thread that does a bit of everything, of which the n-th allocation
-- fails, and then does it once more, where nothing may fail. It goes on until there are no n allocations any more.
-- "core" counts what the core allocates, "lua" what Lua does once the thread runs, "start" what it does until then.

local ffi = require "ffi"
local momo = require "momo"
local core = require "momo.internal.core"

ffi.cdef [[
  void momo_fail_allocations(long n, long m);
  int momo_allocation_failed(void);
]]

local kind, first, step = arg[1], tonumber(arg[2]) or 1, tonumber(arg[3]) or 1

-- Runs on the thread. Returns the errors of the first round and of the second.
local function session(n)
  local buffer = require "string.buffer"
  local ffi = require "ffi" -- luacheck: ignore 431
  local C = require("momo.internal.core").C
  ffi.cdef "void momo_fail_allocations(long n, long m);"
  local net, io, sync = momo.net, momo.io, momo.sync
  local path = os.tmpname()

  local function echo(stream)
    repeat
      local data = stream:read()
    until not data or not stream:write(data)
    stream:close()
  end

  local function converse(scope, listener, connect)
    local server = scope:spawn(function()
      echo(assert(listener:accept(5)))
    end)
    local stream = assert(connect(assert(listener:local_addr()), 5))
    stream:set_timeout(5)
    assert(stream:write "a line\nand more")
    assert(assert(stream:peek(3)):sub(1, 3) == "a l")
    assert(stream:read_until "\n" == "a line\n")
    local other = assert(io.pipe()) -- takes the scratch over
    other:close()
    assert(stream:read_exact(8) == "and more")
    local much = ("x"):rep(200000)
    local writer = scope:spawn(stream.write, stream, { much, much })
    assert(assert(stream:read_exact(400000)) == much .. much)
    assert(writer:join())
    local sent, came = buffer.new():put(much), buffer.new()
    writer = scope:spawn(stream.write, stream, sent)
    while #came < #much do
      assert(stream:read_into(came))
    end
    assert(writer:join() and #sent == 0 and came:get() == much)
    stream:close()
    listener:close()
    assert(server:join())
  end

  local operations = {
    function(scope)
      local tx, rx = sync.channel(1)
      local task = scope:spawn(function(...)
        momo.time.sleep(0.001)
        return rx:recv(), ...
      end, 1, 2, 3)
      assert(tx:send "value")
      assert(task:join(5))
    end,
    function()
      momo.scope(function(scope)
        for i = 1, 100 do
          scope:spawn(momo.time.sleep, i % 3 / 1000)
        end
      end)
      momo.time.timeout(5, momo.time.sleep, 0.001)
    end,
    function(scope) converse(scope, assert(net.TcpListener.bind "127.0.0.1:0"), net.TcpStream.connect) end,
    function(scope)
      os.remove(path)
      converse(scope, assert(net.UnixListener.bind(path)), net.UnixStream.connect)
    end,
    function()
      local one, other = assert(net.UdpSocket.bind "127.0.0.1:0"), assert(net.UdpSocket.bind "127.0.0.1:0")
      for i = 1, 3 do
        assert(one:send_to("datagram" .. i, assert(other:local_addr())))
      end
      assert(other:recv_from(5) == "datagram1")
      local reader, writer = assert(io.pipe())
      assert(writer:write "x" and reader:read() == "x") -- takes the scratch over
      assert(other:recv_from(5) == "datagram2")
      one:close()
      other:close()
      reader:close()
      writer:close()
    end,
    function(scope)
      local a, b = net.UnixStream.pair()
      local c, d = net.UnixStream.pair()
      local copier = scope:spawn(io.copy, assert(b), assert(c))
      local much = ("y"):rep(200000)
      local writer = scope:spawn(function()
        assert(a:write(much))
        a:close()
      end)
      d:set_timeout(5)
      assert(d:read_exact(#much) == much)
      assert(copier:join(5))
      assert(writer:join(5))
    end,
    function(scope)
      local reader, writer = assert(io.pipe())
      local task = scope:spawn(io.poll, 0, "r", 0.001)
      assert(writer:write "x")
      assert(reader:read() == "x")
      assert(task:join(5))
    end,
    function() assert(net.lookup_host "localhost") end,
    function()
      local tx, rx = momo.thread.channel(2)
      local back, answers = momo.thread.channel(2)
      local thread = assert(momo.thread.spawn(function(inbox, outbox)
        for value in inbox:iter() do
          outbox:send { value, 1LL }
        end
        return { "result" }
      end, rx, back))
      for i = 1, 3 do
        assert(tx:send { i, "text", { nested = true } })
        assert(assert(answers:recv(5))[1][1] == i)
      end
      local third, fourth = momo.thread.channel(1)
      local clone = tx:clone()
      assert(clone:send { third })
      clone:close()
      local got = answers:recv(5)
      assert(got and got[1][1]:send(("z"):rep(20000)))
      assert(fourth:recv(5) == ("z"):rep(20000))
      tx:close()
      local ok, result = thread:join(5)
      assert(ok and result[1] == "result", result)
    end,
    function()
      local ok, sum = momo.spawn_blocking(function(t) return { t[1] + t[2] } end, { 1, 2 }):join(5)
      assert(ok and sum[1] == 3, sum)
    end,
  }

  local function round()
    local failures = {}
    for i, operation in ipairs(operations) do
      local ok, err = momo.pcall(momo.scope, operation)
      if not ok then
        failures[#failures + 1] = i .. ": " .. tostring(err)
      end
    end
    os.remove(path)
    return failures
  end

  if n then
    C.momo_fail_allocations(0, n)
  end
  local failures = round()
  C.momo_fail_allocations(0, 0)
  collectgarbage()
  jit.flush()
  return failures, round()
end

-- What a failed allocation, and what follows from it, may be told as.
local CLEAN = { "not enough memory", "unable to dump given function", "assertion failed!", "ENOMEM: ", "EAGAIN: ",
  "EAI_MEMORY: ", "EOF: ", "ECONNRESET: ", "EPIPE: ", "ECANCELED: ", "ETIMEDOUT: " }

local function is_clean(err)
  for _, text in ipairs(CLEAN) do
    if err:find(text, 1, true) then
      return true
    end
  end
end

local function nothing() return {}, {} end

-- Starts a thread of which the n-th allocation fails: whether it has.
local function try(n)
  local arm = core.C.momo_fail_allocations
  if kind ~= "lua" then
    arm(kind == "core" and n or 0, kind == "start" and n or 0)
  end
  local started, thread, err = pcall(momo.thread.spawn, kind == "start" and nothing or session, kind == "lua" and n)
  local ok, failures, others
  if not started then
    failures = thread
  elseif not thread then
    failures = err
  else
    ok, failures, others = thread:join(60)
  end
  arm(0, 0)
  if not ok then
    failures, others = { tostring(failures) }, {}
  end
  for _, failure in ipairs(failures) do
    if not is_clean(failure) then
      print(n, failure)
    end
  end
  for _, failure in ipairs(others) do
    print(n, "afterwards", failure)
  end
  collectgarbage()
  return core.C.momo_allocation_failed() ~= 0
end

local n = first
while try(n) do
  n = n + step
end
print "done"
