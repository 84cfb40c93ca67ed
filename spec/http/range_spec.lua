local random = require "spec.support.random"
local range = require "momo.http.range"

describe("a range", function()
  -- of ten bytes
  for header, expected in pairs {
    ["bytes=0-4"] = "0 4", ["bytes=2-"] = "2 9", ["bytes=-5"] = "5 9", ["bytes=3-7"] = "3 7", ["bytes=0-0"] = "0 0",
    ["bytes=9-9"] = "9 9", ["bytes=5-1000"] = "5 9", ["bytes=-1000"] = "0 9", ["bytes=0-"] = "0 9",
    ["BYTES=1-2"] = "1 2", ["bytes= 1-2 "] = "1 2", ["bytes=,1-2"] = "1 2", ["bytes=1-2,"] = "1 2",
    ["bytes=0-99999999999999999999999999"] = "0 9", ["bytes=-99999999999999999999999"] = "0 9",
    ["bytes=007-08"] = "7 8", ["bytes=0-9"] = "0 9", ["bytes=0-10"] = "0 9", ["bytes=-10"] = "0 9",
    ["bytes=-11"] = "0 9",
    ["bytes=9-10"] = "9 9", ["bytes=9-"] = "9 9", ["bytes=-1"] = "9 9", ["bytes= , ,4-5, ,"] = "4 5",
    ["bytes=10-10"] = "false", ["bytes=11-12"] = "false", ["bytes=-00"] = "false",
    ["bytes=10-"] = "false", ["bytes=10-20"] = "false", ["bytes=-0"] = "false",
    ["bytes=99999999999999999999999999-"] = "false",
    -- malformed, of another unit, or several: the whole
    [""] = "nil", ["bytes"] = "nil", ["bytes="] = "nil", ["bytes=-"] = "nil", ["bytes=5"] = "nil",
    ["bytes=5-4"] = "nil",
    ["bytes=a-b"] = "nil", ["bytes=1 -2"] = "nil", ["bytes=1- 2"] = "nil", ["bytes=--2"] = "nil",
    ["bytes=1-2-3"] = "nil",
    ["bytes=+1-2"] = "nil", ["bytes=0x1-2"] = "nil", ["bytes=1.0-2"] = "nil", ["bytes=0-1,3-4"] = "nil",
    ["bytes=0-1, -1"] = "nil", ["bytes =0-1"] = "nil", ["items=0-1"] = "nil", ["0-1"] = "nil",
    ["bytes=20-10"] = "nil", ["bytes=10-9"] = "nil", ["bytes=x-"] = "nil", ["bytes=x- "] = "nil", ["bytes= -x"] = "nil",
    ["bytes=3-x"] = "nil", ["bytes=   "] = "nil", ["bytes= , ,  "] = "nil", ["bytes=1  -2"] = "nil",
    ["bytes=some-thing, else"] = "nil", ["bytes=0-2,6-3"] = "nil", ["bytes=2-5,4-"] = "nil", ["bytes=-2 , 7-"] = "nil",
    ["bytes=20-,0-3"] = "nil", ["bytes=0-0,-1"] = "nil", ["bytes=--1,2--3"] = "nil", ["bytes=0-,1-,2-,3-"] = "nil",
    ["bytes:0-1"] = "nil", ["bytes 0-1"] = "nil", ["bytes=0-1;x"] = "nil", ["bytes=0\0-1"] = "nil",
  } do
    it(("%q is %s"):format(header, expected), function()
      local first, last = range.parse(header, 10)
      assert.equal(expected, first and first .. " " .. last or tostring(first))
    end)
  end

  it("may be absent", function()
    assert.is_nil(range.parse(nil, 10))
  end)

  it("of nothing is the whole, as some clients ask for one each time", function()
    assert.is_nil(range.parse("bytes=0-99", 0))
    for _, set in ipairs { "0-", "1-", "-1", "-0", "0-0", "", "x", "2-1" } do
      assert.is_nil(range.parse("bytes=" .. set, 0))
    end
  end)

  it("has the bytes that it names", function()
    local next_random = random.of(8)
    for _ = 1, 5000 do
      local size, from, to = 1 + next_random(6), next_random(9), next_random(9)
      local kind = next_random(3)
      local wanted = {} -- each byte is asked for by itself
      for offset = 0, size - 1 do
        local inside = offset >= from and (kind == 1 or offset <= to)
        if kind == 2 then
          inside = offset >= size - from
        end
        wanted[#wanted + 1] = inside and offset or nil
      end
      local header = kind == 0 and from .. "-" .. to or kind == 1 and from .. "-" or "-" .. from
      local first, last = range.parse("bytes=" .. header, size)
      if kind == 0 and to < from then
        assert.is_nil(first)
      elseif #wanted == 0 then
        assert.is_false(first)
      else
        assert.equal(wanted[1], first)
        assert.equal(wanted[#wanted], last)
      end
    end
  end)
end)

describe("If-Range", function()
  local MODIFIED = 784111777.5
  for _, row in ipairs {
    { nil, '"x"', true },
    { '"x"', '"x"', true }, { '"x"', '"y"', false }, { '"x"', nil, false },
    { 'W/"x"', 'W/"x"', false }, { 'W/"x"', '"x"', false }, { '"x"', 'W/"x"', false },
    { "Sun, 06 Nov 1994 08:49:37 GMT", nil, true }, { "Sun Nov  6 08:49:37 1994", nil, true },
    { "Sun, 06 Nov 1994 08:49:38 GMT", nil, false }, { "Sun, 06 Nov 1994 08:49:36 GMT", nil, false },
    { "x", nil, false }, { "", nil, false },
  } do
    it(("%s lets a range of %s be served: %s"):format(tostring(row[1]), tostring(row[2]), tostring(row[3])), function()
      assert.equal(row[3], range.applies(row[1], row[2], MODIFIED))
    end)
  end

  it("with a date means nothing where no date is known", function()
    assert.is_false(range.applies("Sun, 06 Nov 1994 08:49:37 GMT", '"x"', nil))
  end)
end)
