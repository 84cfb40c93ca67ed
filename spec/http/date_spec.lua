local date = require "momo.http.date"
local random = require "spec.support.random"

local NOW = 1700000000 -- in 2023

describe("a date", function()
  for text, seconds in pairs {
    ["Sun, 06 Nov 1994 08:49:37 GMT"] = 784111777,
    ["Sunday, 06-Nov-94 08:49:37 GMT"] = 784111777,
    ["Sun Nov  6 08:49:37 1994"] = 784111777,
    ["Sun Nov 16 08:49:37 1994"] = 784975777,
    ["Thu, 01 Jan 1970 00:00:00 GMT"] = 0,
    ["Fri, 31 Dec 9999 23:59:59 GMT"] = date.END - 1,
    ["Sat, 31 Dec 2016 23:59:60 GMT"] = 1483228800, -- a leap second
    ["Thu, 29 Feb 2024 00:00:00 GMT"] = 1709164800,
    ["Sunday, 06-Nov-73 00:00:00 GMT"] = 3277152000, -- 50 years ahead
    ["Sunday, 06-Nov-74 00:00:00 GMT"] = 152928000, -- more than that
  } do
    it("is read: " .. text, function()
      assert.equal(seconds, date.parse(text, NOW))
    end)
  end

  for _, text in ipairs {
    "", "0", "784111777", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC",
    "Sun, 06 Nov 1994 08:49:37 +0000",
    "sun, 06 nov 1994 08:49:37 gmt", "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 94 08:49:37 GMT",
    "Sun,  06 Nov 1994 08:49:37 GMT", " Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT ",
    "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:00 GMT", "Sun, 06 Nov 1994 08:49:61 GMT",
    "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 31 Nov 1994 08:49:37 GMT", "Sun, 29 Feb 1900 08:49:37 GMT",
    "Sun, 29 Feb 2023 08:49:37 GMT", "Xxx, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Xxx 1994 08:49:37 GMT",
    "Sun, 06-Nov-94 08:49:37 GMT", "Sunday, 06 Nov 1994 08:49:37 GMT", "Sun Nov 06 08:49:37 1994 GMT",
    "Sun Nov 0 08:49:37 1994", "Sun Nov 31 08:49:37 1994",
  } do
    it(("is not %q"):format(text), function()
      assert.is_nil(date.parse(text, NOW) or nil)
    end)
  end

  it("is written as the system's library has it, and read again", function()
    local next_random = random.of(7)
    for i = 1, 5000 do
      local seconds = i <= 400 and os.time { year = 1975 + i, month = i % 2 + 2, day = 28, hour = 12 }
        or next_random(2 ^ 31) * 4 + next_random(4)
      local text = date.format(seconds)
      assert.equal(os.date("!%a, %d %b %Y %H:%M:%S GMT", seconds), text)
      assert.equal(seconds, date.parse(text))
      assert.equal(seconds, date.parse((os.date("!%a %b %d %H:%M:%S %Y", seconds):gsub("^(%a+ %a+) 0", "%1  "))))
      assert.equal(seconds, date.parse(os.date("!%A, %d-%b-%y %H:%M:%S GMT", seconds), seconds))
    end
  end)

  it("of the same second is the same string, and a part of a second is none", function()
    assert.equal("Thu, 01 Jan 1970 00:00:59 GMT", date.format(59))
    assert.equal("Thu, 01 Jan 1970 00:00:59 GMT", date.format(59.999))
    assert.equal("Thu, 01 Jan 1970 00:01:00 GMT", date.format(60))
  end)
end)
