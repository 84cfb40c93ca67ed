local momo = require "momo"
local fs = momo.fs
require "momo.busted"

-- A scratch folder for one test.
local folder
local function path(name)
  return folder .. "/" .. name
end

local function tree()
  local found = {}
  for name, kind in assert(fs.walk(folder)) do
    found[#found + 1] = name:sub(#folder + 2) .. " " .. kind
  end
  table.sort(found)
  return found
end

local function fails(code, text, ...)
  local result, err, its_code = ...
  assert.is_nil(result)
  assert.equal(code, its_code)
  assert.matches(text, err, 1, true)
end

describe("momo.fs", function()
  before_each(function() folder = assert(fs.tempdir()) end)
  after_each(function() assert(fs.remove(folder, { recursive = true })) end)

  describe("whole files", function()
    it("may be a pipe, whose writer comes later", function()
      assert.equal(0, assert(momo.process.run { "mkfifo", path "pipe" }).status)
      local reader = momo.spawn(fs.read, path "pipe")
      momo.time.sleep(0.02)
      assert.equal(0, assert(momo.process.run { "sh", "-c", "echo hello >" .. path "pipe" }).status)
      local ok, bytes = reader:join()
      assert.is_true(ok)
      assert.equal("hello\n", bytes)
    end)

    it("are written, read and added to, whatever bytes they have", function()
      local bytes = ("\0\255\r\n"):rep(100000)
      assert.equal(#bytes, fs.write(path "a", bytes))
      assert.is_true(fs.read(path "a") == bytes)
      assert.equal(1, fs.append(path "a", "x"))
      assert.equal(#bytes + 1, fs.stat(path "a").size)
      assert.equal(0, fs.write(path "a", ""))
      assert.equal("", fs.read(path "a"))
    end)

    it("are replaced as one, with their permissions, and nothing is left beside them", function()
      fs.write(path "a", "old")
      fs.chmod(path "a", 384)
      local before = fs.open(path "a")
      fs.write(path "a", "new")
      assert.equal("old", before:read())
      before:close()
      assert.equal("new", fs.read(path "a"))
      assert.equal(384, fs.stat(path "a").mode)
      fails("EISDIR", folder, fs.write(folder, "x"))
      assert.same({ "a file" }, tree())
    end)

    it("that a link leads to are replaced there", function()
      fs.write(path "a", "old")
      fs.symlink("a", path "link")
      fs.write(path "link", "new")
      assert.equal("new", fs.read(path "a"))
      assert.equal("link", fs.lstat(path "link").kind)
    end)

    it("are read up to a limit, at both of its edges", function()
      fs.write(path "a", "12345")
      assert.equal("12345", fs.read(path "a", 5))
      fails("EMSGSIZE", path "a", fs.read(path "a", 4))
      assert.is_true(#fs.read "/proc/self/status" > 100) -- whose size is told as 0
      fails("EMSGSIZE", "/proc/self/status", fs.read("/proc/self/status", 10))
    end)

    it("are copied with their permissions, and not onto themselves", function()
      local bytes = ("0123456789"):rep(30000)
      fs.write(path "a", bytes)
      fs.chmod(path "a", 448)
      assert.equal(#bytes, fs.copy(path "a", path "b"))
      assert.is_true(fs.read(path "b") == bytes)
      assert.equal(448, fs.stat(path "b").mode)
      fails("EINVAL", path "a", fs.copy(path "a", path "a"))
      assert.is_true(fs.read(path "a") == bytes)
      fails("EISDIR", folder, fs.copy(folder, path "c"))
    end)
  end)

  describe("a file", function()
    it("has a position, which seek sets as Lua's does", function()
      fs.write(path "a", "0123456789")
      local file = assert(fs.open(path "a"))
      assert.equal("0123", file:read(4))
      assert.equal(4, file:seek())
      assert.equal("67", (function() file:seek("cur", 2) return file:read(2) end)())
      assert.equal(8, file:seek("end", -2))
      assert.equal("89", file:read())
      fails("EOF", "end of file", file:read())
      assert.equal("34", file:read_at(3, 2))
      assert.equal(10, file:seek())
      fails("EINVAL", "before the beginning", file:seek("set", -1))
      assert.equal(10, file:seek())
      fails("EBADF", path "a", file:write "x") -- it is open for reading
      file:close()
      file:close()
      fails("EBADF", "closed", file:read())
    end)

    it("is written, cut, appended to, and brought to the disk", function()
      local file = assert(fs.open(path "a", "w+"))
      assert.equal(6, file:write "abcdef")
      assert.equal(2, file:write_at(2, "XY"))
      assert.equal("abXYef", file:read_at(0, 100))
      assert.is_true(file:truncate(3))
      assert.equal(3, file:size())
      assert.is_true(file:sync())
      assert.is_true(file:datasync())
      file:close()
      file = assert(fs.open(path "a", "a"))
      file:write "1"
      file:write "2"
      assert.equal(5, file:seek())
      file:close()
      assert.equal("abX12", fs.read(path "a"))
      fails("EEXIST", path "a", fs.open(path "a", "wx"))
      fs.open(path "b", "wx", 384):close()
      assert.equal(384, fs.stat(path "b").mode)
    end)

    it("gives its lines, also those longer than a piece", function()
      local long = ("x"):rep(100000)
      fs.write(path "a", "one\r\n\n" .. long .. "\nlast")
      local file, lines = fs.open(path "a"), {}
      for line in file:lines(200000) do
        lines[#lines + 1] = line
      end
      assert.same({ "one", "", long, "last" }, lines)
      file:seek "set"
      local ok, err = pcall(function() for _ in file:lines() do end end) -- luacheck: ignore
      assert.is_false(ok)
      assert.matches("lines: ENOBUFS: no end of a line within 65536 bytes", err, 1, true)
      file:close()
      fs.write(path "a", "abc\nabc") -- as much as a line may have, with its end and without
      for max, expected in pairs { [3] = { "abc", "abc" }, [2] = {} } do
        file, lines = fs.open(path "a"), {}
        ok = pcall(function()
          for line in file:lines(max) do lines[#lines + 1] = line end
        end)
        assert.same({ max == 3, expected }, { ok, lines })
        file:close()
      end
    end)

    it("is copied to several at once, each from where it began", function()
      local bytes = ("0123456789"):rep(100000)
      assert(fs.write(path "a", bytes))
      local file = assert(fs.open(path "a"))
      local tasks = {}
      for i = 1, 3 do
        local reader, writer = momo.io.pipe()
        momo.spawn(function()
          assert.equal(#bytes, momo.io.copy(file, writer))
          writer:close()
        end)
        tasks[i] = momo.spawn(function() return reader:read_exact(#bytes) end)
      end
      for i = 1, 3 do
        local ok, read = tasks[i]:join()
        assert.is_true(ok and read == bytes)
      end
      file:close()
    end)

    it("stands on either side of io.copy", function()
      local bytes = ("0123456789"):rep(50000)
      fs.write(path "a", bytes)
      local file, other = fs.open(path "a"), fs.open(path "b", "w")
      local one, two = momo.net.UnixStream.pair()
      file:seek("set", 10)
      local sender = momo.spawn(function()
        local n = momo.io.copy(file, one)
        one:shutdown()
        return n
      end)
      assert.equal(#bytes - 10, momo.io.copy(two, other))
      assert.same({ true, #bytes - 10 }, { sender:join() })
      assert.equal(#bytes, file:seek())
      assert.is_true(fs.read(path "b") == bytes:sub(11))
      file:seek "set"
      other:seek "set"
      assert.equal(5, momo.io.copy(file, other, 5))
      assert.equal(5, other:seek())
      for _, each in ipairs { file, other, one, two } do
        each:close()
      end
    end)

    it("that is closed under a read stays what it was", function()
      assert.equal(0, momo.process.run({ "mkfifo", path "fifo" }).status)
      local file = assert(fs.open(path "fifo", "r+"))
      local reader = momo.spawn(file.read, file, 1)
      momo.time.sleep(0.01)
      local writer = assert(fs.open(path "fifo", "r+"))
      file:close()
      writer:write "x"
      assert.same({ true, "x" }, { reader:join() })
      writer:close()
    end)
  end)

  describe("a path", function()
    it("is told what lies there", function()
      fs.write(path "a", "abc")
      fs.symlink("a", path "link")
      fs.mkdir(path "folder")
      local status = fs.stat(path "link")
      assert.equal("file", status.kind)
      assert.equal(3, status.size)
      assert.equal("link", fs.lstat(path "link").kind)
      assert.equal("directory", fs.stat(path "folder").kind)
      assert.equal("a", fs.readlink(path "link"))
      assert.equal(fs.realpath(folder) .. "/a", fs.realpath(path "link"))
      fs.utimes(path "a", 1000.5, -2.25)
      assert.equal(1000.5, fs.stat(path "a").atime)
      assert.equal(-2.25, fs.stat(path "a").mtime)
      assert.is_true(fs.exists(path "a"))
      assert.is_false(fs.exists(path "b"))
      fails("ENOENT", path "b", fs.stat(path "b"))
      fails("ENOTDIR", path "a/b", fs.stat(path "a/b"))
      fails("EINVAL", path "a", fs.readlink(path "a"))
    end)

    it("is made, moved and removed, and links lead nowhere", function()
      assert.is_true(fs.mkdir(path "x/y/z", { parents = true, mode = 448 }))
      assert.is_true(fs.mkdir(path "x/y/z", { parents = true }))
      assert.equal(448, fs.stat(path "x/y/z").mode)
      fails("EEXIST", path "x", fs.mkdir(path "x"))
      local kept = assert(fs.tempdir())
      fs.write(kept .. "/precious", "1")
      fs.symlink(kept, path "x/y/link")
      fs.write(path "x/y/file", "1")
      fs.link(path "x/y/file", path "x/other")
      assert.same({ "x directory", "x/other file", "x/y directory", "x/y/file file", "x/y/link link",
        "x/y/z directory" }, tree())
      fails("ENOTEMPTY", path "x", fs.remove(path "x"))
      assert.is_true(fs.remove(path "x", { recursive = true }))
      assert.equal("1", fs.read(kept .. "/precious"))
      fs.remove(kept, { recursive = true })
      fails("ENOENT", path "x", fs.remove(path "x", { recursive = true }))
      fs.write(path "a", "1")
      assert.is_true(fs.rename(path "a", path "b"))
      assert.is_false(fs.exists(path "a"))
    end)

    it("that has no name any more is written where it is, and the link to it stays", function()
      fs.write(path "a", "a longer text")
      local file = assert(fs.open(path "a"))
      fs.remove(path "a")
      fs.symlink("/proc/self/fd/" .. file:fd(), path "link")
      assert(fs.write(path "link", "text"))
      assert.equal("text", file:read_at(0, 100))
      assert.equal("link", fs.lstat(path "link").kind)
      file:close()
    end)

    it("is told with the other, where there are two", function()
      fs.write(path "a", "1")
      fs.mkdir(path "b")
      local both = path "a" .. " -> " .. path "b"
      fails("EEXIST", both, fs.link(path "a", path "b"))
      fails("EEXIST", both, fs.symlink(path "a", path "b"))
      fails("EISDIR", both, fs.rename(path "a", path "b"))
      fails("EISDIR", both, fs.copy(path "a", path "b"))
    end)

    it("leads out of no folder that it has to stay beneath", function()
      fs.write(path "inner", "in")
      fs.symlink("/etc", path "out")
      fs.symlink("inner", path "good")
      assert.equal("in", fs.beneath(folder, "good"):read())
      for _, bad in ipairs { "out/passwd", "../x", "/etc/passwd" } do
        fails("EXDEV", ("EXDEV: %s leads out of %s"):format(bad, folder), fs.beneath(folder, bad))
      end
      fails("ENOENT", folder .. "/none", fs.beneath(folder, "none"))
      local made = assert(fs.beneath(folder, "made", "w"))
      made:close()
      assert.is_true(fs.exists(path "made"))
    end)
  end)

  it("has temporary files that only their owner may open", function()
    local file = assert(fs.tempfile())
    assert.equal(384, file:stat().mode)
    assert.equal(3, file:write "abc")
    assert.equal("abc", fs.read(file.path))
    file:close()
    fs.remove(file.path)
  end)

  it("has locks that tasks wait for in turn", function()
    local inside, most, n = 0, 0, 0
    local tasks = {}
    for i = 1, 5 do
      tasks[i] = momo.spawn(fs.lock, path "lock", function()
        inside = inside + 1
        most = math.max(most, inside)
        momo.time.sleep(0.002)
        inside, n = inside - 1, n + 1
        return i
      end)
    end
    for i = 1, 5 do
      assert.same({ true, i }, { tasks[i]:join() })
    end
    assert.same({ 1, 5 }, { most, n })
  end)

  it("has locks that are held until they are closed, or given up in a wait", function()
    local held = assert(fs.lock(path "lock"))
    assert.equal(path "lock", held.path)
    assert.is_nil((momo.time.timeout(0.02, fs.lock, path "lock")))
    local other = momo.spawn(fs.lock, path "lock")
    momo.time.sleep(0.01)
    held:close()
    local _, its = assert(other:join())
    its:close()
    assert.equal("in", fs.lock(path "lock", function() return "in" end))
    assert.equal("ENOENT", (select(3, fs.lock(path "none/lock"))))
  end)

  it("holds up neither the thread nor look-ups while a disk stalls", function()
    assert.equal(0, momo.process.run({ "mkfifo", path "fifo" }).status)
    local stuck = {}
    for i = 1, 6 do -- more than the pool has threads
      stuck[i] = momo.spawn(fs.open, path "fifo", "r")
    end
    momo.time.sleep(0.01)
    assert.is_table(momo.net.lookup_host("localhost", 5))
    for i = 1, 6 do
      stuck[i]:cancel()
      stuck[i]:join()
    end
    local writer = assert(io.open(path "fifo", "r+")) -- which lets them go
    writer:close()
    fs.write(path "a", "1")
    assert.equal("1", fs.read(path "a"))
  end)

  it("tells mistakes", function()
    local function said(fn, ...)
      local ok, err = pcall(fn, ...)
      assert.is_false(ok)
      return (err:gsub("^[^ ]+:%d+: ", ""))
    end
    assert.equal("read: argument 1 must be a path without zero bytes, got \"a\\0b\"", said(fs.read, "a\0b"))
    assert.equal("open: mode must be \"r\", \"w\", \"a\", each with + or not, \"wx\" or \"w+x\", got \"rw\"",
      said(fs.open, "a", "rw"))
    assert.equal("utimes: argument 3 must be seconds since 1970, got nil", said(fs.utimes, "a", 1))
    assert.equal("mkdir: there is no option \"parent\"", said(fs.mkdir, "a", { parent = true }))
    assert.equal("write: argument 2 must be a string, got nil", said(fs.write, "a"))
  end)
end)
