-- Files as a server sends them over a connection.

local folder = require "spec.support.folder"
local http = require "spec.support.http"
local momo = require "momo"
local support = require "spec.support"
local tcp = require "spec.support.tcp"

local LARGE = {}
for i = 1, 3 * 1024 * 1024 do
  LARGE[i] = string.char(i * 7919 % 251)
end
LARGE = table.concat(LARGE)
local root = folder.make { ["small.txt"] = "0123456789", ["large.bin"] = LARGE, ["page.html"] = "<p>" }

local function files(request, response)
  return momo.http.files(root)(request, response)
end

local function get(connect, target, fields)
  local stream = connect()
  stream:write(("GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n"):format(target, fields or ""))
  local all = http.read_all(stream)
  stream:close()
  return all:match "^(.-\r\n\r\n)(.*)$"
end

describe("a file", function()
  after_each(tcp.check_nothing_left)

  for transport in pairs(http.transports) do
    it("is sent whole and in part, over " .. transport, function()
      http.with_server(files, nil, function(connect)
        local _, body = get(connect, "/small.txt")
        assert.equal("0123456789", body)
        local head
        head, body = get(connect, "/large.bin")
        assert.is_true(LARGE == body)
        assert.matches("\r\nContent%-Length: 3145728\r\n", head)
        head, body = get(connect, "/large.bin", "Range: bytes=100000-1999999\r\n")
        assert.matches("^HTTP/1.1 206 ", head)
        assert.is_true(LARGE:sub(100001, 2000000) == body)
      end, transport)
    end)
  end

  it("may come from anywhere, by its path or its descriptor", function()
    local handle = assert(io.open(root .. "/small.txt"))
    local ffi = require "ffi"
    ffi.cdef "int fileno(void *);"
    http.with_server(function(request, response)
      if request.path == "/fd" then
        response:file(ffi.C.fileno(handle), { ["Content-Type"] = "text/x" })
      elseif request.path == "/none" then
        tcp.assert_failed("ENOENT", response:file(root .. "/none"))
        response:send(404, "none")
      else
        response:file(root .. request.path)
      end
    end, nil, function(connect)
      for _ = 1, 2 do
        local head, body = get(connect, "/fd", "Range: bytes=5-\r\n")
        assert.matches("Content%-Type: text/x", head)
        assert.equal("56789", body)
      end
      local head = get(connect, "/page.html", 'If-None-Match: *\r\n')
      assert.matches("^HTTP/1.1 304 ", head)
      assert.matches("^HTTP/1.1 404 ", (get(connect, "/none")))
      assert.matches("Content%-Type: text/html", (get(connect, "/page.html")))
    end)
    handle:close()
  end)

  it("that becomes shorter while it is sent is no whole one", function()
    folder.write(root, "shrinks.bin", LARGE:rep(10)) -- more than two sockets hold
    local failures = {}
    http.with_server(files, { on_error = function(err) failures[#failures + 1] = err end }, function(connect)
      local stream = connect()
      stream:write "GET /shrinks.bin HTTP/1.1\r\nHost: x\r\n\r\n"
      stream:read(100)
      folder.shell(root, "truncate -s 1000 shrinks.bin")
      local all = http.read_all(stream)
      assert.is_true(#all < 10 * #LARGE)
      assert.matches("%[ECONNRESET", all:sub(-100))
      stream:close()
    end)
    assert.same({ "the file became shorter while it was sent" }, failures)
  end)

  it("that a client does not read to its end leaves nothing open", function()
    http.with_server(files, nil, function(connect)
      for _ = 1, 5 do
        local stream = connect()
        stream:write "GET /large.bin HTTP/1.1\r\nHost: x\r\n\r\n"
        stream:read(100)
        stream:set_option("linger", 0)
        stream:close()
      end
    end)
  end)

  it("is resumed by curl", function()
    if support.shell "command -v curl" ~= 0 then
      return pending "curl is not installed"
    end
    folder.write(root, "got.bin", LARGE:sub(1, 1000000))
    http.with_server(files, nil, function(_, _, listener)
      local command = ("cd %s && curl -sS -C - -o got.bin http://%s/large.bin && cmp got.bin large.bin"):format(root,
        listener:local_addr())
      local _, status = momo.spawn_blocking(function(line) return os.execute(line) end, command):join()
      assert.equal(0, status)
    end)
  end)
end)
