local momo = require "momo"
local tcp = require "spec.support.tcp"

local run, pair = tcp.run, tcp.pair

local nothing = nil -- where an array gets a hole

describe("what is written", function()
  after_each(tcp.check_nothing_left)

  local function sent(data)
    local text
    run(function()
      local one, other = pair()
      local bytes = assert(one:write(data))
      one:close()
      text = bytes > 0 and other:read_exact(bytes) or ""
      assert.equal(bytes, #text)
      tcp.assert_failed("EOF", other:read())
      other:close()
    end)
    return text
  end

  local function refused(data)
    local err
    run(function()
      local one, other = pair()
      local ok, problem = pcall(one.write, one, data)
      assert.is_false(ok)
      err = problem
      assert.equal(4, one:write "next") -- it was refused as a whole, and nothing is broken
      assert.equal("next", other:read())
      one:close()
      other:close()
    end)
    return err
  end

  it("may have numbers, as io.write has them", function()
    local numbers = { 0, -0.0, 1, -1, 12345678901, 2 ^ 53, 1 / 3, 1e100, 1e-100, 5e-324, 0.1, 1e15, 1e14, 123456.789,
      1 / 0, -1 / 0, 0 / 0, -(0 / 0), -1.7976931348623157e308 }
    for _, number in ipairs(numbers) do
      assert.equal(tostring(number), sent(number))
      assert.equal("[" .. tostring(number) .. "]", sent { "[", number, "]" })
    end
    assert.equal(table.concat(numbers, " "), sent { table.concat(numbers, " ", 1, 3), " ",
      table.concat(numbers, " ", 4) })
    assert.equal("12", sent { 1, 2 })
  end)

  it("has a point in its numbers, whatever the locale", function()
    local before = os.setlocale(nil, "numeric")
    finally(function() os.setlocale(before, "numeric") end)
    for _, locale in ipairs { "de_DE.UTF-8", "fr_FR.UTF-8", "ps_AF.UTF-8", "C" } do
      os.setlocale(locale, "numeric") -- where the system has it
      assert.equal("1.5 -2.5e+20", sent { 1.5, " ", -2.5e20 })
    end
  end)

  it("may be thousands of numbers, in parts of any size", function()
    run(function()
      local one, other = tcp.narrow_pair()
      local pieces = {}
      for i = 1, 200000 do
        pieces[i] = i % 3 == 0 and i / 7 or i % 3 == 1 and i or "text"
      end
      local whole = table.concat(pieces)
      local writer = momo.spawn(function() return one:write(pieces) end)
      assert.is_true(other:read_exact(#whole) == whole)
      assert.equal(#whole, select(2, writer:join()))
      assert.equal("number", type(pieces[1])) -- it is still the caller's array
      one:close()
      other:close()
    end)
  end)

  it("has no holes, wherever # may be then", function()
    for _, data in ipairs {
      { "Hello, ", nothing, "!\n" },
      { "Hello, ", nothing, "!\n", nothing },
      { "Hello, ", nothing, "!\n", nothing, nothing },
      { "a", nothing, nothing, "d" },
    } do
      assert.matches("write: piece 2 is nil, and there is a piece %d: an array has no holes", refused(data))
    end
    assert.matches("piece 1 is nil, and there is a piece 2:", refused { nothing, "b" }, 1, true)
    assert.matches("piece 2 is nil, and there is a piece 1000:", refused { "a", [1000] = "b" }, 1, true)
    local late = {}
    for i = 1, 70000 do
      late[i] = "x"
    end
    late[69999] = nil -- behind the pieces that are looked at in one turn
    assert.matches("piece 69999 is nil, and there is a piece 70000:", refused(late), 1, true)
  end)

  it("has no other keys", function()
    assert.matches("write: the pieces must be an array of strings, got a table with the key name",
      refused { "a", name = "b" }, 1, true)
    assert.matches("got a table with the key 1.5", refused { "a", [1.5] = "b" }, 1, true)
    assert.matches("got a table with the key 0", refused { "a", [0] = "b" }, 1, true)
    assert.matches("got a table with the key -1", refused { [-1] = "b" }, 1, true)
    assert.matches("got a table with the key table", refused { [{}] = "b" }, 1, true)
  end)

  it("may be an array whose places were filled in any order", function()
    local backwards = {}
    for i = 9, 1, -1 do
      backwards[i] = tostring(i)
    end
    assert.equal("123456789", sent(backwards))
    local cleared = { "a", "b", "c", x = 1, y = 2 }
    cleared.x, cleared.y = nil, nil
    assert.equal("abc", sent(cleared))
  end)
end)

describe("an array", function()
  local two = { function() return 1 end, nothing, function() return 3 end, nothing }

  it("of functions has no holes", function()
    run(function()
      for _, name in ipairs { "all", "race" } do
        local ok, err = pcall(momo[name], two)
        assert.is_false(ok)
        assert.matches(name .. ": argument 1 must be an array of functions, and entry 2 of this one is nil, before "
          .. "entry 3", err, 1, true)
        ok, err = pcall(momo[name], { print, all = print })
        assert.is_false(ok)
        assert.matches(name .. ': argument 1 must be an array of functions, got a table with the key "all"', err, 1,
          true)
      end
    end)
  end)

  it("of an option has no holes", function()
    local function check(what, fn, ...)
      local ok, err = pcall(fn, ...)
      assert.is_false(ok)
      assert.matches(what, err, 1, true)
    end
    local tls, http, holes = momo.tls, momo.http, { "a", nothing, "c", nothing }
    check("alpn must be an array of strings of 1 to 255 bytes, and entry 2 of this one is nil", tls.client,
      { alpn = holes })
    check("ca must be a path, PEM text or an array of both, and entry 2 of this one is nil", tls.client, { ca = holes })
    check("tls.self_signed: argument 1 must be an array of names, and entry 2", tls.self_signed, holes)
    check("proxy: argument 1 must be a URL, or an array of URLs, and entry 2", http.proxy, holes)
    check("compressed: option codings must be an array, and entry 2", http.compressed, print, { codings = holes })
  end)
end)
