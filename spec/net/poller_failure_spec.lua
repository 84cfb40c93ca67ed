---A poller that the system lets wait no more ends the run with an error: descriptors were closed behind its back, or
---system calls fail for good. One that fails a few times goes on.

local support = require "spec.support"

local quote = support.quote

-- The pollers that there are: the ring, unless the system refuses it.
local POLLERS = { "epoll" }
if support.succeed(quote(os.getenv "MOMO_BIN") .. " --version -v"):find("ring", 1, true) then
  POLLERS[2] = "ring"
end

-- close_from(fd): closes all descriptors from this one on. stream: one that its poller watches for a task.
local BEGINNING = [[
  local momo, ffi = require "momo", require "ffi"
  ffi.cdef "int close(int); int dup(int);"
  local function close_from(first)
    for fd = first, 1000 do
      ffi.C.close(fd)
    end
  end
  local function watched()
    local one, other = momo.net.UnixStream.pair()
    momo.spawn(function() one:read() end)
    momo.time.sleep(0.01)
    return one, other
  end
]]

local function said(poller)
  return "run: the poller (" .. poller .. ") fails for good: EBADF: bad file descriptor; "
    .. "a descriptor of Momo's may have been closed"
end

local function momo(poller, code, prefix)
  return support.shell(("MOMO_POLLER=%s exec %s %s -e %s"):format(poller, prefix or "", quote(os.getenv "MOMO_BIN"),
    quote(BEGINNING .. code)), { leaks = true }) -- libuv's loop is left
end

describe("a poller whose descriptor was closed", function()
  for _, poller in ipairs(POLLERS) do
    it("ends the program with an error, and its tasks are cancelled: " .. poller, function()
      local status, stdout, stderr = momo(poller, [[
        watched()
        momo.spawn(function()
          print(pcall(momo.time.sleep, 1e6))
          print(pcall(momo.time.sleep, 1e6))
        end)
        close_from(3)
        momo.time.sleep(1e6)
      ]])
      assert.same({ 1, "momo: " .. said(poller) .. "\n" }, { status, stderr })
      assert.matches("^false\tcancelled: the poller has failed\n", stdout)
    end)

    it("ends a program whose tasks are always ready: " .. poller, function()
      local status, _, stderr = momo(poller, [[
        watched()
        close_from(3)
        while true do
          momo.yield_now()
        end
      ]])
      assert.same({ 1, "momo: " .. said(poller) .. "\n" }, { status, stderr })
    end)

    it("raises in a host program, which goes on; so does a further run: " .. poller, function()
      local status, stdout, stderr = support.luajit(([[
        local ffi = require "ffi"
        ffi.cdef "int setenv(const char *, const char *, int);"
        ffi.C.setenv("MOMO_POLLER", "%s", 1)
      ]]):format(poller) .. BEGINNING .. [[
        print(pcall(momo.run, function()
          watched()
          close_from(3)
          momo.time.sleep(1e6)
        end))
        print(pcall(momo.run, momo.time.sleep, 1e6))
        print(momo.run(function() return "without a wait" end))
      ]], { leaks = true })
      local raised = ("false\t%s\n"):format(said(poller))
      assert.same({ 0, raised:rep(2) .. "without a wait\n", "" }, { status, stdout, stderr })
    end)

    it("of a thread fails that thread, and the others go on: " .. poller, function()
      local status, stdout, stderr = momo(poller, [[
        local function child(first)
          local momo, ffi = require "momo", require "ffi"
          ffi.cdef "int close(int);"
          local one = momo.net.UnixStream.pair()
          momo.spawn(function() one:read() end)
          momo.time.sleep(0.01)
          for fd = first, 1000 do
            ffi.C.close(fd)
          end
          momo.time.sleep(1e6)
        end
        local one, other = watched()
        local first = ffi.C.dup(2)
        ffi.C.close(first)
        print(momo.thread.spawn(child, first):join())
        other:close()
        one, other = momo.net.UnixStream.pair()
        momo.spawn(function() momo.time.sleep(0.01) other:write "echo" end)
        print(one:read())
      ]])
      assert.same({ 0, ("false\t%s\necho\n"):format(said(poller)), "" }, { status, stdout, stderr })
    end)

    if os.getenv "MOMO_SANITIZE" ~= "thread" then -- which sees that a descriptor of another thread is closed
      it("of a process whose threads wait ends it: " .. poller, function()
        local status, _, stderr = momo(poller, [[
          local function child()
            local momo = require "momo"
            local one = momo.net.UnixStream.pair()
            one:read()
          end
          momo.thread.spawn(child)
          watched()
          momo.time.sleep(0.1)
          close_from(3)
          momo.time.sleep(1e6)
        ]])
        local first, rest = stderr:match "^([^\n]*)\n(.*)"
        assert.same({ 1, "momo: " .. said(poller) }, { status, first })
        local left = "momo: thread momo-1 goes on computing, and is left behind\n" -- as nothing wakes it
        assert.is_true(rest == "" or rest == left, rest)
      end)
    end
  end
end)

if (os.getenv "MOMO_SANITIZE" or "") == "" then -- which strace would disturb
  describe("system calls of a poller", function()
    local WAITS = { epoll = "epoll_wait", ring = "io_uring_enter" }
    local ECHO = [[
      local n = 0
      local one, other = momo.net.UnixStream.pair()
      momo.spawn(function()
        for i = 1, 200 do
          other:write(tostring(i % 10))
          momo.time.sleep(0.001)
        end
        other:close()
      end)
      for byte in function() return one:read(1) end do
        n = n + 1
        assert(byte == tostring(n % 10))
      end
      print(n)
    ]]
    local function inject(poller, error, when)
      return momo(poller, ECHO, ("strace -f -qq -o /dev/null -e trace=%s -e inject=%s:error=%s:when=%s"):format(
        WAITS[poller], WAITS[poller], error, when))
    end

    for _, poller in ipairs(POLLERS) do
      it("that fail for good end the program: " .. poller, function()
        for code, text in pairs { ENOMEM = "not enough memory",
          EINVAL = "invalid argument; a descriptor of Momo's may have been closed" } do
          local status, _, stderr = inject(poller, code, "20+")
          assert.same({ 1, ("momo: run: the poller (%s) fails for good: %s: %s\n"):format(poller, code, text) },
            { status, stderr })
        end
      end)

      it("that fail for a while are made again: " .. poller, function()
        for _, code in ipairs { "EINTR", "ENOMEM", "EBADF" } do
          assert.same({ 0, "200\n", "" }, { inject(poller, code, "20..60") })
        end
        if poller == "ring" then
          for _, code in ipairs { "EAGAIN", "EBUSY" } do
            assert.same({ 0, "200\n", "" }, { inject(poller, code, "20..2000") })
          end
        end
      end)
    end
  end)
end
