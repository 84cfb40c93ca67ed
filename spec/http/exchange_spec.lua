-- Bodies that a client sends, beside what a server makes of them meanwhile.

local client = require "momo.http.client"
local momo = require "momo"
local scripted = require "spec.support.scripted"
local tcp = require "spec.support.tcp"

local assert_failed = tcp.assert_failed

local MUCH = ("0123456789abcdef"):rep(512 * 1024) -- more than two sockets hold

-- Runs fn(url, client) with a server that does this.
local function with(script, fn)
  local server
  tcp.run(function()
    local url
    url, server = scripted.serve(script)
    local c = client.Client { timeout = 20 }
    fn(url, c, server)
    c:close()
    server.listener:close()
  end)
  return server
end

local function pieces_of(text, size)
  local at = 1
  return function()
    if at <= #text then
      at = at + size
      return text:sub(at - size, at - 1)
    end
  end
end

describe("a body", function()
  after_each(tcp.check_nothing_left)

  local bodies = {
    ["a string"] = function() return MUCH end,
    ["an array"] = function() return { MUCH:sub(1, 100), MUCH:sub(101) } end,
    ["a function"] = function() return pieces_of(MUCH, 100000) end,
  }

  for name, body in pairs(bodies) do
    it("may be refused before it is read, by a server that closes: " .. name, function()
      local function refuse(peer)
        peer:head()
        peer:say "HTTP/1.1 413 Too Much\nContent-Length: 2\nConnection: close\n\nno"
        peer.stream:shutdown()
        for _ = 1, 5 do -- lingers, as a server has to
          peer.stream:read()
        end
      end
      with(refuse, function(url, c)
        local answer = assert(c:post(url, body()))
        assert.equal(413, answer.status)
        assert.equal("no", answer.body)
      end)
    end)

    it("may be refused by a server that goes on, and reads nothing: " .. name, function()
      local answered = momo.sync.Notify()
      local function refuse(peer)
        peer:head()
        peer:say "HTTP/1.1 403 No\nContent-Length: 2\n\nno"
        answered:notified()
      end
      local server = with(refuse, function(url, c)
        assert.equal(403, assert(c:post(url, body())).status)
        answered:notify_one()
        answered:notify_one()
        assert.equal(403, assert(c:get(url)).status)
      end)
      assert.equal(2, server.count) -- the first one's connection was not good for anything else
    end)

    it("may be answered while it comes: " .. name, function()
      local function echo(peer)
        local head = peer:head()
        peer:say "HTTP/1.1 200 OK\nConnection: close\n\n"
        local left = tonumber(head["content-length"])
        while left ~= 0 do
          local bytes = left and peer.stream:read(math.min(left, 65536)) or nil
          if not left then
            local size = tonumber(peer.stream:read_until "\n":match "%x+", 16)
            bytes = size > 0 and peer.stream:read_exact(size) or nil
            peer.stream:read_exact(2)
          end
          if not bytes then
            return
          end
          left = left and left - #bytes
          peer.stream:write(bytes)
        end
      end
      with(echo, function(url, c)
        local got = {}
        local status = c:stream("POST", url, { body = body() }, function(answer)
          for piece in answer:pieces() do
            got[#got + 1] = piece
          end
          return answer.status
        end)
        assert.equal(200, status)
        assert.is_true(MUCH == table.concat(got))
      end)
    end)

    it("that is not read is given up with the request: " .. name, function()
      with(function(peer)
        peer:head()
        momo.time.sleep(0.1)
      end, function(url, c)
        assert_failed("ETIMEDOUT", c:post(url, body(), { timeout = 0.02 }))
        local task = tcp.waiting(function() c:post(url, body()) end)
        task:cancel()
        assert.is_true(momo.is_cancelled(select(2, task:join())))
      end)
    end)

    it("whose server goes away has no answer: " .. name, function()
      with(function(peer)
        peer:head()
        peer.stream:read(1000)
        peer.stream:set_option("linger", 0)
      end, function(url, c)
        local answer, _, code = c:post(url, body())
        assert.is_nil(answer)
        assert(code == "ECONNRESET" or code == "EOF" or code == "EPIPE", code)
      end)
    end)
  end

  it("of a function that fails ends the request, and tells what it failed with", function()
    for _, row in ipairs {
      { "ENOENT: no such file", "ENOENT", function() return nil, "ENOENT: no such file", "ENOENT" end },
      { "EINVAL: the body must come in strings, and its function has returned a number", "EINVAL",
        function() return 1 end },
      { "EINVAL: the body has more than the 3 bytes of its Content-Length", "EINVAL", pieces_of("abcd", 2), 3 },
      { "EINVAL: the body has 1 bytes less than its Content-Length", "EINVAL", pieces_of("abcd", 2), 5 },
    } do
      local whole = true
      with(function(peer)
        local head = peer:head()
        whole = pcall(peer.request, { head = function() return head end, stream = peer.stream })
      end, function(url, c)
        local answer, err, code = c:post(url, row[3], { headers = row[4] and { ["Content-Length"] = row[4] } })
        assert.is_nil(answer)
        assert.equal(row[1], err)
        assert.equal(row[2], code)
      end)
      assert.is_false(whole) -- the server has not taken it for one
    end
  end)

  it("of a function that raises raises there, with its place", function()
    with(function(peer) pcall(peer.request, peer) end, function(url, c)
      local ok, err = pcall(c.post, c, url, function() error "oops" end)
      assert.is_false(ok)
      assert.matches("exchange_spec.lua:%d+: oops", err)
    end)
  end)

  it("may come from elsewhere, as slowly as that is", function()
    with(function(peer) peer:answer_all(function(head) return 200, head.body end) end, function(url, c)
      local reader, writer = momo.io.pipe()
      momo.spawn(function()
        for i = 1, 5 do
          writer:write("piece " .. i)
          momo.time.sleep(0.002)
        end
        writer:close()
      end)
      local answer = assert(c:post(url, function() return reader:read() end)) -- its EOF is the body's
      assert.equal("piece 1piece 2piece 3piece 4piece 5", answer.body)
      reader:close()
    end)
  end)
end)
