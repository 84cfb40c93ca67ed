local multipart = require "momo.http.multipart"
local random = require "spec.support.random"

-- Gives the pieces one after the other.
local function source_of(pieces)
  local i = 0
  return function()
    i = i + 1
    if pieces[i] then
      return pieces[i]
    end
    return nil, "EOF: end of file", "EOF"
  end
end

-- All parts as plain tables, or nil, err, code. read: how a body is taken.
local function all(pieces, limits, read)
  local parts, list = multipart.parts(source_of(pieces), "b", limits), {}
  while true do
    local part, err, code = parts:next()
    if err then
      return nil, err, code
    elseif not part then
      return list
    end
    local body
    body, err, code = (read or part.body)(part)
    if not body then
      return nil, err, code
    end
    list[#list + 1] = { name = part.name, filename = part.filename, type = part.headers["content-type"], body = body }
  end
end

local function text(lines)
  return (table.concat(lines, "\r\n"))
end

local FORM = text {
  "--b", 'Content-Disposition: form-data; name="title"', "", "Hello", "--b",
  'content-disposition:form-data; name="file"; filename="C:\\dir\\a.txt"', "Content-Type: text/plain", "",
    "one\r\n--\r\ntwo\r\n",
  "--b \t", "X-None: 1", "", "", "--b--", "epilogue",
}
local PARTS = {
  { name = "title", body = "Hello" },
  { name = "file", filename = "a.txt", type = "text/plain", body = "one\r\n--\r\ntwo\r\n" },
  { body = "" },
}

describe("a multipart body", function()
  it("is read at every split of its bytes", function()
    for at = 1, #FORM - 1 do
      assert.same(PARTS, all { FORM:sub(1, at), FORM:sub(at + 1) })
    end
    local bytes = {}
    for i = 1, #FORM do
      bytes[i] = FORM:sub(i, i)
    end
    assert.same(PARTS, all(bytes))
  end)

  it("may have a preamble, and nothing behind its end", function()
    assert.same({ { body = "x" } }, all { "preamble\r\nmore\r\n--b\r\n\r\nx\r\n--b--" })
    assert.same({ { body = "x" } }, all { "\r\n--b\r\n\r\nx\r\n--b--\r\n" })
    assert.same({}, all { "--b--" })
  end)

  local DISPOSITION = "--b\r\nContent-Disposition:"
  for name, row in pairs {
    ["no part"] = { "--b--\r\n" },
    ["an empty part"] = { "--b\r\n\r\n\r\n--b--", { body = "" } },
    ["two empty parts"] = { "--b\r\n\r\n\r\n--b\r\n\r\n\r\n--b--\r\n", { body = "" }, { body = "" } },
    ["a part that has only fields"] = { '--b\r\nContent-Type: x/y\r\n\r\n--b--', { type = "x/y", body = "" } },
    ["parts that have only fields, or none"] = { "--b\r\n\r\n--b\r\nContent-Type: x/y\r\n\r\n--b\r\n\r\nx\r\n--b--",
      { body = "" }, { type = "x/y", body = "" }, { body = "x" } },
    ["a body that begins as a boundary"] = { "--b\r\n\r\n--a\r\n--b--", { body = "--a" } },
    ["a body of line ends"] = { "--b\r\n\r\n\r\n\r\n\r\n--b--", { body = "\r\n\r\n" } },
    ["boundaries within lines"] = { "--b\r\n\r\nx--b--\n--b\r--b\r\n -- b\r\n--b--",
      { body = "x--b--\n--b\r--b\r\n -- b" } },
    ["what precedes and follows"] = {
      "x\r\n\r\ny: z\r\n--b\r\n\r\nx\r\n--b--\r\n--b\r\n\r\ny\r\n--b--", { body = "x" } },
    ["blanks behind boundaries"] = {
      "--b \t\r\n\r\nx\r\n--b\t\r\n\r\ny\r\n--b-- \t\r\n", { body = "x" }, { body = "y" } },
    ["a body within, of another boundary"] = {
      "--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\nx\r\n--c--\r\n\r\n--b--",
      { type = "multipart/mixed; boundary=c", body = "--c\r\n\r\nx\r\n--c--\r\n" } },
    ["a coding, which nobody undoes"] = {
      "--b\r\nContent-Transfer-Encoding: base64\r\n\r\neA==\r\n--b--", { body = "eA==" } },
    ["a name without quotes"] = { DISPOSITION .. " form-data; name=n\r\n\r\n\r\n--b--", { name = "n", body = "" } },
    ["a name of other letters"] = { DISPOSITION .. ' FORM-DATA ;NAME="n"\r\n\r\n\r\n--b--', { name = "n", body = "" } },
    ["a name among other parameters"] = {
      DISPOSITION .. ' form-data; x=y; filename="f"; name=n ; z="; name=m"\r\n\r\n\r\n--b--',
      { name = "n", filename = "f", body = "" } },
    ["a name that is empty"] = { DISPOSITION .. ' form-data; name=""\r\n\r\n\r\n--b--', { name = "", body = "" } },
    ["a name with a quote"] = {
      DISPOSITION .. ' form-data; name="a\\"b"\r\n\r\n\r\n--b--', { name = 'a"b', body = "" } },
    ["a name of something else"] = { DISPOSITION .. ' attachment; name="n"; filename="f"\r\n\r\n\r\n--b--',
      { filename = "f", body = "" } },
    ["no name"] = { DISPOSITION .. " form-data\r\n\r\n\r\n--b--", { body = "" } },
    ["a file in a folder"] = { DISPOSITION .. ' form-data; name=n; filename="../../x/y.txt"\r\n\r\n\r\n--b--',
      { name = "n", filename = "y.txt", body = "" } },
    ["a file that is a folder"] = { DISPOSITION .. ' form-data; name=n; filename="x/"\r\n\r\n\r\n--b--',
      { name = "n", filename = "", body = "" } },
    ["a file of another alphabet"] = {
      DISPOSITION .. " form-data; name=n; filename=f; filename*=UTF-8''%C3%BC\r\n\r\n\r\n--b--",
      { name = "n", filename = "\195\188", body = "" } },
  } do
    it("may have " .. name, function()
      local bytes, parts = row[1], { unpack(row, 2) }
      assert.same(parts, all { bytes })
      for at = 1, #bytes - 1 do
        assert.same(parts, all { bytes:sub(1, at), bytes:sub(at + 1) })
      end
    end)
  end

  for _, row in ipairs {
    { "EPROTO", "ends before", "--b\r\n\r\n--" },
    { "EPROTO", "ends before", "x--b\r\n\r\nx\r\nx--b--" },
    { "EPROTO", "ends before", "--b\r\n\r\nx\n--b--" },
    { "EPROTO", "ends before", "--a\r\n\r\nx\r\n--a--" },
    { "EPROTO", "followed by something else", "--b\r\n\r\n--bc\r\n\r\nx\r\n--bc--\r\n--b--" },
    { "EPROTO", "followed by something else", "--b -\r\n\r\nx\r\n--b--" },
    { "EPROTO", "field is malformed", "--b\r\n: x\r\n\r\nx\r\n--b--" },
    { "EPROTO", "field is malformed", "--b\r\n X: y\r\n\r\nx\r\n--b--" },
    { "EPROTO", "can't be read", '--b\r\nContent-Disposition: form-data; name="a"; name="b"\r\n\r\nx\r\n--b--' },
    { "EPROTO", "ends before", "" },
    { "EPROTO", "ends before", "--b" },
    { "EPROTO", "ends before", "--b\r\n" },
    { "EPROTO", "ends before", "--b\r\n\r\nx" },
    { "EPROTO", "ends before", "--b\r\n\r\nx\r\n--b\r\n" },
    { "EPROTO", "ends before", "--b\r\n\r\nx\r\n--b" },
    { "EPROTO", "ends before", "--b\r\n\r\nx\r\n--b-" },
    { "EPROTO", "ends before", "--b\n\nx\n--b--\n" }, -- LF alone ends no line
    { "EPROTO", "followed by something else", "--bx\r\n\r\nx\r\n--b--" },
    { "EPROTO", "followed by something else", "--b\r\n\r\nx\r\n--bx--\r\n" },
    { "EPROTO", "field is malformed", "--b\r\nX\r\n\r\nx\r\n--b--" },
    { "EPROTO", "field is malformed", "--b\r\nX : 1\r\n\r\nx\r\n--b--" },
    { "EPROTO", "field is malformed", "--b\r\nX: 1\r\n y\r\n\r\nx\r\n--b--" },
    { "EPROTO", "field is malformed", "--b\r\nX: \0\r\n\r\nx\r\n--b--" },
    { "EPROTO", "field is malformed", "--b\r\nX: a\rb\r\n\r\nx\r\n--b--" },
    { "EPROTO", "two fields",
      '--b\r\nContent-Disposition: form-data; name="a"\r\nContent-Disposition: form-data; name="b"'
      .. "\r\n\r\nx\r\n--b--" },
    { "EPROTO", "can't be read", '--b\r\nContent-Disposition: form-data; name="a\r\n\r\nx\r\n--b--' },
    { "EPROTO", "does not begin", ("x"):rep(20000) .. "\r\n--b--" },
    { "EMSGSIZE", "more than 16384 bytes", "--b\r\nX: " .. ("x"):rep(16384) .. "\r\n\r\nx\r\n--b--" },
    { "EMSGSIZE", "more than 16384 bytes", "--b\r\n" .. ("X: y\r\n"):rep(3000) .. "\r\nx\r\n--b--" },
    { "EMSGSIZE", "more than 1000 parts", ("--b\r\n\r\n\r\n"):rep(1001) .. "--b--" },
    { "EMSGSIZE", "more than 1048576 bytes", "--b\r\n\r\n" .. ("x"):rep(1048577) .. "\r\n--b--" },
  } do
    it(("is not %q: %s"):format(row[3]:sub(1, 60), row[2]), function()
      for _, pieces in ipairs { { row[3] }, { row[3]:sub(1, 7), row[3]:sub(8) } } do
        local list, err, code = all(pieces)
        assert.is_nil(list)
        assert.equal(row[1], code)
        assert.matches(row[2], err, 1, true)
      end
    end)
  end

  it("has limits of one's own", function()
    assert.is_table(all({ FORM }, { max_parts = 3, max_head = 100 }))
    assert.equal("EMSGSIZE", (select(3, all({ FORM }, { max_parts = 2 }))))
    assert.equal("EMSGSIZE", (select(3, all({ FORM }, { max_head = 50 }))))
  end)

  it("passes on what reading failed with, and goes on afterwards", function()
    local step = 0
    local parts = multipart.parts(function()
      step = step + 1
      if step == 2 then
        return nil, "ETIMEDOUT: operation timed out", "ETIMEDOUT"
      end
      return step == 1 and "--b\r\n\r\nab" or "c\r\n--b--"
    end, "b")
    local part = parts:next()
    assert.equal("ab", part:read())
    assert.equal("ETIMEDOUT", (select(3, part:read())))
    assert.equal("c", part:read())
    assert.equal("EOF", (select(3, part:read())))
    assert.equal("EOF", (select(3, part:read())))
    assert.is_nil(parts:next())
    assert.is_nil(parts:next())
  end)
end)

describe("a part", function()
  it("that was not read is skipped, and is dead afterwards", function()
    local parts = multipart.parts(source_of { FORM }, "b")
    local first = parts:next()
    assert.equal("H", first:read(1))
    local second = parts:next()
    assert.equal("file", second.name)
    assert.equal("EBADF", (select(3, first:read())))
    assert.equal("one", second:read(3))
    assert.same({ nil, "EMSGSIZE: the part has more than 3 bytes", "EMSGSIZE" }, { second:body(3) })
  end)

  it("is read as far as was asked for", function()
    local function in_small_pieces(part)
      local pieces = {}
      for bytes in function() return (part:read(2)) end do
        assert(#bytes >= 1 and #bytes <= 2)
        pieces[#pieces + 1] = bytes
      end
      return table.concat(pieces)
    end
    assert.same(PARTS, all({ FORM }, nil, in_small_pieces))
  end)

  it("throws for what is no number of bytes", function()
    local part = multipart.parts(source_of { FORM }, "b"):next()
    assert.error_matches(function() part:read(0) end, "max must be a whole number from 1, got 0")
    assert.error_matches(function() part:body(-1) end, "max must be a whole number from 0, got %-1")
    assert.error_matches(function() part.read() end, "call it with a colon")
    assert.error_matches(function() multipart.parts(source_of {}, "b", { max = 1 }) end, "there is no option \"max\"")
  end)

  it("holds the bytes that were written, whatever they are, and however they come", function()
    local next_random = random.of(11)
    local pieces_of_body = { "\r", "\n", "\r\n", "-", "--", "\r\n--", "b", "x", "\0", "\r\n-", "\r\r\n--" }
    for _ = 1, 3000 do
      local written, bodies = {}, {}
      for i = 1, next_random(4) do
        local body = random.text(next_random, pieces_of_body, 12)
        while ("\r\n" .. body .. "\r\n"):find("\r\n--b", 1, true) do -- no body holds its boundary
          body = body:gsub("b", "")
        end
        bodies[i] = { body = body }
        written[#written + 1] = "--b\r\n\r\n" .. body .. "\r\n"
      end
      local whole, pieces = table.concat(written) .. "--b--", {}
      while whole ~= "" do
        local size = 1 + next_random(9)
        pieces[#pieces + 1], whole = whole:sub(1, size), whole:sub(size + 1)
      end
      assert.same(bodies, (all(pieces)))
    end
  end)
end)

describe("the boundary", function()
  for content_type, boundary in pairs {
    ["multipart/form-data; boundary=abc"] = "abc",
    ["Multipart/Mixed; charset=x; Boundary=\"a b\""] = "a b",
    ["multipart/form-data; boundary=" .. ("x"):rep(70)] = ("x"):rep(70),
  } do
    it("is read from " .. content_type, function()
      assert.equal(boundary, multipart.boundary(content_type))
    end)
  end

  for _, content_type in ipairs {
    "", "text/plain; boundary=a", "multipart/form-data", "multipart/form-data; boundary=",
    "multipart/form-data; boundary=\"a \"",
    "multipart/form-data; boundary=" .. ("x"):rep(71), "multipart/form-data; boundary=a; boundary=b",
    "multipart/form-data; boundary=\"a\\\"b\"", "multipart/form-data; boundary=a{b",
  } do
    it("is not in " .. content_type, function()
      assert.equal("EPROTO", (select(3, multipart.boundary(content_type))))
    end)
  end

  it("is missing where there is no type", function()
    assert.equal("EPROTO: the body is of no type, and not multipart", (select(2, multipart.boundary(nil))))
  end)
end)
