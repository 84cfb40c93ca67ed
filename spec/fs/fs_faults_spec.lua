-- Disks that fail: what the kernel would have to be asked for is injected by strace(1) into a momo of its own.

local momo = require "momo"
local fs, process = momo.fs, momo.process
require "momo.busted"

local MOMO = assert(os.getenv "MOMO_BIN")
local SIZE = 3000000

local folder
local function path(name)
  return folder .. "/" .. name
end

-- What a program prints whose system calls fail as `...` says. It gets the path of a file of SIZE bytes.
local function under(program, ...)
  -- Leaks can't be looked for under strace.
  local command = { "env", "LSAN_OPTIONS=detect_leaks=0", "strace", "-f", "-qq", "-o", path "strace" }
  local traced = "preadv2,pread64"
  for _, fault in ipairs { ... } do
    command[#command + 1] = "--inject=" .. fault
    traced = traced .. "," .. fault:match "^%w+"
  end
  if not traced:find "fsync" and not traced:find "rename" then -- else paths of others count: loading needs pread64
    command[#command + 1] = "--trace-path=" .. path "big"
  end
  command[#command + 1] = "--trace=" .. traced
  for _, word in ipairs { MOMO, "-e", 'local momo = require "momo"; local path = ...; ' .. program, path "big" } do
    command[#command + 1] = word
  end
  local result = assert(process.run(command))
  assert.equal("", result.stderr)
  return result.stdout
end

local COPY = [[
  local reader, writer = momo.io.pipe()
  local file = assert(momo.fs.open(path))
  local size = 0
  momo.scope(function(scope)
    scope:spawn(function()
      print("copied", momo.io.copy(file, writer))
      writer:close()
    end)
    for bytes in function() return (reader:read()) end do
      assert(bytes == ("0123456789abcdef"):rep(#bytes / 16 + 2):sub(size % 16 + 1, size % 16 + #bytes))
      size = size + #bytes
    end
  end)
  print("read", size, file:seek())
]]

describe("A disk", function()
  before_each(function()
    folder = assert(fs.tempdir())
    assert(fs.write(path "big", ("0123456789abcdef"):rep(SIZE / 16)))
  end)
  after_each(function() assert(fs.remove(folder, { recursive = true })) end)

  it("that has to be waited for is read ahead on the pool, so that copying waits as for a socket", function()
    local warm = under(COPY)
    assert.equal(("copied\t%d\nread\t%d\t%d\n"):format(SIZE, SIZE, SIZE), warm)
    assert.is_nil(fs.read(path "strace"):find("pread64", 1, true))
    assert.equal(warm, under(COPY, "preadv2:error=EAGAIN"))
    local _, reads = fs.read(path "strace"):gsub("pread64%(", "")
    assert.is_true(reads > SIZE / 65536)
    assert.equal(warm, under(COPY, "preadv2:error=EOPNOTSUPP"))
    assert.equal(warm, under(COPY, "preadv2:error=EAGAIN", "splice:error=EINVAL"))
  end)

  it("that fails is told by the side that it was on, behind what has come", function()
    assert.equal("copied\tnil\tEIO: i/o error\tEIO\tfrom\nread\t0\t0\n",
      under(COPY, "preadv2:error=EAGAIN", "pread64:error=EIO"))
    local text = under(COPY, "preadv2:error=EAGAIN", "pread64:error=EIO:when=40+")
    local size, position = text:match "^copied\tnil\tEIO: i/o error\tEIO\tfrom\nread\t(%d+)\t(%d+)\n$"
    assert.is_true(tonumber(size) > 0)
    assert.is_true(tonumber(size) < SIZE)
    assert.equal("0", position)
  end)

  it("that fails is told by every call", function()
    local function fails(call, ...)
      assert.equal("nil\tEIO\n", under("local ok, _, code = " .. call .. "; print(ok, code)", ...))
    end
    local file = "assert(momo.fs.open(path, 'r+')):"
    fails("momo.fs.read(path)", "readv:error=EIO", "preadv2:error=EIO")
    fails(file .. "read(10)", "preadv2:error=EIO")
    fails(file .. "write 'x'", "pwrite64:error=EIO")
    fails(file .. "sync()", "fsync:error=EIO")
    fails(file .. "datasync()", "fdatasync:error=EIO")
    fails(file .. "truncate(5)", "ftruncate:error=EIO")
  end)

  it("that fails leaves what was there before a write, and nothing beside it", function()
    assert(fs.write(path "kept", "before"))
    for _, fault in ipairs { "fsync:error=EIO", "rename:error=EIO" } do
      assert.equal("nil\tEIO\n",
        under("local ok, _, code = momo.fs.write((path:gsub('big$', 'kept')), 'after'); print(ok, code)", fault))
      assert.equal("before", fs.read(path "kept"))
      local names = {}
      for name in fs.list(folder) do
        names[#names + 1] = name
      end
      table.sort(names)
      assert.same({ "big", "kept", "strace" }, names)
    end
  end)
end)

describe("A full disk", function()
  local mounted

  before_each(function()
    folder = assert(fs.tempdir())
    local result = assert(process.run { "mount", "-t", "tmpfs", "-o", "size=256k", "momo-spec", folder })
    mounted = result.status == 0
  end)
  after_each(function()
    if mounted then
      assert.equal(0, assert(process.run { "umount", folder }).status)
    end
    assert(fs.remove(folder, { recursive = true }))
  end)

  -- Only root may mount one.
  local function on_it(name, body)
    it(name, function()
      if not mounted then
        return pending "it needs the right to mount a tmpfs"
      end
      body()
    end)
  end

  local MUCH = ("x"):rep(1024 * 1024)
  local function no_space(ok, _, code, side)
    assert.is_nil(ok)
    assert.equal("ENOSPC", code)
    return side
  end

  on_it("is told by what writes, and what was there stays", function()
    assert(fs.write(path "kept", "before"))
    no_space(fs.write(path "kept", MUCH))
    assert.equal("before", fs.read(path "kept"))
    local names = {}
    for name in fs.list(folder) do
      names[#names + 1] = name
    end
    assert.same({ "kept" }, names)

    local file = assert(fs.open(path "new", "w"))
    no_space(file:write(MUCH))
    file:close()
    assert(fs.remove(path "new"))
    no_space(fs.append(path "kept", MUCH))
    assert.equal("before", fs.read(path "kept"):sub(1, 6))
    assert(fs.remove(path "kept"))
  end)

  on_it("is told by a copy, whose source is elsewhere", function()
    local file = assert(fs.open(path "new", "w"))
    local source = assert(fs.open("/dev/zero"))
    assert.equal("to", no_space(momo.io.copy(source, file, #MUCH)))
    source:close()
    file:close()
    no_space(fs.copy("/bin/bash", path "copy"))
    assert.is_false(fs.exists(path "copy"))
    assert(fs.remove(path "new"))
    assert.equal(5, assert(fs.write(path "again", "again")))
  end)
end)

describe("A file in memory", function()
  before_each(function()
    folder = assert(fs.tempdir())
    assert(fs.write(path "small", ("x"):rep(1000)))
  end)
  after_each(function() assert(fs.remove(folder, { recursive = true })) end)

  it("is looked at by three system calls and read by four, on the program's own thread", function()
    local function calls(n)
      local result = assert(process.run { "env", "LSAN_OPTIONS=detect_leaks=0", "strace", "-f", "-qq", "-o",
        path "strace", "--trace-path=" .. path "small", MOMO, "-e", [[
        local momo = require "momo"
        local path, n = ...
        assert(momo.fs.stat(path) and momo.fs.read(path)) -- what is loaded at first use
        for _ = 1, tonumber(n) do
          assert(momo.fs.stat(path).size == 1000 and #momo.fs.read(path) == 1000)
        end
        momo.stop()]], path "small", tostring(n) })
      assert.equal("", result.stderr)
      local _, count = assert(fs.read(path "strace")):gsub("\n", "")
      return count
    end
    local few = calls(20)
    assert.equal(100 * 7, calls(120) - few)
  end)
end)

describe("A new file", function()
  before_each(function() folder = assert(fs.tempdir()) end)
  after_each(function() assert(fs.remove(folder, { recursive = true })) end)

  it("that has come while another write of it begins is replaced, and never empty", function()
    -- The second has seen that there is none when the first one is done.
    local result = assert(process.run { "env", "LSAN_OPTIONS=detect_leaks=0", "strace", "-f", "-qq", "-o",
      path "strace", "--trace-path=" .. path "new", "--inject=newfstatat:delay_enter=400000", MOMO, "-e", [[
      local momo = require "momo"
      local path = ...
      momo.scope(function(scope)
        scope:spawn(function() assert(momo.fs.write(path, "one")) end)
        momo.time.sleep(0.2)
        scope:spawn(function() assert(momo.fs.write(path, "two")) end)
      end)]], path "new" })
    assert.same({ "", 0 }, { result.stderr, result.status })
    assert.equal("two", fs.read(path "new"))
    assert.is_nil(fs.read(path "strace"):find("O_TRUNC", 1, true))
  end)
end)
