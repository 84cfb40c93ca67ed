-- What a finalizer may do to a stream or listener while an operation of it makes a string.

local momo = require "momo"
local finalizer = require "spec.support.finalizer"
local tcp = require "spec.support.tcp"

local SENT = ("0123456789abcdef"):rep(4096) .. "\n"

describe("a finalizer that is called in an operation", function()
  after_each(tcp.check_nothing_left)
  after_each(finalizer.restore)

  -- Calls fn(stream) with SENT unread, and a finalizer in its first allocation that does this to the stream.
  local function interrupted(doing, fn)
    tcp.run(function()
      local one, other = tcp.pair()
      assert(other:write(SENT))
      assert.equal(SENT, one:peek(#SENT))
      local called
      local arm = finalizer.garbage(function()
        called = true
        doing(one)
      end)
      arm()
      fn(one)
      assert.is_true(called, "the finalizer was not called")
    end)
  end

  local operations = {
    read = function(stream) return stream:read(40000) end,
    read_exact = function(stream) return stream:read_exact(40000) end,
    read_until = function(stream) return stream:read_until("\n", 70000) end,
    peek = function(stream) return stream:peek(40000) end,
  }
  local results = { read = SENT:sub(1, 40000), read_exact = SENT:sub(1, 40000), read_until = SENT, peek = SENT }
  local rest = { read = SENT:sub(40001), read_exact = SENT:sub(40001), read_until = "", peek = SENT }

  for name, operation in pairs(operations) do
    for _, n in ipairs { 1, 30000, #SENT } do
      it(("can't consume %d bytes under %s"):format(n, name), function()
        local code
        interrupted(function(stream) code = select(3, stream:consume(n)) end, function(stream)
          local result = operation(stream)
          assert.is_true(result == results[name])
          assert.equal("EBUSY", code)
          if rest[name] ~= "" then
            assert.is_true(stream:read_exact(#rest[name]) == rest[name])
          end
          stream:set_timeout(0)
          tcp.assert_failed("ETIMEDOUT", stream:read())
        end)
      end)
    end

    it("may close the stream, and all has come by " .. name, function()
      interrupted(function(stream) stream:close() end, function(stream)
        local result = operation(stream)
        assert.is_true(result == results[name])
        tcp.assert_failed("EBADF", stream:read())
      end)
    end)

    it("may raise, which takes nothing from " .. name, function()
      interrupted(function() error("in the finalizer", 0) end, function(stream)
        local ok, err = pcall(operation, stream)
        assert.same({ false, "in the finalizer" }, { ok, err })
        assert.is_true(stream:consume(1))
        assert.is_true(stream:peek(#SENT - 1) == SENT:sub(2))
        assert.is_true(stream:consume(#SENT - 1))
      end)
    end)
  end

  it("can't change a stream's bytes while a head is read", function()
    tcp.run(function()
      local one, other = tcp.pair()
      local head = "GET /" .. ("x"):rep(3000) .. " HTTP/1.1\r\nHost: a\r\n\r\n"
      assert(other:write(head .. SENT))
      assert(one:peek(#head + #SENT))
      local native = require("momo.internal.core").native
      local limits = native.http_request_limits(8192, 8192, 100, 10, 10, true)
      local code
      local arm = finalizer.garbage(function() code = select(3, one:consume(2000)) end)
      arm()
      local _, _, _, _, method, path = native.http_request(one, limits)
      assert.equal("EBUSY", code)
      assert.is_nil(method) -- which is GET
      assert.equal(3001, #path)
      assert.is_true(one:read_exact(#SENT) == SENT)
    end)
  end)

  it("may raise, which loses no connection that accept has taken", function()
    tcp.run(function()
      local listener = tcp.listen()
      local client = assert(momo.net.TcpStream.connect(listener:local_addr()))
      client:write "hello"
      local behind = momo.net.TcpStream.connect(listener:local_addr())
      finalizer.garbage(function() error("in the finalizer", 0) end)()
      local ok, err = pcall(listener.accept, listener, 10)
      assert.same({ false, "in the finalizer" }, { ok, err })
      local served, peer = assert(listener:accept(10))
      assert.equal(client:local_addr(), peer)
      assert.equal("hello", served:read())
      assert.equal(behind:local_addr(), select(2, listener:accept(10)))
    end)
  end)

  it("may close the listener whose connection is being accepted", function()
    tcp.run(function()
      local listener = tcp.listen()
      local client = assert(momo.net.TcpStream.connect(listener:local_addr()))
      finalizer.garbage(function() listener:close() end)()
      local stream, _, code = listener:accept(10)
      assert.same({ nil, "ECANCELED" }, { stream, code })
      tcp.assert_failed("EOF", client:read())
    end)
  end)
end)
