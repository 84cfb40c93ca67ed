local ffi = require "ffi"
local network = require "momo.http.network"
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

describe("client_ip", function()
  local OURS = { "10.0.0.0/8", "::1" }

  local function client(peer, forwarded, trusted)
    return network.client_ip({
      peer = peer,
      header = function(_, name) return name == "x-forwarded-for" and forwarded or nil end,
    }, trusted or OURS)
  end

  for _, row in ipairs {
    -- peer, X-Forwarded-For, who it is
    { "1.2.3.4:80", nil, "1.2.3.4" },
    { "1.2.3.4:80", "5.6.7.8", "1.2.3.4" }, -- anyone may write that
    { "10.0.0.1:80", nil, "10.0.0.1" },
    { "10.0.0.1:80", "5.6.7.8", "5.6.7.8" },
    { "10.0.0.1:80", "9.9.9.9, 5.6.7.8", "5.6.7.8" },
    { "10.0.0.1:80", "9.9.9.9, 5.6.7.8, 10.0.0.2", "5.6.7.8" },
    { "10.0.0.1:80", "9.9.9.9,5.6.7.8 ,\t10.0.0.2,10.0.0.3", "5.6.7.8" },
    { "10.0.0.1:80", "10.0.0.3, 10.0.0.2", "10.0.0.3" },
    { "10.0.0.1:80", "5.6.7.8, unknown, 10.0.0.2", "10.0.0.2" },
    { "10.0.0.1:80", "unknown", "10.0.0.1" },
    { "10.0.0.1:80", "5.6.7.8, ,", "10.0.0.1" },
    { "10.0.0.1:80", "", "10.0.0.1" },
    { "10.0.0.1:80", "5.6.7.8:1234", "5.6.7.8" },
    { "10.0.0.1:80", "[2001:db8::1]:1234", "2001:db8::1" },
    { "10.0.0.1:80", "[2001:db8::1]", "2001:db8::1" },
    { "10.0.0.1:80", "2001:db8::1", "2001:db8::1" },
    { "[::1]:80", "5.6.7.8", "5.6.7.8" },
    { "[::ffff:10.0.0.1]:80", "5.6.7.8", "5.6.7.8" },
    { "[2001:db8::2]:80", "5.6.7.8", "2001:db8::2" },
    { "[fe80::1%eth0]:80", "5.6.7.8", "fe80::1%eth0" },
    { "", "5.6.7.8", nil },
  } do
    it(("of %s with %s is %s"):format(row[1], tostring(row[2]), tostring(row[3])), function()
      assert.equal(row[3], client(row[1], row[2]))
    end)
  end

  it("trusts who comes through a Unix socket when it is told so", function()
    assert.equal("5.6.7.8", client("", "5.6.7.8", { "unix" }))
    assert.is_nil(client("", nil, { "unix" }))
    assert.equal("1.2.3.4", client("1.2.3.4:80", "5.6.7.8", { "unix" }))
    assert.equal("1.2.3.4", client("1.2.3.4:80", "5.6.7.8", {}))
  end)

  it("throws for what is no network", function()
    assert.error_matches(function() client("", nil, { "10.0.0/8" }) end,
      "trusted network must be such as .* got \"10.0.0/8\"")
    assert.error_matches(function() client("", nil, { 10 }) end, "trusted network must be .* got 10")
    assert.error_matches(function() network.client_ip({ peer = "" }, "10.0.0.0/8") end, "argument 2 must be an array")
  end)
end)
