local percent = require "momo.http.percent"
local random = require "spec.support.random"

describe("percent coding", function()
  it("keeps letters, digits and -._~, and codes each other byte", function()
    assert.equal("az-AZ_09.~", percent.encode "az-AZ_09.~")
    assert.equal("%20%25%2F%3F%00%C3%BC%FF", percent.encode " %/?\0ü\255")
    assert.equal("a/b%20c", percent.encode("a/b c", "[^%w/]"))
  end)

  it("decodes digits of either case, once", function()
    assert.equal("a b/ü", percent.decode "a%20b%2f%c3%Bc")
    assert.equal("%41", percent.decode "%2541")
    assert.equal("\0", percent.decode "%00")
    assert.equal("+", percent.decode "+")
  end)

  for _, text in ipairs { "%", "a%", "%4", "%zz", "%4z", "%z4", "%%41", "%41%", "%0x41", "% 41" } do
    it(("refuses %q, unless it is lenient"):format(text), function()
      assert.is_nil(percent.decode(text))
      assert.is_false(percent.is_valid(text))
      assert.equal((text:gsub("%%41", "A")), percent.decode_leniently(text))
    end)
  end

  it("gives back what it was given", function()
    local next_random = random.of(1)
    for _ = 1, 2000 do
      local bytes = {}
      for i = 1, next_random(20) do
        bytes[i] = string.char(next_random(256))
      end
      local text = table.concat(bytes)
      assert.equal(text, percent.decode(percent.encode(text)))
      assert.equal(text, percent.decode_leniently(percent.encode(text)))
    end
  end)
end)

describe("dot segments", function()
  -- Takes the path apart, which is slow and plain.
  local function oracle(path)
    for segment in (path .. "/"):gmatch "([^/]*)/" do
      if segment == "." or segment == ".." then
        return true
      end
    end
    return false
  end

  it("are found wherever they stand", function()
    local next_random, found = random.of(2), 0
    for _ = 1, 20000 do
      local path = random.text(next_random, { ".", "/", "a" }, 7)
      assert.equal(oracle(path), percent.has_dots(path), path)
      found = found + (oracle(path) and 1 or 0)
    end
    assert.is_true(found > 1000 and found < 19000)
  end)
end)
