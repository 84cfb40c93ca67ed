local momo = require "momo"
local tcp = require "spec.support.tcp"

local config = { port = 8080 }

-- What line 2 of app.lua is told in a run.
local function mistake(code)
  local program = assert(loadstring("local momo = ...\n" .. code .. "\nreturn 0", "=app.lua"))
  local ok, err
  tcp.run(function()
    ok, err = pcall(program, momo)
  end)
  assert(not ok, "nothing was thrown by: " .. code)
  return err
end

local MISTAKES = {
  [ [[momo.thread.spawn(5)]] ] = "thread.spawn: needs a function or the name of a module, got 5",
  [ [[momo.thread.spawn()]] ] = "thread.spawn: needs a function or the name of a module, got nil",
  [ [[momo.thread.spawn({}, {})]] ] = "thread.spawn: needs a function or the name of a module, got table",
  [ [[momo.thread.spawn(print)]] ] =
    "thread.spawn: a C function can't be copied to another thread; wrap it in a Lua function",
  [ [[momo.thread.spawn({nme = "x"}, function() end)]] ] = [[thread.spawn: there is no option "nme"]],
  [ [[momo.thread.spawn({name = 5}, function() end)]] ] = "thread.spawn: option name must be a string, got 5",
  [ [[momo.thread.spawn({cpu = "0"}, function() end)]] ] = [[thread.spawn: option cpu must be a number, got "0"]],
  [ [[momo.thread.spawn({cpu = -1}, function() end)]] ] =
    "thread.spawn: option cpu must be the number of a CPU, got -1",
  [ [[momo.thread.spawn({cpu = 0.5}, function() end)]] ] =
    "thread.spawn: option cpu must be the number of a CPU, got 0.5",
  [ [[momo.thread.pin()]] ] = "thread.pin: argument 1 must be the number of a CPU, got nil",
  [ [[momo.thread.pin(-1)]] ] = "thread.pin: argument 1 must be the number of a CPU, got -1",
  [ [[momo.thread.spawn(function() end, print)]] ] = "thread.spawn: the function's argument 1 is a function",
  [ [[momo.thread.spawn(function() end, 1, {x = {2, {y = print}}})]] ] =
    "thread.spawn: the function's argument 2.x[2].y is a function",
  [ [[momo.thread.spawn(function() end, {[print] = 1})]] ] =
    "thread.spawn: the function's argument 1[function] is a function",
  [ [[momo.thread.spawn(function() end, nil, coroutine.create(print))]] ] =
    "thread.spawn: the function's argument 2 is a thread",
  [ [[momo.thread.spawn(function() end, io.stdout)]] ] = "thread.spawn: the function's argument 1 is a userdata",
  [ [[momo.thread.spawn(function() end, {1i})]] ] = "thread.spawn: the function's argument 1[1] is a cdata",
  [ [[momo.thread.spawn(function() end, momo.current())]] ] =
    "thread.spawn: the function's argument 1 is a momo.Task, which belongs to its thread",
  [ [[momo.thread.spawn(function() end, (momo.sync.channel()))]] ] = "thread.spawn: the function's argument 1 is a "
    .. "momo.Sender, which belongs to its thread; momo.thread.channel makes those that can be given away",
  [ [[local tx = momo.thread.channel(1) for _ = 1, 2 do momo.thread.spawn(function() end, {tx}) end]] ] =
    "thread.spawn: the function's argument 1[1] is the end of a channel that was closed or given away; tx:clone() "
    .. "makes another sender",
  [ [[momo.thread:spawn(function() end)]] ] = "thread.spawn: call it with a dot: thread.spawn(...)",
  [ [[local x = 5 momo.thread.spawn(function() return x end)]] ] =
    "thread.spawn: the function at app.lua:2 uses the upvalue 'x'; a thread has a Lua state of its own: "
    .. "pass it as an argument",
  [ [[local sleep = momo.time.sleep momo.thread.spawn(function() return momo, sleep end)]] ] =
    "thread.spawn: the function at app.lua:2 uses the upvalue 'sleep'; a thread has a Lua state of its own: "
    .. "define the function inside, or in a module",
  [ [[local x momo.thread.spawn(function() x = 1 end)]] ] =
    "thread.spawn: the function at app.lua:2 uses the upvalue 'x'; a thread has a Lua state of its own: "
    .. "pass it as an argument",
  [ [[local t = momo.thread.spawn(function() end) t.join()]] ] = "join: call it with a colon: thread:join()",
  [ [[momo.thread.spawn(function() end).join(momo.current())]] ] = "join: call it with a colon: thread:join()",
}

describe("a mistake with a thread is told at the caller's line:", function()
  after_each(tcp.check_nothing_left)

  for code, message in pairs(MISTAKES) do
    it(code, function()
      message = "app.lua:2: " .. message
      assert.equal(message, mistake(code):sub(1, #message))
    end)
  end

  it("outside of a run", function()
    local program = assert(loadstring([[require("momo").thread.spawn(function() end) return 0]], "=app.lua"))
    local ok, err = pcall(program)
    assert.is_false(ok)
    assert.equal("app.lua:1: thread.spawn: needs a runtime: call it inside momo.run(main), "
      .. "or run the file with the momo command", err)
  end)
end)

describe("the function of a thread", function()
  after_each(tcp.check_nothing_left)

  it("may have modules as upvalues: they are required again there", function()
    tcp.run(function()
      local net, text, jit_library = momo.net, string, jit
      local ok, same, upper, version, is_table = assert(momo.thread.spawn(function()
        return rawequal(net, require("momo").net), text.upper "x", jit_library.version, type(momo) == "table"
      end)):join()
      assert.same({ true, true, "X", jit.version, true }, { ok, same, upper, version, is_table })
    end)
  end)

  it("may not have a table that is no module as an upvalue", function()
    tcp.run(function()
      local ok, err = pcall(momo.thread.spawn, function() return config end)
      assert.is_false(ok)
      assert.matches("uses the upvalue 'config'", err, 1, true)
    end)
  end)

  it("can't return what can't be copied", function()
    tcp.run(function()
      local function join(fn)
        return assert(momo.thread.spawn(fn)):join()
      end
      local why = ", and can't be copied to another thread"
      local function assert_failed(text, ok, err)
        assert.is_false(ok)
        assert.matches(text .. why, err, 1, true)
      end
      assert_failed("result 1 is a function", join(function() return print end))
      assert_failed("result 2.list[3] is a function", join(function() return 1, { list = { 1, 2, print } } end))
      assert_failed("is a momo.Task, which belongs to its thread",
        join(function() return require("momo").current() end))
      assert_failed("is a function", join(function() error { callback = print } end))
    end)
  end)
end)

describe("the module of a thread", function()
  after_each(tcp.check_nothing_left)

  it("must be there", function()
    tcp.run(function()
      local ok, err = assert(momo.thread.spawn "no.such.module"):join()
      assert.is_false(ok)
      assert.matches("module 'no.such.module' not found", err, 1, true)
    end)
  end)

  it("must return a function", function()
    tcp.run(function()
      local ok, err = assert(momo.thread.spawn "string"):join()
      assert.is_false(ok)
      assert.matches([[thread.spawn: module "string" must return a function, and returned a table]], err, 1, true)
    end)
  end)
end)
