local momo = require "momo"
local support = require "spec.support"
local virtual = require "spec.support.virtual"

local on = virtual.on

local function locals()
  return momo.current().locals
end

describe("task-local values", function()
  it("are a table of the task's own, the same each time", on(function()
    locals().name = "value"
    momo.yield_now()
    assert.equal("value", locals().name)
    assert.equal(locals(), momo.current().locals)
  end))

  it("that a finalizer sets while the task is named stay", on(function()
    local task = momo.spawn(momo.time.sleep, 1)
    collectgarbage()
    collectgarbage "stop"
    getmetatable(newproxy(true)).__gc = function() task.locals.seen = true end
    collectgarbage("setstepmul", 1e7) -- whatever allocates next collects all
    collectgarbage "restart"
    task:set_name "named"
    collectgarbage("setstepmul", 200)
    assert.is_true(task.locals.seen)
    assert.matches("'named'", tostring(task), 1, true)
  end))

  it("are seen by the functions that the task calls, in its coroutines and scopes too", on(function()
    locals().request = 7
    local seen = {}
    momo.coroutine.wrap(function() seen[1] = locals().request end)()
    momo.scope(function() seen[2] = locals().request end)
    momo.time.timeout(1, function() seen[3] = locals().request end)
    assert.same({ 7, 7, 7 }, seen)
  end))

  it("are inherited as a copy by what the task spawns from then on", on(function()
    local early = momo.spawn(function() return locals().key end)
    locals().key = "parent"
    local child = momo.spawn(function()
      local before = locals().key
      locals().key = "child"
      return before, (select(2, momo.spawn(function() return locals().key end):join()))
    end)
    locals().key = "changed"
    assert.same({ true, "parent", "child" }, { child:join() })
    assert.equal("changed", locals().key)
    assert.same({ true, nil }, { early:join() })
  end))

  it("are inherited by a scope's children, and those of race and all", on(function()
    locals().key = "inherited"
    local function get() return locals().key end
    momo.scope(function(scope)
      assert.same({ true, "inherited" }, { scope:spawn(get):join() })
    end)
    assert.same({ 1, "inherited" }, { momo.race { get } })
    assert.equal("inherited", momo.all({ get })[1])
  end))

  it("of one task are nothing to its siblings", on(function()
    local one = momo.spawn(function()
      locals().key = 1
      momo.yield_now()
      return locals().key
    end)
    local other = momo.spawn(function()
      momo.yield_now()
      return locals().key
    end)
    assert.same({ true, 1 }, { one:join() })
    assert.is_nil(select(2, other:join()))
  end))

  it("are not those of the task that had the place before", on(function()
    for _ = 1, 5 do
      local task = momo.spawn(function()
        local before = next(locals())
        locals().left = "over"
        return before
      end)
      assert.is_nil(select(2, task:join()))
    end
  end))

  it("may be read and written from outside, also after the end", on(function()
    local task = momo.spawn(function()
      momo.yield_now()
      return locals().given
    end)
    task.locals.given = "from outside"
    assert.same({ true, "from outside" }, { task:join() })
    assert.equal("from outside", task.locals.given)
    task.locals.given = "later"
    assert.same({ true, "from outside" }, { task:join() })
  end))

  it("are kept no longer than the task and its handle", on(function()
    local weak = setmetatable({}, { __mode = "v" })
    local function leave()
      momo.spawn(function()
        weak[1] = {}
        locals().value = weak[1]
      end):join()
    end
    leave()
    collectgarbage()
    collectgarbage()
    assert.is_nil(weak[1])
  end))
end)

describe("set_name", function()
  it("shows the name in the task's text", on(function()
    local task = momo.current()
    task:set_name "listener"
    assert.matches("^momo.Task %d+ 'listener' %(running%)$", tostring(task))
    task:set_name "other"
    assert.matches("'other'", tostring(task))
  end))

  it("shows it in the report of a failure nobody joined", function()
    local _, _, stderr = support.luajit [[
      local momo = require "momo"
      momo.run(function()
        momo.spawn(function()
          momo.current():set_name "the culprit"
          error "oh no"
        end)
      end)
    ]]
    assert.matches("the culprit", stderr)
    assert.matches("app.lua:5: oh no", stderr)
  end)

  it("shows it in the list of a deadlock, with what the task waits for and where", function()
    local ok, err = pcall(momo.run, function()
      momo.current():set_name "the patient one"
      select(2, momo.sync.channel()):recv()
    end)
    assert.is_false(ok)
    assert.matches("'the patient one' in recv at [^\n]*locals_spec.lua:%d+", err)
  end)

  it("names the task in an error that passes through a scope, or through join", function()
    local function fail()
      momo.current():set_name "the child"
      momo.yield_now()
      error "failed"
    end
    for _, main in ipairs {
      function() momo.scope(function(scope) scope:spawn(fail) end) end,
      function() momo.race { fail } end,
      function() momo.all { fail } end,
      function() error(select(2, momo.spawn(fail):join()), 0) end,
    } do
      local ok, err = pcall(momo.run, main)
      assert.is_false(ok)
      assert.matches("locals_spec.lua:%d+: failed\n.*task %d+ 'the child'\n.*in function 'error'", err)
    end
  end)

  it("takes a string, on a task", on(function()
    assert.equal("app.lua:1: set_name: argument 1 must be a string without a zero byte, got 5",
      virtual.mistake "momo.current():set_name(5)")
    assert.equal("app.lua:1: set_name: call it with a colon: task:set_name()",
      virtual.mistake "momo.current().set_name('x')")
    assert.equal("app.lua:1: join: call it with a colon: task:join()", virtual.mistake "momo.current().join()")
  end))
end)
