local support = require "spec.support"

local momo, tmpfile, quote = support.momo, support.tmpfile, support.quote

local function sorted_lines(text)
  local lines = support.lines(text)
  table.sort(lines)
  return lines
end

-- CPUs that a program started from here may use.
local function usable_cpus()
  local pipe = assert(io.popen "nproc")
  local n = tonumber(pipe:read "*a")
  pipe:close()
  return n
end

local function assert_runs(expected, ...)
  local status, stdout, stderr = momo(...)
  assert.same({ 0, expected, "" }, { status, stdout, stderr })
end

describe("the momo command", function()
  describe("runs", function()
    local SHOW = "print(arg[0] == ..., select('#', ...), select(2, ...)) print(#arg, arg[2], arg[3])"

    it("a file, with its arguments in ... and arg", function()
      local path = tmpfile "print(arg[0], select('#', ...), ...) print(#arg, arg[1], arg[2])"
      assert_runs(path .. "\t2\tone\ttwo words\n2\tone\ttwo words\n", path, "one", "two words")
      assert_runs(path .. "\t0\n0\tnil\tnil\n", path)
    end)

    it("a file whose words look like options", function()
      assert_runs("false\t3\t3\t--help\n3\t3\t--help\n", tmpfile(SHOW), "--threads", "3", "--help")
    end)

    it("what stdin says for -", function()
      assert_runs("-\ta\n", "-", "a", { stdin = "print(arg[0], ...)" })
    end)

    it("the code after -e, with the words after it", function()
      assert_runs("-e\ta\t-x\n", "-e", "print(arg[0], ...)", "a", "-x")
    end)

    it("a file that begins with #!, and counts that line", function()
      assert_runs("hello\n", tmpfile "#!/usr/bin/env momo\nprint 'hello'")
      assert_runs("", tmpfile "#!/usr/bin/env momo")
      local path = tmpfile "#!/usr/bin/env momo\nerror 'in line 2'"
      local status, _, stderr = momo(path)
      assert.equal(1, status)
      assert.equal("momo: " .. path .. ":2: in line 2\n", stderr:match "^[^\n]*\n")
    end)

    it("from any folder", function()
      local status, stdout, stderr = support.shell("cd / && exec " .. quote(os.getenv "MOMO_BIN")
        .. " -e 'print(type(require \"momo\".spawn))'")
      assert.same({ 0, "function\n", "" }, { status, stdout, stderr })
    end)

    it("alone, without a path to its modules or its library, also on another thread", function()
      local _, out = support.shell(([[
        folder=$(mktemp -d)
        cp %s "$folder" && cd "$folder" && unset LUA_PATH LUA_CPATH
        ./momo -e 'local momo = require "momo"
          print(momo.thread.spawn(function() return require("momo").time.now() >= 0 end):join())'
        rm -r "$folder"
      ]]):format(quote(os.getenv "MOMO_BIN")))
      assert.equal("true\ttrue\n", out)
    end)

    it("beside modules that are linked to another libuv than it is", function()
      local _, out = support.shell("nm -D --defined-only " .. quote(os.getenv "MOMO_BIN"))
      assert.matches(" momo_version\n", out)
      assert.not_matches(" uv_", out)
    end)

    it("it as the first task: it can sleep, spawn and accept at its top level", function()
      assert_runs("served a client\n", tmpfile [[
        local momo = require "momo"
        local listener = assert(momo.net.TcpListener.bind "127.0.0.1:0")
        momo.spawn(function()
          momo.time.sleep(0.001)
          assert(momo.net.TcpStream.connect(listener:local_addr())):write "a client"
        end)
        momo.time.sleep(0.001)
        print("served " .. listener:accept():read())
      ]])
    end)

    it("until every task has ended, and main's return values are nobody's", function()
      assert_runs("main\ntask\n", "-e", [[
        local momo = require "momo"
        momo.spawn(function() momo.time.sleep(0.01) print "task" end)
        print "main"
        return 3
      ]])
    end)

    it("nothing at all", function()
      assert_runs("", "-e", "")
      assert_runs("", tmpfile "")
    end)

    it("until momo.stop(), with status 0", function()
      assert_runs("main\n", "-e", [[
        local momo = require "momo"
        momo.spawn(momo.time.sleep, math.huge)
        print "main"
        momo.stop()
        momo.time.sleep(1)
        print "not reached"
      ]])
    end)
  end)

  describe("with a program that fails", function()
    local function assert_fails(message, ...)
      local status, stdout, stderr = momo(...)
      assert.equal(1, status)
      assert.equal("", stdout)
      assert.equal("momo: " .. message, stderr:match "^[^\n]*")
      return stderr
    end

    it("shows the place, the message and the traceback, and ends with status 1", function()
      local path = tmpfile(table.concat({ "local function inner()", "error 'it broke'", "end",
        "local function outer()", "inner()", "end", "outer()" }, "\n"))
      local stderr = assert_fails(path .. ":2: it broke", path)
      assert.matches("\nstack traceback:\n", stderr, 1, true)
      assert.matches(path .. ":2: in function 'inner'", stderr, 1, true)
      assert.matches(path .. ":5: in function 'outer'", stderr, 1, true)
    end)

    it("names code and stdin as what they are", function()
      assert_fails("(command line):1: it broke", "-e", "error 'it broke'")
      assert_fails("stdin:2: it broke", "-", { stdin = "\nerror 'it broke'" })
    end)

    it("shows what is no string as well", function()
      assert_fails("mine", "-e", "error(setmetatable({}, {__tostring = function() return 'mine' end}))")
      assert_fails("nil", "-e", "error()")
      local stderr = assert_fails("5", "-e", "error(5, 0)")
      assert.matches("stack traceback:", stderr, 1, true)
    end)

    it("shows where its syntax is wrong", function()
      local path = tmpfile "print 'hello'\nlocal = 5"
      local status, stdout, stderr = momo(path)
      assert.same({ 1, "" }, { status, stdout })
      assert.equal("momo: " .. path .. ":2: ", stderr:sub(1, #path + 10))
      assert.matches("near '='", stderr, 1, true)
    end)

    it("says that there is no such file", function()
      assert_fails("cannot open /no/such/file.lua: No such file or directory", "/no/such/file.lua")
      local status, _, stderr = momo "/"
      assert.equal(1, status)
      assert.matches("^momo: cannot read /", stderr)
    end)

    it("cancels its other tasks", function()
      assert_fails("(command line):3: it broke", "-e", [[
        local momo = require "momo" momo.spawn(momo.time.sleep, math.huge)
        momo.time.sleep(0.001)
        error 'it broke']])
    end)
  end)

  it("ends with status 1 when a failed task was still unjoined, and the other tasks went on", function()
    local status, stdout, stderr = momo("-e", [[
      local momo = require "momo"
      momo.spawn(function() error "it broke" end)
      momo.time.sleep(0.01)
      print "went on"]])
    assert.same({ 1, "went on\n" }, { status, stdout })
    assert.matches("^momo: %(command line%):2: it broke\nstack traceback:\n", stderr)
  end)

  it("ends with status 0 when a failed task was joined, before or after it was reported", function()
    assert_runs("false\n", "-e", [[
      local momo = require "momo"
      print((momo.spawn(function() error "it broke" end):join()))]])
    local status, _, stderr = momo("-e", [[
      local momo = require "momo"
      local task = momo.spawn(function() error "it broke" end)
      momo.time.sleep(0.01)
      task:join()]])
    assert.equal(0, status)
    assert.matches("^momo: %(command line%):2: it broke\n", stderr)
  end)

  it("ends with status 1 when a failed thread was still unjoined", function()
    local status, stdout, stderr = momo("-e", [[
      require("momo").thread.spawn(function() error "it broke" end) print "main"]])
    assert.same({ 1, "main\n" }, { status, stdout })
    assert.matches("^momo: thread [^\n]* failed: %(command line%):1: it broke\n", stderr)
  end)

  it("ends with status 0 when a failed thread was joined after it was reported", function()
    local status, _, stderr = momo("-e", [[
      local momo = require "momo"
      local thread = momo.thread.spawn(function() error "it broke" end)
      while momo.metrics().threads > 0 do momo.time.sleep(0.001) end
      thread:join()]])
    assert.equal(0, status)
    assert.matches("^momo: thread [^\n]* failed: ", stderr)
  end)

  describe("takes the poller that MOMO_POLLER names", function()
    local ASK = "exec env MOMO_POLLER=%s %s %s --version -v"
    local function ask(name, prefix)
      return support.shell(ASK:format(name, prefix or "", quote(os.getenv "MOMO_BIN")), { leaks = prefix ~= nil })
    end
    local VERSION = require("momo")._VERSION

    local STRACE = "strace -f -qq -o /dev/null -e trace=%s -e inject=%s:error=EPERM"
    local may_strace = (os.getenv "MOMO_SANITIZE" or "") == "" -- which it would disturb
    local _, used = ask ""

    it("epoll", function()
      assert.same({ 0, VERSION .. "\npoller: epoll\n", "" }, { ask "epoll" })
    end)

    it("ring where it names none, and epoll where the system refuses that", function()
      local status, stdout, stderr = ask ""
      assert.same({ 0, "" }, { status, stderr })
      assert.matches("^" .. VERSION .. "\npoller: %l+\n$", stdout)
      for _, call in ipairs(may_strace and { "io_uring_setup", "io_uring_register", "io_uring_enter" } or {}) do
        assert.same({ 0, VERSION .. "\npoller: epoll\n", "" }, { ask("", STRACE:format(call, call)) })
      end
    end)

    it("ring, and says why where the system refuses it, once for all threads", function()
      local said = "^momo: the system refuses the poller ring, so it is epoll: E%u+: [%l ]+\n$"
      local status, stdout, stderr = ask "ring"
      local refused = used:find("epoll", 1, true) ~= nil
      assert.same({ 0, used }, { status, stdout })
      assert.matches(refused and said or "^$", stderr)
      if refused or not may_strace then
        return
      end
      local strace
      for _, call in ipairs { "io_uring_enter", "io_uring_register", "io_uring_setup" } do
        strace = STRACE:format(call, call)
        status, stdout, stderr = ask("ring", strace)
        assert.same({ 0, VERSION .. "\npoller: epoll\n" }, { status, stdout })
        assert.equal("momo: the system refuses the poller ring, so it is epoll: EPERM: operation not permitted\n",
          stderr)
      end
      assert.same({ 0, VERSION .. "\npoller: epoll\n", "" }, { ask("epoll", strace) })
      status, stdout, stderr = support.shell(("exec env MOMO_POLLER=ring %s %s -e %s"):format(strace,
        quote(os.getenv "MOMO_BIN"), quote [[local thread = require("momo").thread
          for _ = 1, 2 do thread.spawn(function() end):join() end]]))
      assert.same({ 0, "" }, { status, stdout })
      assert.matches(said, stderr)
    end)

    it("or none at all, and says what there is", function()
      local status, stdout, stderr = ask "bogus"
      assert.same({ 1, "" }, { status, stdout })
      assert.equal("momo: MOMO_POLLER must be epoll or ring, got 'bogus'\n", stderr)
      status, stdout, stderr = support.shell(("MOMO_POLLER=rings %s -e 'require \"momo\"'"):format(
        assert(os.getenv "MOMO_LUAJIT")))
      assert.same({ 1, "" }, { status, stdout })
      assert.matches("MOMO_POLLER must be epoll or ring, got 'rings'", stderr, 1, true)
    end)
  end)

  it("--version and --help answer on stdout", function()
    assert_runs(require("momo")._VERSION .. "\n", "--version")
    assert.matches("^momo %d+%.%d+%.%d+$", require("momo")._VERSION)
    local status, stdout, stderr = momo "--help"
    assert.same({ 0, "" }, { status, stderr })
    for _, word in ipairs { "FILE.lua [ARGS]", "-e CODE", "--threads N", "auto", "--pin", "--version", "--help" } do
      assert.matches(word, stdout, 1, true)
    end
  end)

  for words, message in pairs {
    [""] = "which file?",
    ["--threads 2"] = "which file?",
    ["--thread 2 x.lua"] = "there is no option --thread",
    ["-x"] = "there is no option -x",
    ["--pin --Version"] = "there is no option --Version",
    ["-e"] = "-e wants a piece of Lua code",
    ["--threads"] = "--threads wants a number from 1 to 1024, or auto",
    ["--threads x.lua"] = "--threads wants a number from 1 to 1024, or auto",
    ["--threads 0 x.lua"] = "--threads wants a number from 1 to 1024, or auto",
    ["--threads -1 x.lua"] = "--threads wants a number from 1 to 1024, or auto",
    ["--threads 1.5 x.lua"] = "--threads wants a number from 1 to 1024, or auto",
    ["--threads 1025 x.lua"] = "--threads wants a number from 1 to 1024, or auto",
    ["--threads nan x.lua"] = "--threads wants a number from 1 to 1024, or auto",
  } do
    it(("is used wrongly as `momo %s`: status 2, and the usage on stderr"):format(words), function()
      local status, stdout, stderr = support.shell("exec " .. quote(os.getenv "MOMO_BIN") .. " " .. words)
      assert.same({ 2, "" }, { status, stdout })
      assert.equal("momo: " .. message .. "\nusage: momo", stderr:sub(1, #message + 18))
    end)
  end

  describe("with --threads", function()
    local WHO = "local t = require('momo').thread.current() print(t.index, t.cpu)"

    it("runs the program on each, with its arguments, in a state of its own", function()
      local status, stdout, stderr = momo("--threads", "3", "-e", [[
        assert(set == nil)
        set = true
        require("momo").time.sleep(0.01)
        io.write(("%d %s %s %s\n"):format(require("momo").thread.current().index, arg[0], arg[1], (select(2, ...))))
      ]], "one", "two")
      assert.same({ 0, "" }, { status, stderr })
      assert.same({ "0 -e one two", "1 -e one two", "2 -e one two" }, sorted_lines(stdout))
    end)

    it("auto runs one on each CPU", function()
      local status, stdout = momo("--threads", "auto", "-e", WHO)
      assert.equal(0, status)
      assert.equal(usable_cpus(), #sorted_lines(stdout))
    end)

    it("and --pin, ties thread i to the i-th CPU that the process may use", function()
      local n = usable_cpus()
      local status, stdout, stderr = momo("--pin", "--threads", tostring(n), "-e", [[
        local cpus
        for line in io.lines "/proc/thread-self/status" do
          cpus = line:match "^Cpus_allowed_list:%s*(.*)" or cpus
        end
        local t = require("momo").thread.current()
        assert(cpus == tostring(t.cpu))
        io.write(("%d %d\n"):format(t.index, t.cpu))]])
      assert.same({ 0, "" }, { status, stderr })
      local lines, last = sorted_lines(stdout), -1
      assert.equal(n, #lines)
      table.sort(lines, function(a, b) return tonumber(a:match "^%d+") < tonumber(b:match "^%d+") end)
      for _, line in ipairs(lines) do
        local cpu = tonumber(line:match "%d+$")
        assert.is_true(cpu > last)
        last = cpu
      end
    end)

    it("and --pin, takes no more threads than CPUs", function()
      local n = usable_cpus()
      local status, stdout, stderr = momo("--pin", "--threads", tostring(n + 1), "-e", WHO)
      assert.same({ 1, "" }, { status, stdout })
      assert.equal(("momo: --pin: the process may use %d CPUs, not %d\n"):format(n, n + 1), stderr)
    end)

    for who = 0, 2 do
      it("stops all when the program fails on thread " .. who, function()
        local status, stdout, stderr = momo("--threads", "3", "-e", ([[
          local momo = require "momo"
          if momo.thread.current().index == %d then
            momo.time.sleep(0.01)
            error "it broke"
          end
          momo.time.sleep(math.huge)]]):format(who))
        assert.same({ 1, "" }, { status, stdout })
        local _, times = stderr:gsub("it broke", "")
        assert.equal(1, times)
        assert.matches("^momo: %(command line%):4: it broke\nstack traceback:\n", stderr)
      end)
    end

    it("shows an error of syntax, and stops", function()
      local status, stdout, stderr = momo("--threads", "2", "-e", "local = 5")
      assert.same({ 1, "" }, { status, stdout })
      assert.matches("^momo: %(command line%):1: [^\n]* near '='", stderr)
    end)
  end)
end)
