local ffi = require "ffi"
local network = require "momo.net.network"
local random = require "spec.support.random"

ffi.cdef "int inet_pton(int family, const char *text, void *bytes);"
local AF_INET, AF_INET6 = 2, 10
local bytes_of = ffi.new "char[16]"

-- What the system makes of an address.
local function oracle(text)
  if ffi.C.inet_pton(AF_INET, text, bytes_of) == 1 then
    return ("\0"):rep(10) .. "\255\255" .. ffi.string(bytes_of, 4)
  end
  return ffi.C.inet_pton(AF_INET6, text, bytes_of) == 1 and ffi.string(bytes_of, 16) or nil
end

describe("an address", function()
  for _, text in ipairs {
    "1.2.3.4", "0.0.0.0", "255.255.255.255", "256.1.1.1", "1.2.3", "1.2.3.4.5", "1.2.3.4.", ".1.2.3.4", "1..2.3",
    "01.2.3.4",
    "0x1.2.3.4", "", " 1.2.3.4", "::", "::1", "1::", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1::8",
    "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", ":::", ":1", "1:", ":1:2:3:4:5:6:7:8", "12345::", "g::",
    "::ffff:1.2.3.4", "::1.2.3.4", "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:7:1.2.3.4", "::1.2.3", "::1.2.3.4:5",
    "1.2.3.4::",
    "fe80::1%eth0", "ABCD::EF", "1::2:", "::ffff:256.1.1.1", ":1.2.3.4", "1:2:3:4:5:6:7:8::",
  } do
    it(("is read as the system reads it: %q"):format(text), function()
      assert.equal(oracle(text), network.parse(text))
    end)
  end

  it("is read as the system reads it, whatever it is", function()
    local next_random, valid = random.of(10), 0
    for i = 1, 40000 do
      local pieces = i % 2 == 0 and { "1", ":", "::", "ab", "fFfF", "0", "1.2.3.4", ":2:3" } or { "1", ".", "0",
        "255", "25" }
      local text = random.text(next_random, pieces, 10)
      local expected = oracle(text)
      valid = valid + (expected and 1 or 0)
      assert.equal(expected, network.parse(text), text)
    end
    assert.is_true(valid > 500, valid .. " were valid")
  end)
end)

describe("a network", function()
  for _, row in ipairs {
    { "10.0.0.0/8", "10.255.0.1", true }, { "10.0.0.0/8", "11.0.0.1", false }, { "10.1.2.3/8", "10.9.9.9", true },
    { "192.168.0.0/23", "192.168.1.255", true }, { "192.168.0.0/23", "192.168.2.0", false },
    { "1.2.3.4", "1.2.3.4", true }, { "1.2.3.4", "1.2.3.5", false }, { "1.2.3.4/32", "1.2.3.4", true },
    { "0.0.0.0/0", "8.8.8.8", true }, { "0.0.0.0/0", "::1", false }, { "0.0.0.0/0", "::ffff:8.8.8.8", true },
    { "::/0", "8.8.8.8", true }, { "fd00::/8", "fd12::1", true }, { "fd00::/8", "fe00::1", false },
    { "fe80::/10", "febf::1", true }, { "fe80::/10", "fec0::1", false }, { "::1", "::1", true }, { "::1/127", "::",
      true },
  } do
    it(("%s has %s: %s"):format(row[1], row[2], tostring(row[3])), function()
      assert.equal(row[3], network.contains(network.network(row[1]), network.parse(row[2])))
    end)
  end

  for _, text in ipairs {
    "", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0/8", "::/129", "::/x", "10.0.0.0/-1", "10.0.0.0/8/8", "unix",
    "10.0.0.0/0x8",
    "10.0.0.0/1000",
  } do
    it(("is not %q"):format(text), function()
      assert.is_nil(network.network(text))
    end)
  end
end)

describe("an address as text", function()
  it("is that which RFC 5952 wants, and is read again", function()
    for text, expected in pairs {
      ["1.2.3.4"] = "1.2.3.4", ["::ffff:1.2.3.4"] = "1.2.3.4", ["::"] = "::", ["::1"] = "::1", ["1::"] = "1::",
      ["0:0:1:0:0:0:1:0"] = "0:0:1::1:0", ["1:0:2:3:4:5:6:7"] = "1:0:2:3:4:5:6:7", ["1:0:0:2:0:0:3:4"] = "1::2:0:0:3:4",
      ["2001:DB8::00A"] = "2001:db8::a",
    } do
      assert.equal(expected, network.format(network.parse(text)))
    end
    local next_random = random.of(11)
    for _ = 1, 2000 do
      local bytes = {}
      for i = 1, 16 do
        bytes[i] = string.char(next_random(3) == 0 and next_random(255) or 0)
      end
      local address = table.concat(bytes)
      assert.equal(address, network.parse(network.format(address)))
    end
  end)
end)
