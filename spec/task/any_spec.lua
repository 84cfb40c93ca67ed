local momo = require "momo"
local virtual = require "spec.support.virtual"

local any, now, sleep = momo.any, momo.time.now, momo.time.sleep
local on = virtual.on

local function after(seconds, ...)
  local results = { n = select("#", ...), ... }
  return function()
    sleep(seconds)
    return unpack(results, 1, results.n)
  end
end

local function failing(seconds, err)
  return function()
    sleep(seconds)
    error(err, 0)
  end
end

describe("momo.any", function()
  it("returns the first success, and the others are cancelled and have ended", on(function()
    local cleaned = 0
    local function slow()
      momo.scope(function(scope)
        scope:defer(function() cleaned = cleaned + 1 end)
        sleep(100)
      end)
    end
    assert.same({ 2, "won", nil, 3 }, { any { slow, after(1, "won", nil, 3), slow } })
    assert.same({ 2, 1 }, { cleaned, now() })
  end))

  it("passes over failures, raised or returned", on(function()
    assert.same({ 4, true }, { any {
      failing(1, "raised"), after(1, nil, "ECONNREFUSED: connection refused", "ECONNREFUSED"), after(1, false, "no"),
      after(2, true),
    } })
  end))

  it("takes a function for a success that returns nothing, or nil or false alone", on(function()
    assert.same({ 1 }, { any { after(0) } })
    assert.same({ 1, nil }, { any { after(0, nil) } })
    assert.same({ 1, false }, { any { after(0, false) } })
  end))

  it("returns all errors when all have failed", on(function()
    local object = setmetatable({}, { __tostring = function() return "an object" end })
    local index, err, errors = any { failing(2, object), after(1, nil, "EOF: end of file", "EOF"), failing(0, "text") }
    assert.is_nil(index)
    assert.equal("none of them has succeeded:\n  1: an object\n  2: EOF: end of file\n  3: text", err)
    assert.same({ object, "EOF: end of file", "text" }, errors)
    assert.equal(2, now())
  end))

  it("is cancelled as a whole", on(function()
    local heard = 0
    local function slow()
      local ok, err = pcall(sleep, 100)
      heard = heard + 1
      if not ok then error(err, 0) end
    end
    assert.same({ nil, "ETIMEDOUT: not done within 1 s", "ETIMEDOUT" }, { momo.time.timeout(1, any, { slow, slow }) })
    assert.equal(2, heard)
  end))

  it("says what is wrong with a call", on(function()
    for text, call in pairs {
      ["any: argument 1 must be an array of functions, got nil"] = function() any() end,
      ["any: argument 1 must be an array of functions, with one at least, got table"] = function() any {} end,
      ["any: entry 2 must be a function, got 5"] = function() any { print, 5 } end,
    } do
      local ok, err = pcall(call)
      assert.is_false(ok)
      assert.matches(text, err, 1, true)
    end
  end))
end)
