-- Typical mistakes, and what they are told: the message, and the line of the one who made it.

local momo = require "momo"

-- Runs fn as a task. Returns its error, and asserts that it names the line where fn begins.
local function told(fn, ...)
  local ok, err = momo.run(function(...)
    return momo.spawn(fn, ...):join()
  end, ...)
  assert.is_false(ok)
  local place = ("spec/house/mistakes_spec.lua:%d: "):format(debug.getinfo(fn, "S").linedefined)
  assert.equal(place, tostring(err):sub(1, #place))
  return err:sub(#place + 1)
end

-- The same for what is called outside of a runtime.
local function told_outside(fn)
  local ok, err = pcall(fn)
  assert.is_false(ok)
  local place = ("spec/house/mistakes_spec.lua:%d: "):format(debug.getinfo(fn, "S").linedefined)
  assert.equal(place, tostring(err):sub(1, #place))
  return err:sub(#place + 1)
end

local function f() end

describe("spawn", function()
  it("of a function's result", function()
    assert.equal("spawn: argument 1 must be a function, got nil (write spawn(f, x), not spawn(f(x)))",
      told(function() momo.spawn(f(1)) end))
    assert.equal("spawn: argument 1 must be a function, got nil (write spawn(f, x), not spawn(f(x)))",
      told(function() momo.spawn(nil) end))
    assert.equal("spawn: argument 1 must be a function, got table (write spawn(f, x), not spawn(f(x)))",
      told(function() momo.spawn({}) end))
    assert.equal("spawn: argument 1 must be a function, got string (write spawn(f, x), not spawn(f(x)))",
      told(function() momo.spawn("f") end))
  end)

  it("outside of a runtime", function()
    assert.equal("spawn: needs a runtime: call it inside momo.run(main), or run the file with the momo command",
      told_outside(function() momo.spawn(f) end))
  end)
end)

describe("run", function()
  it("inside a runtime", function()
    assert.equal("run: already inside a runtime; call main() directly", told(function() momo.run(f) end))
    assert.equal("run: already inside a runtime; call main() directly", told(function() momo.run({}, f) end))
  end)

  it("of something else than a function", function()
    local wanted = "run: argument 1 must be a function, or a table of options and then a function, got %s "
      .. "(write run(main), not run(main()))"
    assert.equal(wanted:format "nil", told_outside(function() momo.run(f()) end))
    assert.equal(wanted:format "string", told_outside(function() momo.run "main" end))
    assert.equal("run: argument 2 must be a function, got nil", told_outside(function() momo.run({}) end))
  end)

  it("with options that there are not", function()
    assert.equal('run: there is no option "onerror", but clock, grace, measure, on_error, stall',
      told_outside(function() momo.run({ onerror = f }, f) end))
    assert.equal("run: there is no option 1, but clock, grace, measure, on_error, stall",
      told_outside(function() momo.run({ f }, f) end))
    assert.equal("run: option on_error must be a function, got true",
      told_outside(function() momo.run({ on_error = true }, f) end))
  end)

  it("with times that are none", function()
    for _, grace in ipairs { 0, -1, 0 / 0 } do
      assert.matches("^run: option grace must be a number of seconds, more than 0, got %-?[%dnan]+$",
        told_outside(function() momo.run({ grace = grace }, f) end))
    end
    for _, stall in ipairs { -0.001, 1e6, 0 / 0 } do
      assert.matches("^run: option stall must be a number of seconds, 0 or more, got %-?[%d.nan]+$",
        told_outside(function() momo.run({ stall = stall }, f) end))
    end
    for _, options in ipairs { { grace = 1e-9 }, { grace = math.huge }, { stall = 0 }, { stall = 999999 } } do
      assert.equal(7, momo.run(options, function() return 7 end))
    end
  end)
end)

describe("a method", function()
  it("of a task, without its colon or on something else", function()
    momo.run(function()
      local task = momo.spawn(f)
      for _, method in ipairs { "join", "cancel", "status", "id", "traceback" } do
        local wanted = ("%s: call it with a colon: task:%s()"):format(method, method)
        for _, value in ipairs { {}, "reason", 1, io.stdout } do
          local _, err = pcall(function() task[method](value) return nil end)
          assert.matches("^spec/house/mistakes_spec.lua:%d+: ", err)
          assert.equal(wanted, (err:gsub("^.-:%d+: ", "")))
        end
        local _, err = pcall(function() task[method]() return nil end)
        assert.equal(wanted, (err:gsub("^.-:%d+: ", "")))
      end
    end)
  end)

  it("of any object, without its colon or on something else", function()
    package.path = os.getenv "MOMO_SOURCE_DIR" .. "/?.lua;" .. package.path
    local public = require "docs.tool.public"
    local pages = public.collect(os.getenv "MOMO_SOURCE_DIR" .. "/lua") -- which loads them all
    local methods, seen = public.methods(), 0
    -- Those that make sockets, too.
    local either = { ["momo.net.UdpSocket:connect"] = true, ["momo.net.UnixDatagram:connect"] = true }
    for _, page in ipairs(pages) do
      for _, item in ipairs(page.is_class and page.items or {}) do
        local method = (methods[page.name] or {})[item.name]
        for _, value in ipairs(method and item.method and not either[item.path] and { {}, "text", false } or {}) do
          local _, err = pcall(momo.run, function() method(value) return nil end)
          assert.matches("^spec/house/mistakes_spec.lua:%d+: " .. item.name .. ": call it with a colon: %a+:"
            .. item.name .. "%(%)", tostring(err), 1, item.path)
          seen = seen + 1
        end
      end
    end
    assert.is_true(seen > 400, seen .. " were called")
  end)

  it("outside of a runtime", function()
    local ended = momo.run(function() return momo.spawn(f) end)
    assert.equal("join: needs a runtime: call it inside momo.run(main), or run the file with the momo command",
      told_outside(function() ended:join() end))
    assert.same({ "done", "number", "" }, { ended:status(), type(ended:id()), ended:traceback() })
    ended:cancel()
    assert.equal("done", ended:status())
  end)
end)

describe("join", function()
  it("of oneself", function()
    assert.equal("join: a task can't join itself", told(function() momo.current():join() end))
  end)
end)

describe("sleep", function()
  it("of what is no duration", function()
    assert.equal("sleep: argument 1 must be a number of seconds, got nil", told(function() momo.time.sleep() end))
    assert.equal("sleep: argument 1 must be a number of seconds, got string",
      told(function() momo.time.sleep "0.5" end))
    assert.equal("sleep: argument 1 must be a number of seconds, got NaN", told(function() momo.time.sleep(0 / 0) end))
    assert.equal("sleep: argument 1 must not be negative, got -0.5", told(function() momo.time.sleep(-0.5) end))
  end)

  it("until a wall clock's time", function()
    local text = told(function() momo.time.sleep_until(os.time()) end)
    assert.matches("^sleep_until: %d+ years ahead; pass momo%.time%.now%(%) %+ seconds, not os%.time%(%)$", text)
  end)

  it("outside of a runtime, which is told first", function()
    assert.equal("sleep: needs a runtime: call it inside momo.run(main), or run the file with the momo command",
      told_outside(function() momo.time.sleep(1) end))
    assert.matches("^sleep: needs a runtime", told_outside(function() momo.time.sleep(-1) end))
  end)
end)

describe("suspending", function()
  local inside_wrap = "can't suspend inside coroutine.wrap; use momo.coroutine.wrap, through which it can, or make "
    .. "the coroutine a task with momo.spawn"
  local beneath = "can't suspend beneath a C function such as require, string.gsub, table.sort or __gc; call it "
    .. "before or after that function"

  it("inside coroutine.wrap", function()
    local function told_through(fn) -- wrap puts the place before the error a second time
      return (told(fn):gsub("^spec/house/mistakes_spec.lua:%d+: ", ""))
    end
    assert.equal("sleep: " .. inside_wrap,
      told_through(function() coroutine.wrap(function() momo.time.sleep(1) end)() end))
    assert.equal("yield_now: " .. inside_wrap,
      told_through(function() coroutine.wrap(function() momo.yield_now() end)() end))
    assert.equal("join: " .. inside_wrap,
      told_through(function() local t = momo.spawn(f) coroutine.wrap(function() t:join() end)() end))
  end)

  it("beneath string.gsub and table.sort", function()
    assert.equal("sleep: " .. beneath, told(function() ("x"):gsub("x", function() momo.time.sleep(1) end) end))
    assert.equal("yield_now: " .. beneath,
      told(function() table.sort({ 1, 2 }, function() momo.yield_now() end) end))
  end)

  it("beneath require", function()
    local err
    momo.run(function()
      package.preload["spec.sleeps"] = function() momo.time.sleep(1) end
      err = select(2, pcall(require, "spec.sleeps"))
    end)
    assert.matches("sleep: " .. beneath, err, 1, true)
    package.preload["spec.sleeps"], package.loaded["spec.sleeps"] = nil, nil
  end)
end)

describe("stop", function()
  it("outside of a runtime", function()
    assert.matches("^stop: needs a runtime: call it inside momo%.run%(main%)", told_outside(function() momo.stop() end))
  end)
end)

describe("a mistake", function()
  it("changes nothing: the runtime goes on", function()
    assert.equal("fine", momo.run(function()
      for _ = 1, 200 do
        pcall(momo.spawn, nil)
        pcall(momo.run, f)
        pcall(momo.time.sleep, -1)
        pcall(momo.current().join, nil)
        pcall(coroutine.wrap(momo.yield_now))
      end
      assert.equal(1, momo.metrics().tasks)
      momo.time.sleep(0.001)
      return "fine"
    end))
  end)
end)

describe("habits of elsewhere", function()
  it("a port as an argument of its own", function()
    local net = momo.net
    assert.equal('TcpListener.bind: the port is a part of the address; write "0.0.0.0:8080"',
      told(function() net.TcpListener.bind("0.0.0.0", 8080) end))
    assert.equal('UdpSocket.bind: the port is a part of the address; write "localhost:53"',
      told(function() net.UdpSocket.bind("localhost", 53) end))
    assert.equal('TcpStream.connect: the port is a part of the address; write "localhost:80"',
      told(function() net.TcpStream.connect("localhost", 80) end))
    assert.equal('TcpListener.bind: "8080" is no address; write "127.0.0.1:8080"',
      told(function() net.TcpListener.bind("8080", 5) end))
  end)

  it("a class called with a colon", function()
    assert.equal("TcpListener.bind: call it with a dot: TcpListener.bind(...)",
      told(function() momo.net.TcpListener:bind("127.0.0.1:0") end))
    assert.equal("UdpSocket.bind: call it with a dot: UdpSocket.bind(...)",
      told(function() momo.net.UdpSocket:bind("127.0.0.1:0") end))
  end)

  it("a for loop over an object", function()
    local tx, rx = momo.sync.channel(1)
    local far_tx, far_rx = momo.thread.channel(1)
    local stream = momo.net.UnixStream.pair()
    local wanted = {
      [rx] = "rx is no function: write for value in rx:iter() do",
      [far_rx] = "rx is no function: write for value in rx:iter() do",
      [stream] = "stream is no function: write for line in stream:lines() do",
      [momo.time.interval(1)] = "interval is no function: write while interval:tick() do",
    }
    for object, text in pairs(wanted) do
      assert.equal(text, told_outside(function() for _ in object do f() end end))
    end
    tx:close()
    far_tx:close()
    stream:close()
  end)

  it("one end of a channel taken for both", function()
    assert.equal("tx has no recv: its other end has it: local tx, rx = channel(...)",
      told(function() momo.sync.channel(1):recv() end))
    assert.equal("rx has no send: its other end has it: local tx, rx = channel(...)",
      told(function() select(2, momo.thread.channel(1)):send(1) end))
  end)

  it("files in place of modules, for threads, and names that are cut", function()
    local text = 'thread.spawn: %q is a file; write the name of a module, as for require: "%s"'
    assert.equal(text:format("worker.lua", "worker"), told(function() momo.thread.spawn "worker.lua" end))
    assert.equal(text:format("./app/worker.lua", "app.worker"),
      told(function() momo.thread.spawn "./app/worker.lua" end))
    assert.equal('thread.spawn: the name of a module must have no zero byte, got "worker\\0x"',
      told(function() momo.thread.spawn "worker\0x" end))
    assert.equal('spawn_blocking: "work.lua" is a file; write the name of a module, as for require: "work"',
      told(function() momo.spawn_blocking "work.lua" end))
  end)

  it("a command in one string, and a child's descriptors", function()
    assert.equal('run: argument 1 must be a table: {"command", "argument", ...}, or call momo.process.shell(text), '
      .. 'got "ls -l"', told(function() momo.process.run "ls -l" end))
    assert.equal('child has no write: write child.stdin:write(...), of a child spawned with stdin = "pipe"',
      told(function() momo.process.spawn { "true" }:write "x" end))
  end)

  it("several values in one write, and options beside a table that has them", function()
    momo.run(function()
      local here, there = momo.net.UnixStream.pair()
      local file = assert(momo.fs.open("/dev/null", "w"))
      assert.equal("write: it takes one value and a timeout; write { a, b } sends several pieces as one",
        told_outside(function() here:write("a", "b") end))
      assert.equal("write: it takes one value; for several write file:write(a .. b)",
        told_outside(function() file:write("a", "b") end))
      here:close()
      there:close()
      file:close()
    end)
    local text = 'run: the options stand in the table of the words: {"sort", "-n", timeout = 5}'
    assert.equal(text, told(function() momo.process.run({ "true" }, { timeout = 1 }) end))
    assert.equal(text:gsub("run", "spawn", 1), told(function() momo.process.spawn({ "true" }, { cwd = "/" }) end))
  end)

  it("patterns of other routers", function()
    local router = momo.http.Router()
    assert.equal('handle: the pattern "GET /users/:id" has ":id": a wildcard is written {id}',
      told(function() router:handle("GET /users/:id", f) end))
    assert.equal('handle: the pattern "/users/<id>/x" has "<id>": a wildcard is written {id}',
      told(function() router:handle("/users/<id>/x", f) end))
    assert.equal('handle: the pattern "/static/*" has "*": write {name}, or {name...} for all that follows',
      told(function() router:handle("/static/*", f) end))
  end)

  it("answers of other frameworks", function()
    local listener = assert(momo.run(function() return momo.net.TcpListener.bind "127.0.0.1:0" end))
    local function answered(handler)
      local text
      momo.run(function()
        local server = momo.spawn(momo.http.serve, listener, handler, { on_error = function(err) text = err end })
        assert.equal(500, assert(momo.http.get("http://" .. listener:local_addr())).status)
        server:cancel()
      end)
      listener = assert(momo.run(function() return momo.net.TcpListener.bind "127.0.0.1:0" end))
      return text:match "^[^\n]-:%d+: ([^\n]*)"
    end
    assert.equal("send: the status must be a whole number from 200 to 599, got string; write send(200, body), "
      .. "start(200), json(200, value)", answered(function(_, response) response:send "hello" end))
    assert.equal("send: the body must be a string or an array of strings, got a table with other keys; response:json "
      .. "sends one", answered(function(_, response) response:send(200, { a = 1 }) end))
    assert.equal("response.status tells what was answered, and can't be set: write send(status, body, headers)",
      answered(function(_, response) response.status = 404 end))
    assert.equal("write: it takes one value; for several write response:write { a, b }",
      answered(function(_, response)
        response:start(500)
        response:write("a", "b")
      end))
    assert.equal("response has no set_header: write response.headers[name] = value",
      answered(function(_, response) response:set_header("A", "b") end))
    listener:close()
  end)
end)

describe("a nil that a call has returned", function()
  local support = require "spec.support"

  local function hint_of(code)
    local status, _, stderr = support.momo(support.tmpfile(code))
    assert.equal(1, status)
    return stderr:match "^momo: [^\n]*a nil value%)?\n%((.-)%)\nstack"
  end

  it("is told with the call", function()
    local text = "%s in line %d has returned nil, and why as its second value: look at that, or write assert(%s(...))"
    assert.equal(text:format("momo.fs.open", 2, "momo.fs.open"), hint_of [[
      local momo = require "momo"
      local file = momo.fs.open "/nonexistent"
      print(file:read())
    ]])
    assert.equal(text:format("net.TcpStream.connect", 4, "net.TcpStream.connect"), hint_of [[
      local momo = require "momo"
      local net, stream = momo.net, nil
      local function greet() stream:write "hello" end
      stream = net.TcpStream.connect("127.0.0.1:1")
      greet()
    ]])
    assert.equal(text:format("momo.fs.open", 2, "momo.fs.open"), hint_of [[
      local momo = require "momo"
      if momo then local file = momo.fs.open "/nonexistent" print(file:read()) end
    ]])
    assert.equal(text:format("request:json", 2, "request:json"), hint_of [[
      local request = { json = function() return nil, "EPROTO: malformed JSON", "EPROTO" end }
      local value = request:json()
      print(value.name)
    ]])
    assert.equal('a child has it that was spawned with stdin = "pipe"', hint_of [[
      local child = require("momo").process.spawn { "true" }
      child.stdin:write "x"
    ]])
  end)

  it("is told with the call whose result has no name", function()
    local text = "%s in line 2 has returned nil, and why as its second value: look at that, or write assert(%s(...))"
    assert.equal(text:format("momo.fs.open", "momo.fs.open"), hint_of [[
      local momo = require "momo"
      print(momo.fs.open("/nonexistent", "r"):read())
    ]])
    assert.equal(text:format("momo.fs.read", "momo.fs.read"), hint_of [[
      local momo = require "momo"
      print(tostring(1) .. momo.fs.read "/nonexistent")
    ]])
    assert.is_nil(hint_of [[
      local momo, t = require "momo", {}
      print(momo.fs.read "/dev/null", t[1].x)
    ]])
  end)

  it("is not made up", function()
    assert.is_nil(hint_of [[
      local x = tostring
      x = nil
      x.y = 1
    ]])
    assert.is_nil(hint_of [[
      local momo = require "momo"
      local file = momo.fs.open "/dev/null"
      file = nil
      print(file.x)
    ]])
  end)
end)

describe("a value of another type than was thought", function()
  local support = require "spec.support"

  local function hint_of(code)
    local status, _, stderr = support.momo(support.tmpfile(code))
    assert.equal(1, status)
    return stderr:match "^momo: [^\n]* value%)?\n%((.-)%)\nstack"
  end

  it("is told", function()
    assert.equal("cookies is a function, which was not called: write cookies(...), or object:cookies(...) if it is a "
      .. "method", hint_of [[
        local request = { cookies = function() return {} end }
        print(request.cookies.session)
      ]])
    assert.equal("query is a field, and its value is a string: write object.query", hint_of [[
      local request = { query = "page=1" }
      print(request:query().page)
    ]])
    assert.equal("a request has params once a momo.http.Router has found its handler", hint_of [[
      local request = { path = "/" }
      print(request.params.id)
    ]])
    local text = "task:join in line %d returns true before what the task has returned: local ok, value = task:join()"
    assert.equal(text:format(2), hint_of [[
      local task = require("momo").spawn(function() return 1 end)
      print(1 + task:join())
    ]])
    assert.equal(text:format(2), hint_of [[
      local task = require("momo").spawn(function() return 1 end)
      local value = task:join()
      print(value + 1)
    ]])
  end)

  it("is told with the line in the traceback, too", function()
    local path = support.tmpfile "local x\nx.y = 1"
    local _, _, stderr = support.momo(path)
    assert.equal(("stack traceback:\n\t%s:2: in main chunk"):format(path), stderr:match "stack traceback:\n[^\n]+")
  end)
end)

describe("an option of another function", function()
  local cases = {
    [function() momo.http.get("https://localhost/", { ca = "ca.pem" }) end] =
      'request: there is no option "ca": write tls = momo.tls.client { ca = ..., verify = ... }',
    [function() momo.http.Client { verify = false } end] =
      'Client: there is no option "verify": write tls = momo.tls.client { ca = ..., verify = ... }',
    [function() momo.http.post("http://localhost/", nil, { json = {} }) end] = 'request: there is no option "json": '
      .. 'write body = cjson.encode(value), headers = { ["Content-Type"] = "application/json" }',
    [function() momo.http.post("http://localhost/", "x", { ["Content-Type"] = "text/plain" }) end] =
      'request: there is no option "Content-Type": fields stand in headers = { ... }',
    [function() momo.http.serve("127.0.0.1:0", print, { cert = "cert.pem" }) end] =
      'serve: there is no option "cert": write tls = momo.tls.server { cert = ..., key = ... }',
    [function() momo.tls.client { rejectUnauthorized = false } end] =
      'tls.client: there is no option "rejectUnauthorized": write verify = false',
    [function() momo.http.serve("127.0.0.1", 8080, print) end] =
      'serve: the port is a part of the address; write "127.0.0.1:8080"',
    [function() momo.tls.connect("localhost", 8443) end] =
      'tls.connect: the port is a part of the address; write "localhost:8443"',
    [function() momo.io.copy({ read = print }, io.stdout) end] =
      "copy: argument 2 must be a stream, and is a file of Lua's io; momo.fs.open opens one",
    [function() momo.time.timeout(1, f()) end] =
      "timeout: argument 2 must be a function, got nil (write timeout(1, f, x), not timeout(1, f(x)))",
  }
  for mistake, text in pairs(cases) do
    it("is told: " .. text, function()
      assert.equal(text, told(mistake))
    end)
  end
end)
