local momo = require "momo"
local process = momo.process
local support = require "spec.support"
local exists = require("spec.support.process").exists
local tcp = require "spec.support.tcp"
require("momo.busted").timeout = 100 -- it is a guard: other programs start slowly where much else runs

-- Whether a process of that number is there, and is no zombie.
local function lives(pid)
  local file = io.open("/proc/" .. pid .. "/stat")
  local state = file and file:read("*a"):match "%) (%a)"
  if file then
    file:close()
  end
  return state ~= nil and state ~= "Z" and state ~= "X"
end

-- Waits until that is so; ends with the spec's own limit if it never is.
local function await(fn)
  while not fn() do
    momo.time.sleep(0.005)
  end
end

describe("run", function()
  it("keeps what a program writes, and how it ended", function()
    assert.same({ stdout = "out\n", stderr = "err\n", status = 3 },
      process.run { "sh", "-c", "echo out; echo err >&2; exit 3" })
    assert.same({ stdout = "", stderr = "", signal = "SIGKILL" }, process.run { "sh", "-c", "kill -9 $$" })
  end)

  it("feeds it, whatever the sizes, and gives it nothing otherwise", function()
    local input = ("0123456789"):rep(200000)
    local result = process.run { "cat", input = input }
    assert.is_true(result.stdout == input)
    assert.same({ stdout = "0\n", stderr = "", status = 0 }, process.run { "sh", "-c", "cat | wc -c" })
  end)

  it("needs nobody to read its input", function()
    assert.equal(0, process.run({ "true", input = ("x"):rep(1000000) }).status)
  end)

  it("hands words on as they are", function()
    assert.equal("$HOME *;\n'x'", process.run({ "printf", "%s", "$HOME *;\n'x'" }).stdout)
  end)

  it("has its limits, and the child has ended afterwards", function()
    local pid
    local result, err, code = process.run { "sh", "-c", "echo $$ >&2; exec yes", limit = 100000, stderr = "null" }
    assert.is_nil(result)
    assert.equal("EMSGSIZE: more than 100000 bytes of output; pass a higher limit", err)
    assert.equal("EMSGSIZE", code)
    local reader, writer = assert(momo.io.pipe())
    result, err, code = process.run { "sh", "-c", "echo $$; exec sleep 1000", stdout = writer, timeout = 0.05 }
    pid = tonumber((reader:read_until "\n"))
    assert.same({ nil, "ETIMEDOUT: not done within 0.05 s", "ETIMEDOUT" }, { result, err, code })
    assert.is_false(lives(pid))
    reader:close()
    writer:close()
  end)

  it("kills what does not hear SIGTERM", function()
    local result, _, code = process.run { "sh", "-c", "trap '' TERM; while :; do sleep 0.01; done", timeout = 0.05,
      grace = 0.05 }
    assert.is_nil(result)
    assert.equal("ETIMEDOUT", code)
  end)

  it("takes what the child has left behind of its group along, and nobody who was let go", function()
    local script = "sleep 1000 & echo $! >&2"
    local left = {}
    for i, options in ipairs { { process_group = true, timeout = 0.1 }, { timeout = 0.1 } } do
      local reader, writer = assert(momo.io.pipe())
      options[1], options[2], options[3], options.stderr = "sh", "-c", script, writer
      assert.equal("ETIMEDOUT", (select(3, process.run(options))))
      left[i] = tonumber((reader:read_until "\n"))
      reader:close()
      writer:close()
    end
    await(function() return not lives(left[1]) end)
    assert.is_true(lives(left[2]))
    local result = process.run { "sh", "-c", "exec 3>&1; sleep 1000 >&- 2>&- 3>&- & echo $!", process_group = true }
    assert.is_true(lives(tonumber(result.stdout)))
    os.execute(("kill %d %d"):format(left[2], result.stdout))
  end)

  it("ends the child with a task that is cancelled", function()
    local reader, writer = assert(momo.io.pipe())
    local task = momo.spawn(process.run, { "sh", "-c", "echo $$; exec sleep 1000", stdout = writer })
    local pid = tonumber((reader:read_until "\n"))
    task:cancel()
    task:join()
    assert.is_false(lives(pid))
    reader:close()
    writer:close()
  end)
end)

describe("shell", function()
  it("reads a text, which has the words as its arguments", function()
    assert.equal("A B;C\n", process.shell("echo $1 \"$2\" | tr a-z A-Z", { "a", "b;c" }).stdout)
  end)
end)

describe("spawn", function()
  it("says which file is missing, and what may not be run", function()
    assert.same({ nil, "ENOENT: no such file or directory: no-such-command", "ENOENT" },
      { process.spawn { "no-such-command" } })
    assert.same({ nil, "ENOENT: no such file or directory: cwd /nowhere", "ENOENT" },
      { process.spawn { "true", cwd = "/nowhere" } })
    assert.same({ nil, "EACCES: permission denied: /etc", "EACCES" }, { process.spawn { "/etc" } })
    assert.same({ nil, "ENOENT: no such file or directory: there is no user or group nobody-of-this-name", "ENOENT" },
      { process.spawn { "true", user = "nobody-of-this-name" } })
  end)

  it("leaves no descriptor behind, whether it succeeds or fails", function()
    -- In a process of its own: what earlier tests have left to the collector is not counted.
    local status, out, stderr = support.momo("-e", [[
      local process = require("momo").process
      local function descriptors()
        local n = 0
        for fd = 0, 255 do
          local info = io.open("/proc/self/fdinfo/" .. fd)
          if info then
            info:close()
            n = n + 1
          end
        end
        return n
      end
      local function use()
        process.spawn { "no-such-command", stdin = "pipe", stdout = "pipe", stderr = "pipe" }
        process.run { "true" }
        local child = process.spawn { "true", pty = true }
        child:wait()
        child.terminal:close()
      end
      use() -- what is opened once for all is open now
      local before = descriptors()
      for _ = 1, 20 do
        use()
      end
      print(descriptors() - before)
    ]])
    assert.same({ 0, "0\n", "" }, { status, out, stderr })
  end)

  it("closes each descriptor once: by then its number may be somebody else's", function()
    if (os.getenv "MOMO_SANITIZE" or "") ~= "" then return pending "strace would disturb the sanitizer" end
    local log, program = support.tmpfile "", support.tmpfile [[
      local process = require "momo.process"
      local function try(options)
        local child = process.spawn(options)
        for _, name in ipairs { "stdin", "stdout", "stderr", "terminal" } do
          if child and child[name] then child[name]:close() end
        end
        if child then child:wait() end
      end
      for _, program in ipairs { "true", "/nowhere" } do
        for _, kind in ipairs { "pipe", "null", "inherit", 1 } do
          try { program, stdin = kind == 1 and 0 or kind, stdout = kind, stderr = kind }
          try { program, stdout = kind, stderr = "stdout" }
        end
        try { program, pty = true }
      end
    ]]
    local status, out, err = support.shell(("exec strace -f -e trace=close -o %s %s %s"):format(log,
      support.quote(os.getenv "MOMO_BIN"), program))
    assert.same({ 0, "", "" }, { status, out, err })
    local closed = 0
    for line in io.lines(log) do
      assert.is_nil(line:match ".*EBADF.*")
      closed = closed + (line:find " = 0$" and 1 or 0)
    end
    assert.is_true(closed > 30)
  end)

  it("takes a user and a group by name or number", function()
    local own = process.run({ "id", "-u" }).stdout
    if own ~= "0\n" then return pending "only root may become another user" end
    for _, user in ipairs { "nobody", "65534", 65534 } do
      assert.equal("65534\n", assert(process.run { "id", "-u", user = user }).stdout)
      assert.equal("65534\n", assert(process.run { "id", "-g", group = user == "nobody" and "nogroup" or user }).stdout)
    end
  end)

  it("takes a user with all of their groups", function()
    local of_postgres = process.run({ "id", "-G", "postgres" }).stdout -- Debian's PostgreSQL has put it in two
    local first, second = of_postgres:match "^(%d+) (%d+)\n$"
    if not second or process.run({ "id", "-u" }).stdout ~= "0\n" then
      return pending "only root may become another user, and there must be one in two groups"
    end
    local ids = { "sh", "-c", "id -g; id -G", user = "postgres" }
    assert.equal(first .. "\n" .. of_postgres, process.run(ids).stdout)
    ids.group = "nogroup" -- the user's groups all the same
    local group, groups = process.run(ids).stdout:match "^(%d+)\n(.*)\n$"
    assert.equal("65534", group)
    assert.truthy((" " .. groups .. " "):find(" " .. second .. " ", 1, true), groups)
  end)

  it("takes every number that is a user's, and not the one that would mean no change", function()
    if process.run({ "id", "-u" }).stdout ~= "0\n" then return pending "only root may become another user" end
    assert.equal("4294967294\n4294967294\n",
      assert(process.run { "sh", "-c", "id -u; id -g", user = 4294967294 }).stdout)
    for _, option in ipairs { "user", "group" } do
      assert.same({ nil, "ENOENT: no such file or directory: there is no user or group 4294967295", "ENOENT" },
        { process.run { "id", [option] = 4294967295 } })
    end
  end)

  it("takes the environment and the folder that it is given", function()
    local result = process.run { "/bin/sh", "-c", "pwd; echo $NAME $N ${HOME:-none}", cwd = "/usr",
      env = { NAME = "value", N = 5 } }
    assert.equal("/usr\nvalue 5 none\n", result.stdout)
    local env = process.environ()
    assert.equal(os.getenv "PATH", env.PATH)
    env.EXTRA = "more"
    assert.equal("more\n", process.run({ "sh", "-c", "echo $EXTRA", env = env }).stdout)
  end)

  it("gives a child streams, those of another child, and one for two", function()
    local first = assert(process.spawn { "printf", "b\\na\\n", stdout = "pipe" })
    local second = assert(process.spawn { "sort", stdin = first.stdout, stdout = "pipe" })
    first.stdout:close()
    assert.equal("a\nb\n", second.stdout:read_exact(4))
    assert.same({ status = 0 }, second:wait())
    assert.same({ status = 0 }, first:wait())
    second.stdout:close()
    assert.equal("out\nerr\n", process.run({ "sh", "-c", "echo out; echo err >&2", stderr = "stdout" }).stdout)
    local a, b = assert(momo.net.UnixStream.pair())
    local child = assert(process.spawn { "cat", stdin = b, stdout = b })
    b:close()
    a:write "through a socket"
    assert.equal("through a socket", a:read_exact(16))
    a:close()
    assert.same({ status = 0 }, child:wait())
  end)

  it("gives a child descriptors that block, as programs take for granted, and its own pipe stays as it is", function()
    local function blocks(path)
      local file = assert(io.open(path))
      local flags = file:read("*a"):match "flags:%s*(%d+)"
      file:close()
      return bit.band(tonumber(flags, 8), 0x800) == 0 -- O_NONBLOCK
    end
    local reader, writer = momo.io.pipe()
    local one, other = momo.net.UnixStream.pair()
    for _, stream in ipairs { reader, one } do
      local child = assert(process.spawn { "sleep", "60", stdin = stream })
      assert.is_true(blocks(("/proc/%d/fdinfo/0"):format(child:pid())))
      child:kill()
      child:wait()
    end
    assert.is_false(blocks("/proc/self/fdinfo/" .. reader:fd()))
    for _, stream in ipairs { reader, writer, one, other } do
      stream:close()
    end
  end)

  it("gives a child what comes for a stream from then on, and says so where bytes of it are here already", function()
    local function lend(stream)
      return process.spawn { "cat", stdin = stream, stdout = "pipe" }
    end
    for _, pair in ipairs { momo.net.UnixStream.pair, tcp.pair } do
      local a, b = pair()
      local reader = momo.spawn(b.read_until, b, "\n") -- whoever has waited may have bytes received for it
      momo.yield_now()
      a:write "head\n"
      assert.same({ true, "head\n" }, { reader:join() })
      a:write "body "
      tcp.settle()
      local child, err, code = lend(b)
      local before = ""
      if not child then
        assert.equal("EBUSY", code)
        assert.matches("stdin has 5 unread bytes here", err)
        before = b:read_exact(5)
        child = assert(lend(b))
      end
      a:write "and more"
      a:shutdown()
      b:close()
      assert.equal("body and more", before .. child.stdout:read_exact(13 - #before))
      assert.same({ status = 0 }, child:wait())
      child.stdout:close()
      a:close()
    end
  end)

  it("lends no stream whose unread bytes the child would never see", function()
    local a, b = momo.net.UnixStream.pair()
    a:write "head\nbody"
    assert.equal("head\n", b:read_until "\n")
    for _ = 1, 2 do
      local child, err, code = process.spawn { "cat", stdin = b }
      assert.same({ nil, "EBUSY" }, { child, code })
      assert.matches("^EBUSY: resource busy or locked: stdin has 4 unread bytes here: ", err)
    end
    assert.same({ status = 0, stderr = "" }, process.run { "echo", "out is no matter", stdout = b })
    assert.equal("body", b:read())
    assert.equal("out is no matter\n", a:read())
    local child = assert(process.spawn { "cat", stdin = b, stdout = b })
    b:close()
    a:write "later"
    assert.equal("later", a:read_exact(5))
    a:close()
    child:wait()
  end)

  it("gives a child files, from their position on", function()
    local path = os.tmpname()
    local file = assert(momo.fs.open(path, "w+"))
    file:write "head\n"
    assert.same({ status = 0, stderr = "" }, process.run { "echo", "and body", stdout = file })
    assert.equal("head\nand body\n", momo.fs.read(path))
    file:seek("set", 5)
    assert.equal("and body\n", process.run({ "cat", stdin = file }).stdout)
    assert.equal("and", file:read(3))
    file:close()
    assert.same({ nil, "EBADF: bad file descriptor: the file is closed", "EBADF" },
      { process.spawn { "true", stdin = file } })
    os.remove(path)
  end)

  it("gives a child no other descriptor of ours", function()
    local listener = assert(momo.net.TcpListener.bind "127.0.0.1:0")
    assert.equal("0\n1\n2\n3\n", process.run({ "ls", "/proc/self/fd" }).stdout) -- 3 is the folder
    listener:close()
  end)

  it("gives it a terminal", function()
    local child = assert(process.spawn { "sh", "-c", "read line; stty size; echo [$line]; test -t 0 && test -t 1",
      pty = true })
    assert.is_true(child:resize(33, 77))
    child.terminal:write "typed\n"
    local lines = {}
    for line in child.terminal:lines() do
      lines[#lines + 1] = line
    end
    assert.same({ "typed", "33 77", "[typed]" }, lines)
    assert.same({ status = 0 }, child:wait())
    child.terminal:close()
  end)

  it("reaps a child that nobody waits for", function()
    local child = assert(process.spawn { "true" })
    local pid = child:pid()
    child = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    await(function() return not exists(pid) end)
  end)

  it("starts 1000 at once, each with its own end", function()
    local children = {}
    for i = 1, 1000 do
      children[i] = assert(process.spawn { "sh", "-c", "exit " .. i % 256 })
    end
    for i = 1000, 1, -1 do
      assert.same({ status = i % 256 }, children[i]:wait())
    end
  end)
end)

describe("a child", function()
  it("may close its streams, and live", function()
    local child = assert(process.spawn { "sh", "-c", "exec >&- 2>&- <&-; exec sleep 1000", stdin = "pipe",
      stdout = "pipe", stderr = "pipe" })
    assert.equal("EOF", (select(3, child.stdout:read())))
    assert.equal("EOF", (select(3, child.stderr:read())))
    assert.equal("EPIPE", (select(3, child.stdin:write "x")))
    assert.same({ nil, "ETIMEDOUT: operation timed out", "ETIMEDOUT" }, { child:wait(0) })
    child:kill()
    assert.same({ signal = "SIGTERM" }, child:wait())
    child.stdin:close()
    child.stdout:close()
    child.stderr:close()
  end)

  it("may be ended by a signal that has no name of its own", function()
    -- Who was started by the C library's posix_spawn ignores SIG32, for good, and so do all of its children.
    local ignored = process.run({ "grep", "SigIgn", "/proc/self/status" }).stdout:match "(%x)%x%x%x%x%x%x%x\n$"
    for number, signal in pairs { [32] = "SIG32", [34] = "SIGRTMIN+0", [64] = "SIGRTMIN+30" } do
      if number ~= 32 or tonumber(ignored, 16) < 8 then
        assert.equal(signal, process.run({ "sh", "-c", "kill -" .. number .. " $$" }).signal)
      end
    end
  end)

  it("may die before anybody waits, of its own or of a signal", function()
    for script, ended in pairs { ["exit 3"] = { status = 3 }, ["kill -9 $$"] = { signal = "SIGKILL" } } do
      local child = assert(process.spawn { "sh", "-c", script })
      await(function() return not exists(child:pid()) end)
      assert.same(ended, child:wait(0))
      assert.same({ nil, "ESRCH: no such process", "ESRCH" }, { child:kill() })
    end
  end)

  it("is waited for by several, again and again, and by select", function()
    local child = assert(process.spawn { "sh", "-c", "read x; exit 7", stdin = "pipe" })
    local waiting = {}
    for i = 1, 3 do
      waiting[i] = momo.spawn(child.wait, child)
    end
    local chosen = momo.spawn(function() return momo.select { momo.time.after(100), child } end)
    momo.yield_now()
    assert.same({ nil, "ETIMEDOUT: operation timed out", "ETIMEDOUT" }, { child:wait(0) })
    child.stdin:close()
    for i = 1, 3 do
      assert.same({ status = 7 }, select(2, waiting[i]:join()))
    end
    local _, index, ended = chosen:join()
    assert.same({ 2, { status = 7 } }, { index, ended })
    assert.same({ status = 7 }, child:wait(0))
    assert.same({ 1, { status = 7 } }, { momo.select { child } })
  end)

  it("gets signals, until it has ended", function()
    local child = assert(process.spawn { "sleep", "1000" })
    assert.is_true(child:kill "SIGUSR1")
    assert.same({ signal = "SIGUSR1" }, child:wait())
    assert.same({ nil, "ESRCH: no such process", "ESRCH" }, { child:kill() })
  end)

  it("that leads a group takes it along", function()
    local child = assert(process.spawn { "sh", "-c", "sleep 1000 & echo $!; wait", stdout = "pipe",
      process_group = true })
    local grandchild = tonumber((child.stdout:read_until "\n"))
    assert.is_true(child:kill())
    assert.same({ signal = "SIGTERM" }, child:wait())
    await(function() return not lives(grandchild) end)
    child.stdout:close()
  end)

  it("that is detached outlives a cancelled wait", function()
    local child = assert(process.spawn { "sleep", "1000", detached = true })
    assert.is_nil((momo.time.timeout(0.02, child.wait, child)))
    assert.is_true(lives(child:pid()))
    child:kill "SIGKILL"
    assert.same({ signal = "SIGKILL" }, child:wait())
  end)
end)

describe("mistakes", function()
  local function said(fn, ...)
    local ok, err = pcall(fn, ...)
    assert.is_false(ok)
    return (err:gsub("^[^ ]+:%d+: ", ""))
  end

  it("are told", function()
    assert.equal("spawn: argument 1 must be a table: {\"command\", \"argument\", ...}, or call "
      .. "momo.process.shell(text), got \"ls\"", said(process.spawn, "ls"))
    assert.equal("spawn: there is no command: write {\"command\", \"argument\", ...}", said(process.spawn, {}))
    assert.equal('spawn: the words stand in a table: spawn { "tail", "-f" }', said(process.spawn, "tail", "-f"))
    assert.matches("^spawn: there is no option \"cmd\", but env, cwd, .*, grace$",
      said(process.spawn, { "ls", cmd = 1 }))
    assert.matches("^spawn: word 2 must be a string without zero bytes", said(process.spawn, { "ls", "a\0b" }))
    assert.matches("^spawn: stdin must be \"pipe\", \"null\", \"inherit\", a stream, a file or the number of a "
      .. "descriptor, got", said(process.spawn, { "ls", stdin = "pip" }))
    assert.equal("spawn: a name in env must be a string without zero bytes and =, got \"A=B\"",
      said(process.spawn, { "ls", env = { ["A=B"] = "x" } }))
    assert.equal("spawn: user must be a name or a number from 0, got -1", said(process.spawn, { "ls", user = -1 }))
    assert.equal("spawn: group must be a name or a number from 0, got 1.5", said(process.spawn, { "ls", group = 1.5 }))
    assert.matches("^spawn: env%[\"A\"%] must be a string", said(process.spawn, { "ls", env = { A = "x\0" } }))
    assert.equal("kill: there is no signal \"TERM\"; write \"SIGTERM\"", said(function()
      local child = process.spawn { "true" }
      child:wait()
      child:kill "TERM"
    end))
    assert.equal("kill: there is no signal \"kill\"; write \"SIGKILL\"", said(function()
      local child = process.spawn { "true" }
      child:wait()
      child:kill "kill"
    end))
    assert.equal("resize: the child has no terminal; spawn it with pty = true", said(function()
      local child = process.spawn { "true" }
      child:wait()
      child:resize(1, 1)
    end))
  end)
end)
