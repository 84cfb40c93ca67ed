local form = require "momo.http.form"
local random = require "spec.support.random"

describe("a form", function()
  for text, args in pairs {
    [""] = {},
    ["&&"] = {},
    ["a=1"] = { a = "1", ["a[]"] = { "1" } },
    ["a=1&b=2&a=3"] = { a = "1", ["a[]"] = { "1", "3" }, b = "2", ["b[]"] = { "2" } },
    ["a"] = { a = "", ["a[]"] = { "" } },
    ["=x"] = { [""] = "x", ["[]"] = { "x" } },
    ["a=b=c"] = { a = "b=c", ["a[]"] = { "b=c" } },
    ["a+b=c+d%2B"] = { ["a b"] = "c d+", ["a b[]"] = { "c d+" } },
    ["%C3%BC=%26%3d"] = { ["ü"] = "&=", ["ü[]"] = { "&=" } },
    ["a=%&b=%zz&c=%4"] = { a = "%", ["a[]"] = { "%" }, b = "%zz", ["b[]"] = { "%zz" }, c = "%4", ["c[]"] = { "%4" } },
    ["a;b=1"] = { ["a;b"] = "1", ["a;b[]"] = { "1" } },
    -- what is named x[] can't change the type of x
    ["a[]=1&a[]=2"] = { ["a[]"] = { "1", "2" } },
    ["a=0&a%5B%5D=1"] = { a = "0", ["a[]"] = { "0", "1" } },
    ["a[][]=1"] = { ["a[][]"] = { "1" } },
  } do
    it(("is read: %q"):format(text), function()
      assert.same(args, form.decode(text))
    end)
  end

  it("has one type for each key, whatever came", function()
    local next_random = random.of(5)
    for _ = 1, 5000 do
      local args = form.decode(random.text(next_random, { "a", "[]", "=", "&", "%5B%5D", "b", "[", "]" }, 12))
      for key, value in pairs(args) do
        assert.equal(key:sub(-2) == "[]" and "table" or "string", type(value))
      end
    end
  end)

  it("has a limit on its fields", function()
    assert.is_table(form.decode("a&b&&&c", 3))
    local args, err, code = form.decode("a&b&c&d", 3)
    assert.is_nil(args)
    assert.equal("EMSGSIZE: a form has more than 3 fields", err)
    assert.equal("EMSGSIZE", code)
  end)

  it("is written in the order of its names", function()
    assert.equal("", form.encode {})
    assert.equal("a=1&b=x+y&c=true&d=1&d=2&%C3%BC=%26%3D%25%2B",
      form.encode { b = "x y", a = 1, ["ü"] = "&=%+", c = true, d = { 1, 2 }, e = {} })
  end)

  it("that is written and read again stays what it is", function()
    local next_random = random.of(6)
    for _ = 1, 2000 do
      local args = {}
      for _ = 1, next_random(4) do
        local bytes = {}
        for i = 1, next_random(8) do
          bytes[i] = string.char(next_random(256))
        end
        local name = table.concat(bytes)
        args[name] = name:reverse()
      end
      local again = form.decode(form.encode(args))
      for name, value in pairs(args) do
        assert.equal(value, name:sub(-2) == "[]" and again[name][1] or again[name])
      end
    end
  end)
end)
