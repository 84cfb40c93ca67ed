local media = require "momo.http.media"
local random = require "spec.support.random"

describe("the media type of a file", function()
  for path, name in pairs {
    ["index.html"] = "text/html; charset=utf-8", ["A.HTML"] = "text/html; charset=utf-8", ["a/b.min.js"] =
    "text/javascript; charset=utf-8", ["x.json"] = "application/json", ["x.svg"] = "image/svg+xml",
    ["x.woff2"] = "font/woff2", ["x.tar.gz"] = "application/gzip", ["x.mp4"] = "video/mp4",
    ["x.wasm"] = "application/wasm",
    ["x"] = "application/octet-stream", ["x."] = "application/octet-stream", ["html"] = "application/octet-stream",
    ["x.html/y"] = "application/octet-stream", ["x.exe"] = "application/octet-stream",
    [""] = "application/octet-stream",
  } do
    it(("%q is %s"):format(path, name), function()
      assert.equal(name, media.type_of(path))
    end)
  end

  it("says whether compression is of use", function()
    for name, is_text in pairs {
      ["text/html; charset=utf-8"] = true, ["TEXT/plain"] = true, ["application/json"] = true,
      ["application/problem+json"] = true, ["image/svg+xml"] = true, ["text/event-stream"] = true,
      ["image/png"] = false, ["application/gzip"] = false, ["video/mp4"] = false, [""] = false, ["text"] = false,
      ["application/x-json"] = false,
    } do
      assert.equal(is_text, media.is_text(name), name)
    end
    assert.is_false(media.is_text(nil))
  end)
end)

describe("a field with parameters", function()
  for text, expected in pairs {
    ["text/html"] = { "text/html", {} },
    ["Text/HTML; Charset=UTF-8"] = { "text/html", { charset = "UTF-8" } },
    ["text/html;charset=utf-8 ; x=y"] = { "text/html", { charset = "utf-8", x = "y" } },
    ["text/html; charset=\"utf-8\""] = { "text/html", { charset = "utf-8" } },
    ["text/html;"] = { "text/html", {} },
    ["text/html;; a=b"] = { "text/html", { a = "b" } },
    ["a; b="] = { "a", { b = "" } },
    ["a; b=\"\""] = { "a", { b = "" } },
    ["form-data; name=\"a\"; filename=\"b;c=d.txt\""] = { "form-data", { name = "a", filename = "b;c=d.txt" } },
    ["a; b=\"x\\\"y\\\\z\""] = { "a", { b = "x\"y\\z" } },
    ["a; b=\"C:\\dir\\f.txt\""] = { "a", { b = "C:\\dir\\f.txt" } },
    ["a; filename*=UTF-8''na%C3%AFve.txt; filename=\"naive.txt\""] = { "a", { filename = "naïve.txt" } },
    ["a; filename*=utf-8'en'x%20y"] = { "a", { filename = "x y" } },
    ["a; filename*=latin1''x; filename=y"] = { "a", { filename = "y" } },
    ["a; filename*=UTF-8''%zz; filename=y"] = { "a", { filename = "y" } },
  } do
    it(("is read: %s"):format(text), function()
      local name, parameters = media.parse(text)
      assert.same(expected, { name, parameters })
    end)
  end

  for _, text in ipairs {
    "", ";", "; a=b", "a b", "a; b", "a; b c=d", "a; =b", "a; b=\"", "a; b=\"x", "a; b=\"x\\\"", "a; b=\"x\" y",
    "a; b=x y",
    "a; b=\"x\"y=z", "a, b", "a; b=1; b=2", "a; b=1; B=2", "a; b = c",
  } do
    it(("is not %q"):format(text), function()
      assert.is_nil((media.parse(text)))
    end)
  end

  it("ends, whatever it is, and holds strings", function()
    local next_random, read = random.of(9), 0
    local pieces = { "a", ";", "=", "\"", "\\", " ", "*", "UTF-8''", "%41", "b", ",", "/" }
    for _ = 1, 20000 do
      local name, parameters = media.parse("a" .. random.text(next_random, pieces, 12))
      read = read + (name and 1 or 0)
      for key, value in pairs(parameters) do
        assert(type(key) == "string" and type(value) == "string")
      end
    end
    assert.is_true(read > 100)
  end)
end)
