-- Names that there are not: what a program that asks for one is told, at its own line.

local momo = require "momo"

local function told(fn)
  local ok, err = pcall(fn)
  assert.is_false(ok)
  local place = ("spec/house/names_spec.lua:%d: "):format(debug.getinfo(fn, "S").linedefined)
  assert.equal(place, tostring(err):sub(1, #place))
  return err:sub(#place + 1)
end

describe("a module", function()
  it("tells the name that was meant", function()
    assert.equal("momo has no tme; did you mean time?", told(function() return momo.tme end))
    assert.equal("momo has no spwan; did you mean spawn?", told(function() return momo.spwan end))
    assert.equal("momo has no Spawn; did you mean spawn?", told(function() return momo.Spawn end))
    assert.equal("momo has no yieldNow; did you mean yield_now?", told(function() return momo.yieldNow end))
    assert.equal("momo.net has no TcpListner; did you mean TcpListener?",
      told(function() return momo.net.TcpListner end))
    assert.equal("momo.net has no tcp_stream; did you mean TcpStream?", told(function() return momo.net.tcp_stream end))
    assert.equal("momo.time has no slep; did you mean sleep?", told(function() return momo.time.slep end))
    assert.equal("momo.sync has no chanel; did you mean channel?", told(function() return momo.sync.chanel end))
    assert.equal("momo.io has no coppy; did you mean copy?", told(function() return momo.io.coppy end))
    assert.equal("momo.io has no stdot; did you mean stdout?", told(function() return momo.io.stdot end))
    assert.equal("momo.signal has no rcv; did you mean recv?", told(function() return momo.signal.rcv end))
    assert.equal("momo.thread has no spawm; did you mean spawn?", told(function() return momo.thread.spawm end))
    assert.equal("momo.coroutine has no warp; did you mean wrap?", told(function() return momo.coroutine.warp end))
  end)

  it("tells where it is what another runtime calls so", function()
    assert.equal("momo has no sleep; did you mean momo.time.sleep?", told(function() return momo.sleep end))
    assert.equal("momo has no timeout; did you mean momo.time.timeout?", told(function() return momo.timeout end))
    assert.equal("momo has no TcpListener; did you mean momo.net.TcpListener?",
      told(function() return momo.TcpListener end))
    assert.equal("momo has no channel; did you mean momo.sync.channel?", told(function() return momo.channel end))
    assert.equal("momo has no go; did you mean momo.spawn?", told(function() return momo.go end))
    assert.equal("momo has no setTimeout; did you mean momo.time.sleep, in a task of its own (momo.spawn)?",
      told(function() return momo.setTimeout end))
    assert.equal("momo has no JoinSet; did you mean momo.scope?", told(function() return momo.JoinSet end))
    assert.equal("momo has no await; did you mean task:join?", told(function() return momo.await end))
    assert.equal("momo has no gather; did you mean momo.all?", told(function() return momo.gather end))
    assert.equal("momo.net has no listen; did you mean momo.net.TcpListener.bind?",
      told(function() return momo.net.listen end))
    assert.equal("momo.net has no connect; did you mean momo.net.TcpStream.connect?",
      told(function() return momo.net.connect end))
    assert.equal("momo.net has no copy; did you mean momo.io.copy?", told(function() return momo.net.copy end))
    assert.equal("momo.net has no sleep; did you mean momo.time.sleep?", told(function() return momo.net.sleep end))
  end)

  it("knows the names of each of the great ones", function()
    local known = {
      ["momo sleep"] = "momo.time.sleep", ["momo ensure_future"] = "momo.spawn",
      ["momo run_until_complete"] = "momo.run",
      ["momo clearTimeout"] = "task:cancel", ["momo Event"] = "momo.sync.Notify", ["momo fetch"] = "momo.http.get",
      ["momo nextTick"] = "momo.yield_now", ["momo start_server"] = "momo.net.serve",
      ["momo Worker"] = "momo.thread.spawn",
      ["momo open_connection"] = "momo.net.TcpStream.connect", ["momo defer"] = "scope:defer",
      ["momo now"] = "momo.time.now",
      ["momo.net Dial"] = "momo.net.TcpStream.connect", ["momo.net createServer"] = "momo.net.serve",
      ["momo.http createServer"] = "momo.http.serve", ["momo.http ListenAndServe"] = "momo.http.serve",
      ["momo.http FileServer"] = "momo.http.files", ["momo.http fetch"] = "momo.http.get",
      ["momo.http HandleFunc"] = "momo.http.serve", ["momo.http put"] = "momo.http.request(method, url)",
      ["momo.tls listen"] = "the option tls of momo.net.serve", ["momo.tls Dial"] = "momo.tls.connect",
      ["momo.fs readFile"] = "momo.fs.read", ["momo.fs writeFileSync"] = "momo.fs.write", ["momo.fs unlink"] =
        "momo.fs.remove", ["momo.fs readdir"] = "momo.fs.list", ["momo.fs mkdirp"] = "momo.fs.mkdir",
      ["momo.process exec"] = "momo.process.run", ["momo.process popen"] = "momo.process.run",
      ["momo.process kill"] = "child:kill", ["momo.process exit"] = "momo.stop", ["momo.io popen"] = "momo.process.run",
      ["momo.sync Cond"] = "momo.sync.Notify", ["momo.sync mpsc"] = "momo.sync.channel", ["momo.log fatal"] =
        "momo.log.error", ["momo.signal on"] = "momo.signal.recv", ["momo.thread new"] = "momo.thread.spawn",
      ["momo.time time"] = "momo.time.wall", ["momo.nats publish"] = "momo.nats.connect(...), whose client has it",
    }
    for name, place in pairs(known) do
      local module, key = name:match "^(%S+) (%S+)$"
      local have = module == "momo" and momo or momo[module:sub(6)]
      local _, err = pcall(function() return have[key] end)
      assert.equal(("%s has no %s; did you mean %s?"):format(module, key, place), err:match "^[^:]+:%d+: (.*)$")
    end
    assert.equal("momo has no json: use a library, such as lua-cjson", told(function() return momo.json end))
  end)

  it("tells what it has, where nothing is like it, and each once", function()
    local err = told(function() return momo.frobnicate end)
    for _, name in ipairs { "http", "net", "spawn" } do
      assert.equal(1, select(2, (err .. ","):gsub("%f[%a]" .. name .. ",", "")))
    end
    assert.equal("momo.signal has no frobnicate, but recv", told(function() return momo.signal.frobnicate end))
    assert.matches("^momo.thread has no frobnicate, but available_parallelism, channel, current, pin, spawn$",
      told(function() return momo.thread.frobnicate end))
  end)

  it("tells which module has to be required by itself", function()
    assert.equal('momo has no busted; it is a module of its own: require "momo.busted"',
      told(function() return momo.busted end))
  end)

  it("can be asked whether it has a name", function()
    assert.is_nil(rawget(momo, "frobnicate"))
    assert.is_nil(momo[1])
    assert.is_nil(momo.__index)
    assert.is_nil(momo.net.__name)
  end)
end)

describe("a class of sockets", function()
  it("tells the name that was meant", function()
    assert.equal("momo.net.TcpStream has no conect; did you mean connect?",
      told(function() return momo.net.TcpStream.conect end))
    assert.equal("momo.net.TcpListener has no bnd; did you mean bind?",
      told(function() return momo.net.TcpListener.bnd end))
    assert.equal("momo.net.UnixStream has no par; did you mean pair?",
      told(function() return momo.net.UnixStream.par end))
    assert.equal("momo.net.TcpStream has no raed; did you mean read?",
      told(function() return momo.net.TcpStream.raed end))
    assert.equal("momo.net.TcpListener has no listen; did you mean momo.net.TcpListener.bind?",
      told(function() return momo.net.TcpListener.listen end))
  end)

  it("has the methods of its objects", function()
    local a, b = assert(momo.net.UnixStream.pair())
    assert.equal(a.read, momo.net.UnixStream.read)
    assert.equal(a.close, momo.net.TcpStream.close)
    a:close()
    b:close()
  end)
end)

describe("an object", function()
  local function with(make, fn)
    return momo.run(function() return fn(make()) end)
  end

  it("tells the method that was meant", function()
    local tx, rx = momo.sync.channel()
    local far_tx, far_rx = momo.thread.channel(1)
    local a, b = momo.net.UnixStream.pair()
    assert.equal("stream has no raed; did you mean read?", told(function() return a:raed() end))
    assert.equal("stream has no readUntil; did you mean read_until?", told(function() return a:readUntil "\n" end))
    assert.equal("stream has no receive; did you mean read?", told(function() return a:receive() end))
    assert.equal("stream has no send; did you mean write?", told(function() return a:send "x" end))
    assert.equal("stream has no settimeout; did you mean set_timeout?", told(function() return a:settimeout(1) end))
    assert.equal("tx has no sned; did you mean send?", told(function() return tx:sned(1) end))
    assert.equal("tx has no push; did you mean send?", told(function() return far_tx:push(1) end))
    assert.equal("rx has no receive; did you mean recv?", told(function() return rx:receive() end))
    assert.equal("rx has no try_recv: write rx:recv(0)", told(function() return far_rx:try_recv() end))
    assert.equal("tx has no try_send: write tx:send(value, 0)", told(function() return tx:try_send() end))
    assert.equal("rx has no clone: only senders are cloned. Tasks may share a receiver; threads ask for their jobs "
      .. "(examples/workers.lua)", told(function() return far_rx:clone() end))
    assert.equal('router has no get: write router:handle("GET /path", handler)',
      told(function() return momo.http.Router():get() end))
    assert.equal('router has no static: write router:handle("/", momo.http.files(folder))',
      told(function() return momo.http.Router():static() end))
    assert.equal("task has no name: write task:set_name(name)",
      told(function() momo.run(function() momo.current():name "x" end) end):match "^[^\n]+")
    assert.equal("scope has no timeout: write momo.time.timeout(seconds, momo.scope, fn)",
      told(function() momo.run(momo.scope, function(scope) scope:timeout(1) end) end):match "^[^\n]+")
    assert.equal("stream has no flush: write keeps nothing back", told(function() return a:flush() end))
    assert.equal("mutex has no lokc; did you mean lock?", told(function() return momo.sync.Mutex():lokc() end))
    assert.equal("mutex has no acquire; did you mean lock?", told(function() return momo.sync.Mutex():acquire() end))
    assert.equal("semaphore has no lock; did you mean acquire?",
      told(function() return momo.sync.Semaphore(1):lock() end))
    assert.equal("notify has no notify_all; did you mean notify_waiters?",
      told(function() return momo.sync.Notify():notify_all() end))
    assert.equal("interval has no tik; did you mean tick?", told(function() return momo.time.interval(1):tik() end))
    a:close()
    b:close()
  end)

  it("of a running program does so too", function()
    momo.run(function()
      local listener = assert(momo.net.TcpListener.bind "127.0.0.1:0")
      local udp = assert(momo.net.UdpSocket.bind "127.0.0.1:0")
      local task = momo.spawn(momo.yield_now)
      assert.equal("listener has no acept; did you mean accept?", told(function() return listener:acept() end))
      assert.equal("socket has no sendto; did you mean send_to?", told(function() return udp:sendto("x", "y") end))
      assert.equal("task has no jion; did you mean join?", told(function() return task:jion() end))
      assert.equal("task has no await; did you mean join?", told(function() return task:await() end))
      momo.scope(function(scope)
        assert.equal("scope has no spwan; did you mean spawn?", told(function() return scope:spwan(print) end))
      end)
      listener:close()
      udp:close()
    end)
  end)

  it("may be asked what it is", function()
    with(momo.net.UnixStream.pair, function(a, b)
      assert.is_nil(a.pollfd)
      assert.is_nil(a.__type)
      assert.is_nil(a[1])
      a:close()
      b:close()
    end)
    assert.is_nil(momo.sync.channel().frobnicate)
    assert.is_nil(momo.sync.Mutex().frobnicate)
  end)
end)

describe("a global that there is not", function()
  local function told_by(code)
    local _, _, stderr = require("spec.support").momo("-e", code)
    return stderr:match "^momo: %(command line%):1: [^\n]*\n(%(.-%))\nstack"
  end

  it("is told as what was meant by it, where a program has failed with it", function()
    assert.equal('(write: local momo = require "momo")', told_by "momo.spawn(print)")
    assert.equal("(did you mean momo.time.sleep, in a task of its own (momo.spawn)?)", told_by "setTimeout(print, 1)")
    assert.equal("(did you mean momo.spawn?)", told_by "go(print)")
    assert.equal("(did you mean momo.scope?)", told_by "scope(print)")
    assert.equal("(did you mean momo.time.timeout?)", told_by "timeout(1, print)")
    assert.equal("(write: local http = momo.http)", told_by "http.get 'x'")
    assert.matches("^%(ngx is of OpenResty; .* momo.compat%)$", told_by "ngx.sleep(1)")
    assert.matches("^%(socket is of LuaSocket; .* momo.compat%)$", told_by "socket.tcp()")
    assert.is_nil(told_by "frobnicate()")
    assert.is_nil(told_by "local sleep sleep(1)")
  end)
end)

describe("what an object is", function()
  local http = require "momo.http"

  ---What tostring makes of each object that a program can get hold of, by the class that it has to name.
  local function objects()
    local net, sync, thread, time = momo.net, momo.sync, momo.thread, momo.time
    local listener = assert(net.TcpListener.bind "127.0.0.1:0")
    local stream = assert(net.TcpStream.connect(listener:local_addr()))
    local tx, rx = sync.channel()
    local far_tx, far_rx = thread.channel(1)
    local made = {
      ["momo.Listener"] = listener, ["momo.Stream"] = stream, ["momo.net.UdpSocket"] = net.UdpSocket.bind "127.0.0.1:0",
      ["momo.net.UnixDatagram"] = net.UnixDatagram.pair(), ["momo.Task"] = momo.current(), ["momo.Sender"] = tx,
      ["momo.Receiver"] = rx, ["momo.thread.Sender"] = far_tx, ["momo.thread.Receiver"] = far_rx,
      ["momo.Notify"] = sync.Notify(), ["momo.Mutex"] = sync.Mutex(), ["momo.Semaphore"] = sync.Semaphore(1),
      ["momo.time.Interval"] = time.interval(1), ["momo.time.After"] = time.after(1),
      ["momo.Thread"] = assert(thread.spawn(function() end)), ["momo.Watch"] = assert(momo.io.watch(stream:fd(), "r")),
      ["momo.Draining"] = momo.until_draining(), ["momo.File"] = assert(momo.fs.open "/dev/null"),
      ["momo.Watcher"] = assert(momo.fs.watch "/tmp"), ["momo.Child"] = assert(momo.process.spawn { "true" }),
      ["momo.tls.Client"] = assert(momo.tls.client()),
      ["momo.tls.Server"] = assert(momo.tls.server(momo.tls.self_signed())),
      ["momo.http.Router"] = http.Router(), ["momo.http.Client"] = http.Client(),
    }
    momo.scope(function(scope) made["momo.Scope"] = scope end)
    return made, listener
  end

  ---Those of HTTP: what handlers get, and what clients do.
  local function exchange(listener)
    local made = {}
    local server = momo.spawn(http.serve, listener, function(request, response)
      made["momo.http.Request"], made["momo.http.Response"] = tostring(request), tostring(response)
      assert.equal("request has no headr; did you mean header?", told(function() return request:headr "host" end))
      assert.equal("response has no sned; did you mean send?", told(function() return response:sned() end))
      assert.is_nil(request.user)
      assert.is_nil(request.params)
      request.user = "whatever a program keeps there"
      if request.path == "/form" then
        for part in request:parts() do made["momo.http.Part"] = tostring(part) end
      elseif request.path == "/socket" then
        local socket = assert(response:websocket(request))
        made["momo.http.WebSocket"] = tostring(socket)
        assert.equal("websocket has no on: there are no callbacks: for message in ws:messages() do",
          told(function() return socket:on("message", print) end))
        assert.equal("websocket has no receive; did you mean recv?", told(function() return socket:receive() end))
        return socket:close()
      end
      return response:send(200, "hello")
    end, { on_error = function(err) made.failure = err end })
    local base = "http://" .. listener:local_addr()
    local answer = assert(http.get(base .. "/"))
    made["momo.http.Answer"] = tostring(answer)
    assert.equal("answer has no jsn; did you mean json?", told(function() return answer:jsn() end))
    http.post(base .. "/form", "--x\r\nContent-Disposition: form-data; name=a\r\n\r\nb\r\n--x--\r\n",
      { headers = { ["Content-Type"] = "multipart/form-data; boundary=x" } })
    assert(http.websocket("ws" .. base:sub(5) .. "/socket")):close()
    server:cancel()
    server:join()
    assert.is_nil(made.failure)
    return made
  end

  it("is told by each of them", function()
    momo.run(function()
      local made, listener = objects()
      for class, object in pairs(made) do
        assert.matches("^" .. class:gsub("%.", "%%.") .. "[: ]", tostring(object))
      end
      local n = 0
      for class, text in pairs(exchange(listener)) do
        assert.matches("^" .. class:gsub("%.", "%%.") .. ": 0x", text)
        n = n + 1
      end
      assert.equal(5, n)
      momo.stop()
    end)
  end)
end)

describe("what is public", function()
  it("has no names that are nobody's to call", function()
    local own = { time = { "after", "interval", "now", "sleep", "sleep_until", "timeout", "wall" },
      sync = { "Mutex", "Notify", "Semaphore", "channel", "oneshot" },
      thread = { "available_parallelism", "channel", "current", "pin", "spawn" },
      log = { "configure", "debug", "dropped", "error", "info", "warn" } }
    for module, wanted in pairs(own) do
      local names = {}
      for name in pairs(momo[module]) do
        names[#names + 1] = name
      end
      table.sort(names)
      assert.same(wanted, names)
    end
    for _, object in ipairs { momo.sync.Notify(), select(2, momo.sync.channel()), momo.time.after(1) } do
      for _, name in ipairs { "is_ready", "consume", "waiters", "woken" } do
        assert.is_nil(getmetatable(object)[name])
      end
    end
  end)
end)
