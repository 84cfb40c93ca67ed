local cookie = require "momo.http.cookie"

describe("the Cookie field", function()
  for header, cookies in pairs {
    [""] = {},
    ["a=1"] = { a = "1" },
    ["a=1; b=2"] = { a = "1", b = "2" },
    ["a=1;b=2;"] = { a = "1", b = "2" },
    [" a = 1 ;\tb=2"] = { a = "1", b = "2" },
    ["a=1; a=2"] = { a = "1" },
    ["a=b=c"] = { a = "b=c" },
    ["a="] = { a = "" },
    ["a; =1; b=2"] = { b = "2" },
    ['a="1 2"; b="'] = { a = "1 2", b = '"' },
    ["a=x%20y%zz"] = { a = "x y%zz" },
    ["$Version=1; a=1"] = { ["$Version"] = "1", a = "1" },
    ["a=1, b=2"] = { a = "1, b=2" },
    ["a=$1; B=2; b=3"] = { a = "$1", B = "2", b = "3" },
    ['  a="x";b="y"  '] = { a = "x", b = "y" },
    [";; a=1 ;;; ;b=2;"] = { a = "1", b = "2" },
    ['a="x'] = { a = '"x' }, ['a=x"'] = { a = 'x"' }, ['a=""'] = { a = "" }, ['a=""x""'] = { a = '"x"' },
    ['a="x;y"; b=1'] = { a = '"x', b = "1" },
    ["a b=1; c=2"] = { c = "2" }, ["a=b c; d=1"] = { a = "b c", d = "1" }, ["a=\t1\t"] = { a = "1" },
    ["a=%"] = { a = "%" }, ["a=%2"] = { a = "%2" }, ["a=%00"] = { a = "\0" }, ["%61=1"] = { ["%61"] = "1" },
    ["a==; =b; ="] = { a = "=" }, ["__Host-a=1"] = { ["__Host-a"] = "1" }, ["a=\195\188"] = { a = "\195\188" },
  } do
    it(("is read: %q"):format(header), function()
      local got = {}
      for name, value in pairs(cookie.parse(header)) do
        if type(value) == "string" then
          got[name] = value
        end
      end
      assert.same(cookies, got)
    end)
  end

  it("may be absent", function()
    assert.same({}, cookie.parse(nil))
  end)

  it("has all values of a name", function()
    assert.same({ "1", "2" }, cookie.parse("a=1; a=2")["a[]"])
  end)
end)

describe("the Set-Cookie field", function()
  it("is safe unless said otherwise", function()
    assert.equal("a=1; Path=/; HttpOnly; SameSite=Lax", cookie.format("a", "1"))
    assert.equal("a=1; Path=/", cookie.format("a", "1", { http_only = false, same_site = false }))
  end)

  it("has all attributes", function()
    assert.equal("__Secure-a=1; Path=/x; Domain=example.org; Max-Age=60; Expires=Sun, 06 Nov 1994 08:49:37 GMT; "
      .. "Secure; HttpOnly; SameSite=None; Partitioned", cookie.format("__Secure-a", "1", {
        path = "/x", domain = "example.org", max_age = 60, expires = 784111777.9, secure = true, same_site = "None",
        partitioned = true,
      }))
    assert.matches("; Max%-Age=0;", cookie.format("a", "", { max_age = 0 }))
    assert.matches("SameSite=Strict$", cookie.format("a", "", { same_site = "Strict" }))
  end)

  for _, row in ipairs {
    { "a= z", " z" }, { "a=z ", "z " }, { "a=x y", "x y" }, { "a=x,y", "x,y" }, { "a=", "" }, { 'a=x"y', 'x"y' },
    { "a=x\\y", "x\\y" }, { "a=x;y", "x;y" }, { "a=$1", "$1" }, { "a=\0\127\128", "\0\127\128" },
  } do
    it(("has a value that no reader takes for another: %q"):format(row[2]), function()
      local pair = cookie.format("a", row[2]):match "^([^;]*);"
      assert.is_nil(pair:find '[%z\1-\32",;\\\127-\255]')
      assert.equal(row[2], cookie.parse("x=1; " .. pair .. "; y=2").a)
    end)
  end

  for name, options in pairs {
    ["Domain=example.org"] = { domain = "example.org" }, ["Domain=.example.org"] = { domain = ".example.org" },
    ["Domain=127.0.0.1"] = { domain = "127.0.0.1" }, ["Domain=a-b_c.example"] = { domain = "a-b_c.example" },
    ["Max-Age=-1"] = { max_age = -1 }, ["Max-Age=2147483648"] = { max_age = 2 ^ 31 },
    ["Expires=Thu, 01 Jan 1970 00:00:00 GMT"] = { expires = 0 },
    ["Expires=Fri, 31 Dec 9999 23:59:59 GMT"] = { expires = 253402300799 }, ["Path=/a b,c"] = { path = "/a b,c" },
    ["SameSite=Lax"] = {}, ["SameSite=Strict"] = { same_site = "Strict" }, ["HttpOnly"] = { http_only = true },
    ["SameSite=None"] = { same_site = "None", secure = true }, ["Secure"] = { secure = true },
  } do
    it("may have " .. name, function()
      assert.truthy((cookie.format("a", "1", options) .. ";"):find("; " .. name .. ";", 1, true))
    end)
  end

  it("carries every value there and back", function()
    for value = 0, 255 do
      local text = "x" .. string.char(value) .. "y"
      local pair = cookie.format("a", text):match "^([^;]*);"
      assert.is_nil(pair:find '[%z\1-\32",;\\\127-\255]')
      assert.equal(text, cookie.parse(pair).a)
    end
    assert.equal('a=%22%22', cookie.format("a", '""'):match "^[^;]*")
    assert.equal("a=%2541", cookie.format("a", "%41"):match "^[^;]*")
  end)

  for _, row in ipairs {
    { "argument 1 must be a name", "", "1" }, { "argument 1 must be a name", "a b", "1" },
    { "argument 1 must be a name", "a=b", "1" }, { "argument 1 must be a name", "a\r\n", "1" },
    { "argument 1 must be a name", 1, "1" },
    { "argument 2 must be a string, got 1", "a", 1 }, { "argument 2 must be a string, got nil", "a" },
    { 'there is no option "httponly"', "a", "", { httponly = true } },
    { "option path must be ASCII", "a", "", { path = "/;x" } }, { "option path must be ASCII", "a", "",
      { path = "/\n" } },
    { "option domain must be a name", "a", "", { domain = "ü.example" } },
    { "option domain must be a name", "a", "", { domain = "" } }, { "option domain must be a name", "a", "",
      { domain = "a b.example" } }, { "option domain must be a name", "a", "", { domain = "a;b" } },
    { "option domain must be a name", "a", "", { domain = "bad-.example" } },
    { "option domain must be a name", "a", "", { domain = "-bad.example" } },
    { "option domain must be a name", "a", "", { domain = "a..example" } },
    { "option domain must be a name", "a", "", { domain = "example.org:80" } },
    { "option domain must be a name", "a", "", { domain = "::1" } },
    { "option domain must be a name", "a", "", { domain = "https://example.org" } },
    { "option domain must be a name", "a", "", { domain = ("x."):rep(130) .. "example" } },
    { "argument 1 must be a name", "a\tb", "1" }, { "argument 1 must be a name", "a;b", "1" },
    { "argument 1 must be a name", "a,b", "1" }, { "argument 1 must be a name", "\"a\"", "1" },
    { "argument 1 must be a name", "ü", "1" }, { "argument 1 must be a name", "a\0", "1" },
    { "option path must be ASCII", "a", "", { path = "/x\0" } },
    { "option path must be ASCII", "a", "", { path = "/" .. ("x"):rep(1024) } },
    { "the path must begin with a slash", "a", "", { path = "x" } },
    { "max_age must be a whole number", "a", "", { max_age = 0.5 } },
    { "expires must be a number of seconds", "a", "", { expires = -1 } },
    { "expires must be a number of seconds", "a", "", { expires = 1e15 } },
    { "same_site must be", "a", "", { same_site = "lax" } },
    { 'same_site = "None" needs secure = true', "a", "", { same_site = "None" } },
    { "partitioned = true needs secure = true", "a", "", { partitioned = true } },
    { "__host- needs secure = true", "__HOST-a", "" }, { "__secure- needs secure = true", "__Secure-a", "" },
    { '__host- needs the path "/" and no domain', "__Host-a", "", { secure = true, path = "/x" } },
    { '__host- needs the path "/" and no domain', "__Host-a", "", { secure = true, domain = "a.example" } },
    { "at most 4096 bytes, got 4097", "a", ("x"):rep(4095) },
  } do
    it("is refused: " .. row[1], function()
      local ok, err = pcall(cookie.format, row[2], row[3], row[4])
      assert.is_false(ok)
      assert.matches(row[1], err, 1, true)
    end)
  end
end)
