local client_ip = require("momo.http.client_ip").client_ip

describe("client_ip", function()
  local OURS = { "10.0.0.0/8", "::1" }

  local function client(peer, forwarded, trusted)
    return client_ip({
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
    assert.error_matches(function() client_ip({ peer = "" }, "10.0.0.0/8") end, "argument 2 must be an array")
  end)
end)
