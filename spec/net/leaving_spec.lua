---What is written when a process ends in the same turn of its loop, and what is read in one that was forked.

local momo = require "momo"
local process = require "spec.support.process"
local support = require "spec.support"
local tcp = require "spec.support.tcp"

local STREAMS = 8

-- Each of the tasks is woken by a byte, all in one turn, and writes; then the last one runs `leave`.
local WRITES = [[
  local momo = require "momo"
  local STREAMS, tasks, triggers, written = 8, {}, {}, 0
  for i = 1, STREAMS do
    local out = assert(momo.net.TcpStream.connect(arg[1]))
    local woken, trigger = momo.net.UnixStream.pair()
    triggers[i] = trigger
    tasks[i] = momo.spawn(function()
      for _ = 1, 2 do
        assert(woken:read_exact(1))
      end
      written = written + 1
      if written == STREAMS then
        %s
      end
      out:write("written")
    end)
  end
  for _ = 1, 2 do
    momo.time.sleep(0.01)
    for _, trigger in ipairs(triggers) do
      trigger:write "x"
    end
  end
  for _, task in ipairs(tasks) do
    task:join()
  end
]]

-- What has come before the fork is read after it: what the poller was told of in a wait, and what came when another
-- stream was asked in the turn.
local FORKS_UNREAD = [[
  local momo = require "momo"
  local ffi = require "ffi"
  ffi.cdef "int fork(void); void _exit(int);"
  local streams, others, before = {}, {}, {}
  for i = 1, 5 do
    streams[i], others[i] = momo.net.UnixStream.pair()
    before[i] = momo.spawn(function() return streams[i]:read() end)
  end
  momo.time.sleep(0.01)
  for i = 1, 5 do
    others[i]:write "before"
    before[i]:join()
  end
  others[1]:write "waited for"
  momo.time.sleep(0.01)
  for i = 2, 4 do
    others[i]:write "come in the turn"
  end
  print(select(3, streams[5]:read(20, 0)))
  io.stdout:flush()
  if ffi.C.fork() > 0 then
    ffi.C._exit(0)
  end
  print(streams[2]:read(100, 0)) -- before a wait
  local fd = streams[3]:into_fd() -- or EBUSY
  print(fd and "come in the turn" or streams[3]:read(100, 0))
  for i = 1, 4 do
    if i ~= 3 then
      others[i]:write ", and after"
    end
  end
  momo.time.sleep(0.01)
  print(streams[1]:read_exact(21, 1))
  print(streams[2]:read(100, 1))
  print(streams[4]:read_exact(27, 1))
  io.stdout:flush()
  ffi.C._exit(0)
]]

-- A byte is read on either stream, so that the poller knows them; then the process goes on as its child, as daemons do.
local FORKS = [[
  local momo = require "momo"
  local ffi = require "ffi"
  ffi.cdef "int fork(void); void _exit(int);"
  local one, other = momo.net.UnixStream.pair()
  local before = momo.spawn(function() return one:read() end)
  momo.time.sleep(0.01)
  other:write "before"
  print(select(2, before:join()))
  print(select(3, one:read(10, 0.01)))
  local parked = momo.spawn(function() return one:read_exact(6, 10) end)
  momo.yield_now()
  if ffi.C.fork() > 0 then
    ffi.C._exit(0)
  end
  print(select(3, one:peek(1, 0)))
  other:write "parked"
  print(select(2, parked:join()))
  momo.spawn(function() other:write "after" other:close() end)
  print(one:read(10, 10))
  print(select(3, one:read(10, 10)))
]]

local leaves = {
  ["os.exit"] = "os.exit(0)",
  ["os.exit that closes the state"] = "os.exit(0, true)",
  ["momo.stop"] = "momo.stop()",
}

describe("what tasks have written in the turn", function()
  after_each(process.stop_all)
  after_each(tcp.check_nothing_left)

  for name, leave in pairs(leaves) do
    it("in which another one calls " .. name .. " arrives", function()
      tcp.run(function()
        local listener = tcp.listen()
        -- os.exit leaves what the state has to the system.
        local program = process.start("env", "LSAN_OPTIONS=detect_leaks=0", assert(os.getenv "MOMO_BIN"),
          support.tmpfile(WRITES:format(leave)), listener:local_addr())
        local readers, came = {}, 0
        for i = 1, STREAMS do
          local stream = assert(listener:accept(10))
          readers[i] = momo.spawn(function()
            local got = stream:read_exact(#"written", 10)
            came = came + (got and 1 or 0)
            stream:close()
          end)
        end
        for _, reader in ipairs(readers) do
          assert(reader:join())
        end
        assert.equal("status 0\n", (process.wait(program)))
        assert.equal(STREAMS - 1, came)
        listener:close()
      end)
    end)
  end
end)

describe("a process that was forked while a stream was read", function()
  it("reads on", function()
    local _, output = support.shell(support.quote(os.getenv "MOMO_BIN") .. " " ..
      support.quote(support.tmpfile(FORKS)) .. " | cat", { leaks = true })
    assert.equal("before\nETIMEDOUT\nEBUSY\nparked\nafter\nEOF\n", output)
  end)

  it("reads what came before", function()
    local _, output = support.shell(support.quote(os.getenv "MOMO_BIN") .. " " ..
      support.quote(support.tmpfile(FORKS_UNREAD)) .. " | cat", { leaks = true })
    assert.equal("ETIMEDOUT\ncome in the turn\ncome in the turn\nwaited for, and after\n, and after\n"
      .. "come in the turn, and after\n", output)
  end)
end)
