-- Whatever makes something leaves all as it was when it fails: descriptors, the loop's tables, files. Each is tried
-- with as few descriptors as there can be, then with one more, until it succeeds; and where it is refused.

local momo = require "momo"
local descriptors = require "spec.support.descriptors"
local folder = require "spec.support.folder"
local support = require "spec.support"
local tcp = require "spec.support.tcp"

local net, fs, io, process = momo.net, momo.fs, momo.io, momo.process
local here = folder.make { file = "text" }

local function path(name)
  return here .. "/" .. name
end

-- Of the files that there are.
local function names()
  local list = {}
  for name in assert(fs.list(here)) do
    list[#list + 1] = name
  end
  table.sort(list)
  return list
end

-- What there is, and what of it the constructors could leave behind.
local function state()
  tcp.settle() -- what is closed goes at the loop's next turn
  collectgarbage()
  local m = momo.metrics()
  return {
    descriptors = table.concat((descriptors.list()), " "),
    files = table.concat(names(), " "),
    loop = ("%d tasks, %d timers, %d handles, %d threads"):format(m.tasks, m.timers, m.handles, m.threads),
  }
end

-- Name, and what makes one of what there is in the world: it returns all that is to be closed.
local constructors = {
  ["TcpListener.bind"] = function() return net.TcpListener.bind "127.0.0.1:0" end,
  ["TcpListener.bind, by name"] = function() return net.TcpListener.bind "localhost:0" end,
    ["TcpStream.connect"] = function(world) return net.TcpStream.connect(world.tcp:local_addr()) end,
  ["TcpStream.connect, by name"] = function(world)
    return net.TcpStream.connect((world.tcp:local_addr():gsub("^.*:", "localhost:")))
  end,
  ["TcpStream.connect, bound"] = function(world)
    return net.TcpStream.connect(world.tcp:local_addr(), nil, { bind = "127.0.0.1:0" })
  end,
    ["TcpListener:accept"] = function(world) return world.waiting:accept(5) end,
  ["UdpSocket.bind"] = function() return net.UdpSocket.bind "127.0.0.1:0" end,
  ["UdpSocket.bind, by name"] = function() return net.UdpSocket.bind "localhost:0" end,
  ["UnixListener.bind"] = function() return net.UnixListener.bind(path "new") end,
  ["UnixListener.bind, over a dead one's path"] = function() return net.UnixListener.bind(path "dead") end,
    ["UnixStream.connect"] = function(world) return net.UnixStream.connect(world.unix:local_addr()) end,
  ["UnixStream.pair"] = function() return net.UnixStream.pair() end,
  ["UnixDatagram.bind"] = function() return net.UnixDatagram.bind(path "new") end,
  ["UnixDatagram.pair"] = function() return net.UnixDatagram.pair() end,
  ["io.pipe"] = function() return io.pipe() end,
  ["fs.open"] = function() return fs.open(path "file") end,
  ["fs.open, to write"] = function() return fs.open(path "new", "w") end,
  ["fs.beneath"] = function() return fs.beneath(here, "file") end,
  ["fs.tempfile"] = function() return fs.tempfile(path "new") end,
  ["fs.watch"] = function() return fs.watch(here) end,
  ["process.spawn"] = function()
    local child, err, code = process.spawn { "cat", stdin = "pipe", stdout = "pipe", stderr = "pipe" }
    if not child then return nil, err, code end
    return child.stdin, child.stdout, child.stderr, { close = function() child:wait() end }
  end,
}

-- What the lack of descriptors is told as: a name's look-up has words of its own.
local CODES = { EMFILE = true, EAI_SYSTEM = true, EAI_AGAIN = true, EAI_FAIL = true, EAI_NONAME = true }
local MOST = 40 -- descriptors that one of them takes while it works

local function close(...)
  for i = 1, select("#", ...) do
    local object = select(i, ...)
    if object and type(object) ~= "string" then object:close() end -- accept returns an address too
  end
end

-- The path of a listener that is gone.
local function leave_dead()
  if not fs.exists(path "dead") then
    assert(net.UnixListener.bind(path "dead")):close()
    assert(fs.exists(path "dead"))
  end
end

-- What has been made is no more.
local function tidy(...)
  close(...)
  for _, name in ipairs(names()) do
    if name:find "^new" then assert(fs.remove(path(name), { recursive = true })) end
  end
  leave_dead()
end

-- What the constructors need: it is there before, and afterwards.
local function open_world()
  for _, name in ipairs { "unix", "datagram" } do
    os.remove(path(name))
  end
  leave_dead()
  local world = {
    tcp = tcp.listen { backlog = 1000 },
    waiting = tcp.listen { backlog = 1000 },
    udp = assert(net.UdpSocket.bind "127.0.0.1:0"),
    unix = assert(net.UnixListener.bind(path "unix", { backlog = 1000 })),
    datagram = assert(net.UnixDatagram.bind(path "datagram")),
    file = assert(fs.open(path "file")),
  }
  world.full, world.queued = tcp.full_listener()
  world.stream, world.other = tcp.pair()
  for i = 1, 3 do
    world[i] = assert(net.TcpStream.connect(world.waiting:local_addr()))
  end
  return world
end

local function in_world(fn)
  return function()
    tcp.run(function()
      fn(open_world())
      momo.stop()
    end)
  end
end

describe("for want of descriptors", function()
  after_each(descriptors.many)

  for name, make in pairs(constructors) do
    it(name .. " fails, and leaves all as it was", in_world(function(world)
      tidy(assert(make(world))) -- what is made once for all
      local before, failures = state(), 0
      for left = 0, MOST do
        descriptors.few(left)
        local made = support.pack(momo.pcall(make, world))
        descriptors.many()
        assert(made[1], made[2])
        if made[2] then
          tidy(unpack(made, 2, made.n))
          assert.same(before, state())
          assert.is_true(failures > 0)
          return
        end
        failures = failures + 1
        assert.is_true(CODES[made[4]], tostring(made[3]))
        assert.same(before, state())
      end
      error "it never succeeds"
    end))
  end

  it("UnixListener.bind leaves the path of one that lives", in_world(function(world)
    local seen, before = {}, state()
    for left = 0, 3 do
      descriptors.few(left)
      local _, _, code = net.UnixListener.bind(path "unix")
      descriptors.many()
      seen[#seen + 1] = code
      assert.same(before, state())
      close(assert(net.UnixStream.connect(path "unix")))
      close(assert(world.unix:accept(5)))
    end
    -- The first is the socket; then its folder's lock, or else the socket that asks whether anybody listens; then both.
    assert.same({ "EMFILE", "EMFILE", "EMFILE", "EADDRINUSE" }, seen)
  end))
end)

-- What is refused, and as what.
local refused = {
  { "EADDRNOTAVAIL", "TcpListener.bind", function() return net.TcpListener.bind "192.0.2.1:0" end },
  { "EADDRINUSE", "TcpListener.bind", function(world) return net.TcpListener.bind(world.tcp:local_addr()) end },
  { "EADDRNOTAVAIL", "UdpSocket.bind", function() return net.UdpSocket.bind "192.0.2.1:0" end },
  { "EADDRINUSE", "UdpSocket.bind", function(world) return net.UdpSocket.bind(world.udp:local_addr()) end },
  { "ECONNREFUSED", "TcpStream.connect", function() return net.TcpStream.connect "127.0.0.1:1" end },
  { "ETIMEDOUT", "TcpStream.connect", function(world)
    return net.TcpStream.connect(world.full:local_addr(), 0.01)
  end },
  { "EADDRNOTAVAIL", "TcpStream.connect", function(world)
    return net.TcpStream.connect(world.tcp:local_addr(), nil, { bind = "192.0.2.1:0" })
  end },
  { "ETIMEDOUT", "TcpListener:accept", function(world) return world.tcp:accept(0.001) end },
  { "EADDRINUSE", "UnixListener.bind", function() return net.UnixListener.bind(path "unix") end },
  { "EADDRINUSE", "UnixListener.bind", function() return net.UnixListener.bind(path "file") end },
  { "ENOENT", "UnixListener.bind", function() return net.UnixListener.bind(path "no/socket") end },
  { "ENOENT", "UnixStream.connect", function() return net.UnixStream.connect(path "nosuch") end },
  { "ECONNREFUSED", "UnixStream.connect", function() return net.UnixStream.connect(path "dead") end },
  { "EADDRINUSE", "UnixDatagram.bind", function() return net.UnixDatagram.bind(path "datagram") end },
  { "ENOENT", "UnixDatagram.bind", function() return net.UnixDatagram.bind(path "no/socket") end },
  { "EBADF", "TcpStream.from_fd", function() return net.TcpStream.from_fd(999) end },
  { "EBADF", "TcpListener.from_fd", function() return net.TcpListener.from_fd(999) end },
  { "EBADF", "UnixStream.from_fd", function() return net.UnixStream.from_fd(999) end },
  { "EBADF", "UnixListener.from_fd", function() return net.UnixListener.from_fd(999) end },
  { "ENOENT", "fs.open", function() return fs.open(path "nosuch") end },
  { "EISDIR", "fs.open", function() return fs.open(here, "w") end },
  { "ENOENT", "fs.beneath", function() return fs.beneath(here, "nosuch") end },
  { "ENOENT", "fs.tempfile", function() return fs.tempfile(path "no/file") end },
  { "ENOENT", "fs.tempdir", function() return fs.tempdir(path "no/folder") end },
  { "ENOENT", "fs.watch", function() return fs.watch(path "nosuch") end },
  { "ENOENT", "process.spawn", function()
    return process.spawn { "/nosuch/program", stdin = "pipe", stdout = "pipe", stderr = "pipe" }
  end },
  { "ENOENT", "process.spawn", function() return process.spawn { "cat", cwd = "/nosuch", stdin = "pipe" } end },
}

describe("what is refused", function()
  for _, row in ipairs(refused) do
    it(("is told by %s as %s, and leaves all as it was"):format(row[2], row[1]), in_world(function(world)
      row[3](world)
      local before = state()
      tcp.assert_failed(row[1], row[3](world))
      assert.same(before, state())
    end))
  end
end)
