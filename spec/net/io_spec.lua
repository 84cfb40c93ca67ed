-- Pipes and the standard streams.

local ffi = require "ffi"
local momo = require "momo"
local support = require "spec.support"
local tcp = require "spec.support.tcp"

local run, waiting, assert_failed = tcp.run, tcp.waiting, tcp.assert_failed

ffi.cdef "int fcntl(int fd, int command, ...);"
local F_SETFL, O_RDWR = 4, 2

describe("a pipe", function()
  after_each(tcp.check_nothing_left)

  it("hands on what is written, and then its end", function()
    run(function()
      local reader, writer = assert(momo.io.pipe())
      local reading = waiting(reader.read_until, reader, "\n")
      writer:write { "hel", "lo\n", "rest" }
      assert.same({ true, "hello\n" }, { reading:join() })
      assert.is_true(writer:shutdown())
      assert.equal("rest", reader:read())
      assert_failed("EOF", reader:read())
      assert_failed("EBADF", writer:write "closed")
    end)
  end)

  it("makes its writer wait, and keeps writes of several tasks whole", function()
    run(function()
      local reader, writer = momo.io.pipe()
      local size = 300000
      for _, letter in ipairs { "a", "b", "c" } do
        momo.spawn(writer.write, writer, letter:rep(size))
      end
      for _, letter in ipairs { "a", "b", "c" } do
        assert.is_true(reader:read_exact(size) == letter:rep(size))
      end
    end)
  end)

  it("whose reader has gone fails, and kills nobody", function()
    run(function()
      local reader, writer = momo.io.pipe()
      reader:close()
      assert_failed("EPIPE", writer:write "x")
      assert_failed("EPIPE", writer:write "x")
    end)
  end)

  it("has a timeout, and two different ends", function()
    run(function()
      local reader, writer = momo.io.pipe()
      reader:set_timeout(0.005)
      assert_failed("ETIMEDOUT", reader:read())
      assert_failed("EBADF", reader:write "x")
      assert_failed("EBADF", writer:read())
      assert_failed("ENOTSOCK", reader:local_addr())
    end)
  end)
end)

describe("the standard streams", function()
  local echo = 'local momo = require "momo" momo.io.copy(momo.io.stdin, momo.io.stdout)'
  local momo_bin = support.quote(assert(os.getenv "MOMO_BIN"))

  -- What a shell's command prints, where MOMO stands for the command.
  local function shell(command, options)
    local status, out, err = support.shell((command:gsub("MOMO", momo_bin)), options)
    assert.equal("", err)
    assert.equal(0, status)
    return out
  end

  it("are files, pipes and /dev/null", function()
    local text = ("line\n"):rep(100000)
    local status, out = support.momo("-e", echo, { stdin = text }) -- from a file, to a file
    assert.equal(0, status)
    assert.is_true(out == text)
    assert.is_true(shell(("cat | MOMO -e %s | cat"):format(support.quote(echo)), { stdin = text }) == text)
    assert.equal("", shell(("MOMO -e %s </dev/null"):format(support.quote(echo))))
    assert.equal("", shell(("echo x | MOMO -e %s >/dev/null"):format(support.quote(echo))))
  end)

  it("append to files", function()
    local path = support.tmpfile "first\n"
    shell(("echo second | MOMO -e %s >>%s"):format(support.quote(echo), path))
    assert.equal("first\nsecond\n", shell("cat " .. path))
  end)

  it("are read line by line, while other tasks run", function()
    local code = [[
      local momo = require "momo"
      momo.spawn(function() momo.time.sleep(0.01) momo.io.stdout:write "meanwhile\n" end)
      for line in momo.io.stdin:lines() do momo.io.stdout:write { "<", line, ">\n" } end
      momo.io.stderr:write "end"
    ]]
    local path = support.tmpfile ""
    local feed = ("(until grep -q meanwhile %s; do sleep 0.01; done; echo one; printf two)"):format(path)
    local status, _, err = support.shell(("%s | %s -e %s >%s"):format(feed, momo_bin, support.quote(code), path))
    assert.same({ 0, "end" }, { status, err })
    assert.equal("meanwhile\n<one>\n<two>\n", shell("cat " .. path))
  end)

  it("leave the descriptors that others share as they were", function()
    -- fd 0 and 1 are a terminal's, a pipe's and a socket's; their flags are those of the process that gave them.
    local code = [[
      local momo = require "momo"
      local function flags(fd)
        for line in io.lines("/proc/self/fdinfo/" .. fd) do
          if line:match "^flags" then return tonumber(line:match "%d+", 8) end
        end
      end
      local before = { flags(0), flags(1) }
      local line = momo.io.stdin:read_until "\n"
      momo.io.stdout:write { "got ", line }
      assert(before[1] == flags(0) and before[2] == flags(1))
      assert(math.floor(before[1] / 2048) % 2 == 0 and math.floor(before[2] / 2048) % 2 == 0, "O_NONBLOCK")
      momo.io.stdin:close()
      momo.io.stdout:close()
      print "still there" -- the descriptors are
    ]]
    local quoted = support.quote(code)
    assert.equal("got hello\nstill there\n", shell(("echo hello | MOMO -e %s | cat"):format(quoted)))
    local terminal = shell(("script -qec %s /dev/null"):format(support.quote(("%s -e %s"):format(momo_bin, quoted))),
      { stdin = "hello\n" })
    assert.truthy(terminal:find "got hello\r\nstill there\r\n", terminal)
    run(function()
      local here, there = momo.net.UnixStream.pair()
      there:set_option("close_on_exec", false)
      ffi.C.fcntl(there:fd(), F_SETFL, ffi.cast("int", O_RDWR)) -- it blocks, as a socket of inetd's does
      local path = support.tmpfile(("exec %s -e %s <&%d >&%d"):format(momo_bin, quoted, there:fd(), there:fd()))
      local child = assert(io.popen("exec bash " .. path))
      there:close()
      here:set_timeout(60)
      here:write "hello\n"
      assert.equal("got hello\nstill there\n", here:read_exact(22))
      child:close()
    end)
  end)

  it("that nobody reads any more fail, and kill nobody but the momo command", function()
    local code = [[
      local momo = require "momo"
      momo.run(function()
        momo.time.sleep(0.05)
        local _, _, code
        repeat _, _, code = momo.io.stdout:write(("x"):rep(10000)) until code
        momo.io.stderr:write(code)
      end)
    ]]
    local status, _, err = support.shell(("%s -e %s | true"):format(os.getenv "MOMO_LUAJIT", support.quote(code)))
    assert.same({ 0, "EPIPE" }, { status, err })
  end)

  it("that were closed are empty", function()
    assert.equal("nil\tEOF: end of file\tEOF\n", shell [[MOMO -e 'print(require("momo").io.stdin:read())' <&-]])
  end)
end)
