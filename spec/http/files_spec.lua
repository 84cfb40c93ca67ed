local exchange = require "spec.support.exchange"
local files = require "momo.http.files"
local folder = require "spec.support.folder"
local momo = require "momo"
local tcp = require "spec.support.tcp"

local LARGE = ("0123456789abcdef"):rep(20000)
local MODIFIED = "Sun, 06 Nov 1994 08:49:37 GMT"

local root = folder.make {
  ["index.html"] = "<p>hello", ["a.txt"] = "0123456789", ["empty.css"] = "", ["large.bin"] = LARGE,
  ["no-extension"] = "x",
  ["sub/index.html"] = "<p>sub", ["sub/deep/b.js"] = "b()", ["bare/c.txt"] = "c", [".secret"] = "s",
  [".git/config"] = "g",
  ["sub/.env"] = "e", ["with space & ü.txt"] = "w", ["secret.txt"] = "t",
  ["app.js"] = "plain", ["app.js.br"] = "brotli", ["app.js.gz"] = "gzip", ["app.js.zst"] = "zstd", ["pic.png"] = "png",
  ["pic.png.gz"] = "no", ["stale.css"] = "new", ["stale.css.gz"] = "old",
}
local outside = folder.make { ["secret.txt"] = "outside", ["sub/x.txt"] = "outside" }
folder.shell(root, ("ln -s %s/secret.txt out.txt; ln -s %s outdir; ln -s ../../etc/passwd up.txt; ln -s a.txt in.txt")
  :format(outside, outside))
folder.shell(root, "ln -s sub/deep indir; ln -s loop loop; mkfifo pipe.txt; mkdir index; mkdir odd odd/index.html")
folder.shell(root, "find . ! -type l -exec touch -d '1994-11-06 08:49:37.25 UTC' {} +")
folder.shell(root, "touch -d '2001-01-01' stale.css; chmod 000 secret.txt")

local function get(target, fields, options)
  local handler = files.files(options and options.root or root, options and options.files)
  local request = exchange.request(options and options.method or "GET", target, fields)
  request.params = options and options.params
  local response = exchange.response()
  momo.run(function()
    handler(request, response)
  end)
  assert.is_true(response.finished)
  if response.head["content-length"] and request.method == "GET" then
    assert.equal(tonumber(response.head["content-length"]), #response.body)
  end
  return response, response.head
end

describe("files", function()
  after_each(tcp.check_nothing_left)

  for _, row in ipairs {
    { "/a.txt", 200, "0123456789" }, { "/", 200, "<p>hello" }, { "/index.html", 200, "<p>hello" },
    { "/sub/", 200, "<p>sub" }, { "/sub/deep/b.js", 200, "b()" }, { "/empty.css", 200, "" }, { "/large.bin", 200,
      LARGE },
    { "/with%20space%20&%20%C3%BC.txt", 200, "w" }, { "/%61.txt", 200, "0123456789" }, { "//a.txt", 200, "0123456789" },
    { "/a.txt?x=../y", 200, "0123456789" }, { "/sub%2Fdeep%2fb.js", 200, "b()" },
    { "/in.txt", 200, "0123456789" }, { "/indir/b.js", 200, "b()" }, -- links within
    { "/none.txt", 404 }, { "/sub/none/x", 404 }, { "/a.txt/", 404 }, { "/a.txt/b", 404 }, { "/bare/", 404 },
    { "/" .. ("x"):rep(300), 404 }, { "/" .. ("x/"):rep(3000), 404 }, { "/loop", 404 }, { "/pipe.txt", 404 },
      { "/odd/", 404 },
    -- dotfiles are not there
    { "/.secret", 404 }, { "/.git/config", 404 }, { "/sub/.env", 404 }, { "/%2esecret", 404 }, { "/sub/%2Eenv", 404 },
    { "/sub%2f.env", 404 }, { "/.git", 404 }, { "/.git/", 404 },
    -- nothing outside is
    { "/out.txt", 404 }, { "/outdir/secret.txt", 404 }, { "/outdir", 404 }, { "/up.txt", 404 },
    { "/../secret.txt", 400 }, { "/sub/../a.txt", 400 }, { "/./a.txt", 400 }, { "/..", 400 }, { "/.", 400 },
      { "/sub/..", 400 },
    { "/%2e%2e/secret.txt", 400 }, { "/..%2fsecret.txt", 400 }, { "/sub/.%2E/a.txt", 400 }, { "/sub%2f..%2fa.txt",
      400 },
    { "/%2e/a.txt", 400 }, { "/a.txt%00", 400 }, { "/a.txt%00.html", 400 }, { "/%zz", 400 }, { "/%", 400 }, { "/%4",
      400 },
    { "/..\\secret.txt", 404 }, { "/\\..\\a.txt", 404 }, { "/%5c..%5ca.txt", 404 }, { "/%252e%252e/a.txt", 404 },
    { "/..;/a.txt", 404 }, { "/%c0%ae%c0%ae/a.txt", 404 }, { "/~root/a.txt", 404 }, { "//etc/passwd", 404 },
  } do
    it(("answer %s with %d"):format(row[1]:sub(1, 40), row[2]), function()
      local response = get(row[1])
      assert.equal(row[2], response.status)
      if row[3] then
        assert.is_true(row[3] == response.body)
      end
    end)
  end

  it("of a folder are beneath its slash", function()
    for target, location in pairs {
      ["/sub"] = "/sub/", ["/sub?a=b"] = "/sub/?a=b", ["/sub/deep"] = "/sub/deep/", ["//sub"] = "/sub/",
      ["/indir"] = "/indir/", ["/index"] = "/index/", ["/s%75b"] = "/s%75b/",
    } do
      local response, head = get(target)
      assert.equal(301, response.status)
      assert.equal(location, head.location)
    end
  end)

  it("say what they are, and that no browser should guess", function()
    local _, head = get "/a.txt"
    assert.equal("text/plain; charset=utf-8", head["content-type"])
    assert.equal("nosniff", head["x-content-type-options"])
    assert.equal(MODIFIED, head["last-modified"])
    assert.equal("bytes", head["accept-ranges"])
    assert.matches('^W/"[%x.-]+"$', head.etag)
    _, head = get "/no-extension"
    assert.equal("application/octet-stream", head["content-type"])
    assert.is_nil(head.vary)
  end)

  it("are read under a router from what {path...} has matched", function()
    local response = get("/static/sub/deep/b.js", {}, { params = { path = "sub/deep/b.js" } })
    assert.equal("b()", response.body)
    response = get("/static/", {}, { params = { path = "" } })
    assert.equal("<p>hello", response.body)
    for path, status in pairs {
      ["../a.txt"] = 400, ["sub/.."] = 400, ["a.txt\0"] = 400, [".secret"] = 404, ["/etc/passwd"] = 404,
      ["sub/.env"] = 404,
    } do
      assert.equal(status, get("/static/x", {}, { params = { path = path } }).status)
    end
    local _, head = get("/static/sub", {}, { params = { path = "sub" } })
    assert.equal("/static/sub/", head.location)
  end)

  it("are for GET and HEAD", function()
    for _, method in ipairs { "POST", "PUT", "DELETE", "PATCH" } do
      local response, head = get("/a.txt", {}, { method = method })
      assert.equal(405, response.status)
      assert.equal("GET, HEAD", head.allow)
    end
    local response, head = get("/large.bin", { range = "bytes=0-9" }, { method = "HEAD" })
    assert.equal(200, response.status) -- ranges are for GET
    assert.equal(tostring(#LARGE), head["content-length"])
    assert.equal("", response.body)
  end)

  it("are not sent to who has them", function()
    local _, head = get "/a.txt"
    for _, fields in ipairs {
      { ["if-none-match"] = head.etag }, { ["if-none-match"] = "*" }, { ["if-modified-since"] = MODIFIED },
    } do
      local response, again = get("/a.txt", fields)
      assert.equal(304, response.status)
      assert.equal("", response.body)
      assert.equal(head.etag, again.etag)
      assert.equal(304, get("/a.txt", fields, { method = "HEAD" }).status)
    end
    assert.equal(200, get("/a.txt", { ["if-none-match"] = '"x"' }).status)
    assert.equal(412, get("/a.txt", { ["if-match"] = '"x"' }).status)
    assert.equal(412, get("/a.txt", { ["if-unmodified-since"] = "Sun, 06 Nov 1994 08:49:36 GMT" }).status)
    assert.equal(404, get("/none.txt", { ["if-none-match"] = "*" }).status)
  end)

  it("have another tag when they were written to", function()
    local changing = folder.make { ["a.txt"] = "1" }
    folder.shell(changing, "touch -d '2001-01-01 00:00:00.1' a.txt")
    local _, before = get("/a.txt", {}, { root = changing })
    folder.shell(changing, "touch -d '2001-01-01 00:00:00.2' a.txt")
    local _, after = get("/a.txt", {}, { root = changing })
    assert.equal(before["last-modified"], after["last-modified"])
    assert.are_not.equal(before.etag, after.etag)
  end)

  for _, path in ipairs { "/a.txt", "/large.bin" } do
    it("are sent in part: " .. path, function()
      local whole = get(path).body
      local size = #whole
      for _, row in ipairs {
        { "bytes=0-0", 0, 0 }, { "bytes=3-7", 3, 7 }, { "bytes=5-", 5, size - 1 }, { "bytes=-4", size - 4, size - 1 },
        { "bytes=0-", 0, size - 1 }, { "bytes=2-99999999", 2, size - 1 },
      } do
        local response, head = get(path, { range = row[1] })
        assert.equal(206, response.status)
        assert.is_true(whole:sub(row[2] + 1, row[3] + 1) == response.body)
        assert.equal(("bytes %d-%d/%d"):format(row[2], row[3], size), head["content-range"])
      end
      for _, text in ipairs { "bytes=0-1,3-4", "bytes=4-3", "bytes=x", "lines=0-1" } do
        local response = get(path, { range = text })
        assert.equal(200, response.status)
        assert.is_true(whole == response.body)
      end
      local response, head = get(path, { range = "bytes=99999999-" })
      assert.equal(416, response.status)
      assert.equal("bytes */" .. size, head["content-range"])
    end)
  end

  it("are sent in part only while the part is one of what the client has", function()
    local _, head = get "/a.txt"
    assert.equal(206, get("/a.txt", { range = "bytes=1-2", ["if-range"] = MODIFIED }).status)
    assert.equal(200, get("/a.txt", { range = "bytes=1-2", ["if-range"] = "Sun, 06 Nov 1994 08:49:38 GMT" }).status)
    assert.equal(200, get("/a.txt", { range = "bytes=1-2", ["if-range"] = head.etag }).status) -- it is a weak one
    assert.equal(304, get("/a.txt", { range = "bytes=1-2", ["if-none-match"] = head.etag }).status)
  end)

  it("are sent compressed where they lie beside", function()
    for header, body in pairs {
      [""] = "plain", ["identity"] = "plain", ["gzip"] = "gzip", ["gzip, br"] = "brotli", ["gzip, zstd"] = "zstd",
      ["gzip;q=1, br;q=0.5"] = "gzip", ["deflate"] = "plain",
    } do
      local response, head = get("/app.js", { ["accept-encoding"] = header })
      assert.equal(body, response.body)
      assert.equal(({ gzip = "gzip", brotli = "br", zstd = "zstd" })[body], head["content-encoding"])
      assert.equal("text/javascript; charset=utf-8", head["content-type"])
      assert.equal("Accept-Encoding", head.vary)
    end
    local _, plain = get "/app.js"
    local _, coded = get("/app.js", { ["accept-encoding"] = "gzip" })
    assert.are_not.equal(plain.etag, coded.etag)
    assert.equal(304, get("/app.js", { ["accept-encoding"] = "gzip", ["if-none-match"] = coded.etag }).status)
    assert.equal(200, get("/app.js", { ["accept-encoding"] = "br", ["if-none-match"] = coded.etag }).status)
    local response, head = get("/app.js", { ["accept-encoding"] = "gzip", range = "bytes=1-2" })
    assert.equal("zi", response.body)
    assert.equal("bytes 1-2/4", head["content-range"])
  end)

  it("are not sent compressed where that is of no use, or older", function()
    assert.equal("png", get("/pic.png", { ["accept-encoding"] = "gzip" }).body)
    assert.equal("new", get("/stale.css", { ["accept-encoding"] = "gzip" }).body)
    assert.equal("0123456789", get("/a.txt", { ["accept-encoding"] = "gzip" }).body)
  end)

  it("have an index of one's own, or none, and fields of one's own", function()
    assert.equal("0123456789", get("/", {}, { files = { index = "a.txt" } }).body)
    assert.equal(404, get("/", {}, { files = { index = false } }).status)
    local _, head = get("/a.txt", {}, { files = { headers = { ["Cache-Control"] = "max-age=60" } } })
    assert.equal("max-age=60", head["cache-control"])
    _, head = get("/none", {}, { files = { headers = { ["Cache-Control"] = "max-age=60" } } })
    assert.is_nil(head["cache-control"])
  end)

  it("that may not be read are refused", function()
    if io.popen "id -u":read "*l" == "0" then
      return pending "root may read everything"
    end
    assert.equal(403, get("/secret.txt").status)
  end)

  it("follow a root that is a link", function()
    local links = folder.make { ["one/a.txt"] = "1", ["two/a.txt"] = "2" }
    folder.shell(links, "ln -s one current")
    local handler = files.files(links .. "/current")
    for _, body in ipairs { "1", "2" } do
      local response = exchange.response()
      momo.run(function() handler(exchange.request("GET", "/a.txt"), response) end)
      assert.equal(body, response.body)
      folder.shell(links, "ln -sfn two current")
    end
  end)

  it("refuse what is no folder", function()
    for _, row in ipairs {
      { "argument 1 must be the path of a folder, got nil" }, { "must be the path of a folder", "a\0b" },
      { "is no folder that can be read: ENOENT", root .. "/none" }, { "is no folder that can be read: ENOTDIR",
        root .. "/a.txt" },
      { "index must be the name of a file, or false", root, { index = "a/b" } }, { "no option \"dotfiles\"", root,
        { dotfiles = 1 } },
    } do
      local ok, err = pcall(files.files, row[2], row[3])
      assert.is_false(ok)
      assert.matches(row[1], err, 1, true)
    end
  end)
end)
