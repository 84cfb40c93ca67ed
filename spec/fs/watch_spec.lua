local momo = require "momo"
local fs = momo.fs
require "momo.busted"

describe("fs.watch", function()
  local folder
  before_each(function() folder = assert(fs.tempdir()) end)
  after_each(function() fs.remove(folder, { recursive = true }) end)

  -- Events until one of this kind and path comes.
  local function await(watcher, kind, path)
    while true do
      local event = assert(watcher:recv())
      if event.kind == kind and event.path == path then
        return event
      end
    end
  end

  it("tells of names that come and go, and of what is written", function()
    local watcher = assert(fs.watch(folder .. "/"))
    fs.append(folder .. "/a", "x")
    assert.same({ kind = "create", path = folder .. "/a", directory = false }, watcher:recv())
    await(watcher, "modify", folder .. "/a")
    fs.rename(folder .. "/a", folder .. "/b")
    await(watcher, "remove", folder .. "/a")
    await(watcher, "create", folder .. "/b")
    fs.mkdir(folder .. "/c")
    assert.is_true(await(watcher, "create", folder .. "/c").directory)
    assert.same({ nil, "ETIMEDOUT: operation timed out", "ETIMEDOUT" }, { watcher:recv(0) })
    watcher:close()
  end)

  it("tells when what is watched is gone", function()
    fs.write(folder .. "/a", "x")
    local watcher = assert(fs.watch(folder .. "/a"))
    fs.remove(folder .. "/a")
    await(watcher, "gone", folder .. "/a")
    watcher:close()
  end)

  it("goes into folders, also new ones, with what is in them already", function()
    fs.mkdir(folder .. "/old/er", { parents = true })
    local watcher = assert(fs.watch(folder, { recursive = true }))
    fs.write(folder .. "/old/er/a", "1")
    await(watcher, "create", folder .. "/old/er/a")
    fs.mkdir(folder .. "/new/er", { parents = true })
    fs.write(folder .. "/new/er/b", "1")
    await(watcher, "create", folder .. "/new/er/b")
    watcher:close()
  end)

  it("says that changes were lost", function()
    local limit = tonumber(fs.read "/proc/sys/fs/inotify/max_queued_events")
    if not limit or limit > 50000 then
      return pending "the system keeps too many changes"
    end
    local watcher = assert(fs.watch(folder))
    local file = assert(io.open(folder .. "/a", "w"))
    for _ = 1, limit + 10 do -- two kinds in turn: equal ones in a row are told once
      os.rename(folder .. "/a", folder .. "/b")
      os.rename(folder .. "/b", folder .. "/a")
    end
    file:close()
    repeat local event = assert(watcher:recv()) until event.kind == "overflow"
    watcher:close()
  end)

  it("is waited for by select, given up, and closed under a wait", function()
    local watcher = assert(fs.watch(folder))
    assert.equal(2, momo.select { watcher, momo.time.after(0.001) })
    local waiting = momo.spawn(function() return momo.select { watcher } end)
    momo.yield_now()
    fs.append(folder .. "/a", "x")
    local _, index, event = waiting:join()
    assert.same({ 1, { kind = "create", path = folder .. "/a", directory = false } }, { index, event })
    repeat until not watcher:recv(0.001)
    local reader = momo.spawn(watcher.recv, watcher)
    momo.yield_now()
    watcher:close()
    assert.same({ true, nil, "EBADF: bad file descriptor", "EBADF" }, { reader:join() })
    assert.same({ nil, "EBADF: bad file descriptor", "EBADF" }, { watcher:recv() })
  end)

  it("says what is not there", function()
    local watcher, err, code = fs.watch(folder .. "/none")
    assert.is_nil(watcher)
    assert.equal("ENOENT: no such file or directory: " .. folder .. "/none", err)
    assert.equal("ENOENT", code)
  end)
end)
