local random = require "spec.support.random"
local url = require "momo.http.url"

-- What RFC 3986 says in section 5.2.4, word by word.
local function remove_dots_as_written(input)
  local output = ""
  while input ~= "" do
    if input:find "^%.%.?/" then
      input = input:gsub("^%.%.?/", "", 1)
    elseif input:find "^/%./" or input == "/." then
      input = input == "/." and "/" or input:sub(3)
    elseif input:find "^/%.%./" or input == "/.." then
      input = input == "/.." and "/" or input:sub(4)
      output = output:gsub("/?[^/]*$", "", 1)
    elseif input == "." or input == ".." then
      input = ""
    else
      local segment = input:match "^/?[^/]*"
      output, input = output .. segment, input:sub(#segment + 1)
    end
  end
  return output
end

local function parsed(text)
  local it, err = url.parse(text)
  return assert(it, err)
end

describe("a URL", function()
  it("is taken apart", function()
    local it = parsed "HTTP://me:pw@Example.ORG:8080/a/b?c=d&e#f"
    assert.equal("http", it.scheme)
    assert.equal("me:pw", it.userinfo)
    assert.equal("example.org", it.host)
    assert.equal(8080, it.port)
    assert.equal("/a/b", it.path)
    assert.equal("c=d&e", it.query)
    assert.equal("example.org:8080", it.authority)
    assert.equal("example.org:8080", it.address)
    assert.equal("http://example.org:8080", it.origin)
    assert.equal("/a/b?c=d&e", it.target)
    assert.equal("http://example.org:8080/a/b?c=d&e", it.href)
  end)

  for _, row in ipairs {
    { "http://a", "a:80", "http://a/" },
    { "https://a", "a:443", "https://a/" },
    { "ws://a/chat", "a:80", "ws://a/chat" },
    { "wss://a:443", "a:443", "wss://a/" },
    { "http://a:", "a:80", "http://a/" },
    { "http://a:080/", "a:80", "http://a/" },
    { "http://a:81?", "a:81", "http://a:81/?" },
    { "http://a?q", "a:80", "http://a/?q" },
    { "http://a#f?q", "a:80", "http://a/" },
    { "http://a/?q?r/../s", "a:80", "http://a/?q?r/../s" },
    { "http://127.0.0.1:65535/x", "127.0.0.1:65535", "http://127.0.0.1:65535/x" },
    { "http://[::1]/", "[::1]:80", "http://[::1]/" },
    { "http://[FE80::1%25eth0]:81/", "[fe80::1%eth0]:81", "http://[fe80::1]:81/" },
    { "http://[::ffff:1.2.3.4]", "[::ffff:1.2.3.4]:80", "http://[::ffff:1.2.3.4]/" },
    { "http://a.example./", "a.example.:80", "http://a.example./" },
    { "http://xn--bcher-kva.example/", "xn--bcher-kva.example:80", "http://xn--bcher-kva.example/" },
    { "http://a_b.c-d", "a_b.c-d:80", "http://a_b.c-d/" },
    { "http://a@b@c/", nil, nil },
    { "http://a/b/./c/../d/..", "a:80", "http://a/b/" },
    { "http://a/../../b", "a:80", "http://a/b" },
    { "http://a//b//", "a:80", "http://a//b//" },
    { "http://a/%2e%2E/b", "a:80", "http://a/%2e%2E/b" }, -- codes are what the server sees
    { "http://a/ü b?ü b", "a:80", "http://a/%C3%BC%20b?%C3%BC%20b" },
    { "http://a/\\b\"<>^`{|}", "a:80", "http://a/%5Cb%22%3C%3E%5E%60%7B%7C%7D" },
    { "http://a/x[]=1?x[]=1", "a:80", "http://a/x[]=1?x[]=1" },
  } do
    it(("%q names %s"):format(row[1], tostring(row[2])), function()
      local it = url.parse(row[1])
      assert.equal(row[2], it and it.address)
      assert.equal(row[3], it and it.href)
    end)
  end

  for _, row in ipairs {
    { "", "is no URL" }, { "/a", "is no URL" }, { "a.example", "is no URL" }, { "http:a", "is no URL" },
    { "http:/a/b", "is no URL" }, { "//a/b", "is no URL" }, { "a b://c", "is no URL" },
    { "http://", "names no host" }, { "http:///a", "names no host" }, { "http://:80", "names no host" },
    { "http://a:0", "is no port" }, { "http://a:65536", "is no port" }, { "http://a:8x", "is no port" },
    { "http://a:-1", "is no port" }, { "http://a:000080", "is no port" }, { "http://a:80:80", "is no port" },
    { "ftp://a/", "the scheme ftp has none" },
    { "http://a b/", "no name of a host" }, { "http://a\\b/", "no name of a host" },
    { "http://a%62/", "no name of a host" }, { "http://a..b/", "no name of a host" },
    { "http://.a/", "no name of a host" }, { "http://a,b/", "no name of a host" }, { "http://*/", "no name of a host" },
    { "http://" .. ("a"):rep(64) .. "/", "more than 63 bytes" }, { "http://" .. ("a."):rep(127) .. "/", "no name" },
    { "http://bücher.example/", "begins with xn--" },
    { "http://[::1", "no name of a host" }, { "http://[::1]x/", "is no port" }, { "http://[a.b]/", "is no IPv6" },
    { "http://[]/", "is no IPv6" }, { "http://[::1%25e/0]/", "no name of a host" }, { "http://[g::1]/", "is no IPv6" },
    { "http://1.2.3/", "is no IPv4" }, { "http://1.2.3.256/", "is no IPv4" }, { "http://2130706433/", "is no IPv4" },
    { "http://0x7f.1/", "is no IPv4" }, { "http://0x7f000001/", "is no IPv4" }, { "http://1.2.3.4.5/", "is no IPv4" },
    { "http://01.2.3.4/", "is no IPv4" }, { "http://127.0.0.1./", "is no IPv4" }, { "http://a.1/", "is no IPv4" },
    { "http://a/\r\nX: y", "control byte at 10" }, { "http://a/\0", "control byte" }, { "http://a\t/", "control byte" },
    { "http://a/%", "hexadecimal" }, { "http://a/?%z1", "hexadecimal" },
    { "http://a b@c/", "must be percent-encoded" }, { "http://a%@c/", "must be percent-encoded" },
  } do
    it(("is not %q"):format(row[1]:sub(1, 40)), function()
      local it, err, code = url.parse(row[1])
      assert.is_nil(it)
      assert.equal("EINVAL", code)
      assert.matches("^EINVAL: ", err)
      assert.matches(row[2], err, 1, true)
    end)
  end

  it("that is shown and read again stays what it is", function()
    local next_random, read = random.of(3), 0
    local pieces = { "http://", "a", "b.c", "[::1]", ":", "80", "/", "..", ".", "?", "#", "%41", "ü", " ", "@", "1",
      "\\" }
    for _ = 1, 20000 do
      local it = url.parse("http://" .. random.text(next_random, pieces, 8))
      if it then
        read = read + 1
        local again = parsed(it.href)
        assert.equal(it.href, again.href)
        assert.equal(it.target, again.target)
        assert.is_nil(it.target:find "[%z\1-\32\127-\255#\\]")
        assert.is_nil((it.path .. "/"):find("/../", 1, true))
      end
    end
    assert.is_true(read > 2000)
  end)
end)

describe("dot segments", function()
  it("go as RFC 3986 removes them", function()
    local next_random = random.of(4)
    for _ = 1, 20000 do
      local path = "/" .. random.text(next_random, { "/", ".", "..", "a", "...", "/../", "/./" }, 8)
      assert.equal(remove_dots_as_written(path), url.remove_dots(path), path)
    end
  end)
end)

describe("a reference", function()
  -- RFC 3986, section 5.4, from http://a/b/c/d;p?q
  for reference, target in pairs {
    ["g"] = "http://a/b/c/g", ["./g"] = "http://a/b/c/g", ["g/"] = "http://a/b/c/g/", ["/g"] = "http://a/g",
    ["//g"] = "http://g/", ["?y"] = "http://a/b/c/d;p?y", ["g?y"] = "http://a/b/c/g?y", ["#s"] = "http://a/b/c/d;p?q",
    ["g#s"] = "http://a/b/c/g", ["g?y#s"] = "http://a/b/c/g?y", [";x"] = "http://a/b/c/;x",
    ["g;x"] = "http://a/b/c/g;x",
    ["g;x?y#s"] = "http://a/b/c/g;x?y", [""] = "http://a/b/c/d;p?q", ["."] = "http://a/b/c/", ["./"] = "http://a/b/c/",
    [".."] = "http://a/b/", ["../"] = "http://a/b/", ["../g"] = "http://a/b/g", ["../.."] = "http://a/",
    ["../../"] = "http://a/", ["../../g"] = "http://a/g", ["../../../g"] = "http://a/g",
    ["../../../../g"] = "http://a/g", ["/./g"] = "http://a/g", ["/../g"] = "http://a/g", ["g."] = "http://a/b/c/g.",
    [".g"] = "http://a/b/c/.g", ["g.."] = "http://a/b/c/g..", ["..g"] = "http://a/b/c/..g",
    ["./../g"] = "http://a/b/g", ["./g/."] = "http://a/b/c/g/", ["g/./h"] = "http://a/b/c/g/h",
    ["g/../h"] = "http://a/b/c/h", ["g;x=1/./y"] = "http://a/b/c/g;x=1/y", ["g;x=1/../y"] = "http://a/b/c/y",
    ["g?y/./x"] = "http://a/b/c/g?y/./x", ["g?y/../x"] = "http://a/b/c/g?y/../x", ["g#s/../x"] = "http://a/b/c/g",
    ["https://h:1/x"] = "https://h:1/x", ["//h:81"] = "http://h:81/",
  } do
    it(("%q leads to %s"):format(reference, target), function()
      assert.equal(target, assert(url.resolve(parsed "http://me@a/b/c/d;p?q", reference)).href)
    end)
  end

  it("keeps the port and a zone, and not who asks", function()
    local it = assert(url.resolve(parsed "http://me:pw@[fe80::1%25eth0]:81/b", "c"))
    assert.equal("[fe80::1%eth0]:81", it.address)
    assert.is_nil(it.userinfo)
  end)

  for _, reference in ipairs { "http:g", "g:h", "/a\nb", "%", "//", "///x", "//ü/" } do
    it(("%q leads nowhere"):format(reference), function()
      local it, _, code = url.resolve(parsed "http://a/b", reference)
      assert.is_nil(it)
      assert.equal("EINVAL", code)
    end)
  end
end)
