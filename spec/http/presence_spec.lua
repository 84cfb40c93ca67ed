-- Whether the client is still there while a handler works.

local http = require "spec.support.http"
local momo = require "momo"
local tcp = require "spec.support.tcp"

local with_server = http.with_server

local GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
local POST = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"

for transport in pairs(http.transports) do
  describe("request.closed, over " .. transport, function()
    after_each(tcp.check_nothing_left)

    -- A handler that waits until its client has gone, and notes that.
    local function waiter(seen)
      return function(request, response)
        if request.method == "POST" then
          request:body()
        end
        seen.waits:notify_one()
        seen.which = momo.select { seen.go, request.closed }
        response:send(200, "still here")
        seen.done:notify_one()
      end
    end

    local function notes()
      return { waits = momo.sync.Notify(), go = momo.sync.Notify(), done = momo.sync.Notify() }
    end

    it("is notified when the client leaves, whatever it has sent before", function()
      for _, bytes in ipairs { GET, POST .. "hello", GET .. GET, GET .. "GET /half" } do
        local seen = notes()
        with_server(waiter(seen), nil, function(connect)
          local stream = connect()
          stream:write(bytes)
          seen.waits:notified()
          stream:close()
          seen.done:notified()
          assert.equal(2, seen.which)
          seen.go:notify_one() -- for the second request, if there was one
        end, transport)
      end
    end)

    it("is at once where the exchange is over, and leaves the connection alone", function()
      local kept, watched
      with_server(function(request, response)
        kept = kept or request
        response:send(200, request.path)
      end, nil, function(connect)
        local stream = connect()
        stream:write(GET)
        assert(stream:read())
        http.settle() -- now the next request is waited for
        watched = momo.spawn(function() return (momo.select { kept.closed, momo.time.after(30) }) end)
        assert.same({ true, 1 }, { watched:join() })
        stream:write(GET)
        assert.equal("200", http.statuses((assert(stream:read()))))
        stream:close()
      end, transport)
    end)

    it("is not while it is there, and what it says next is its next request", function()
      local seen = notes()
      with_server(waiter(seen), nil, function(connect)
        local stream = connect()
        stream:write(GET)
        seen.waits:notified()
        stream:write(GET)
        http.settle()
        for _ = 1, 2 do
          assert.is_nil(seen.which)
          seen.go:notify_one()
          seen.done:notified()
          assert.equal(1, seen.which)
          seen.which = nil
          assert.matches("still here$", (stream:read_until "still here"))
        end
        stream:close()
      end, transport)
    end)

    it("is looked at once the body was read", function()
      local closed, body, done = nil, nil, momo.sync.Notify()
      with_server(function(request, response)
        local waitable = request.closed
        body = request:body()
        closed = momo.select { waitable }
        response:send(200)
        done:notify_one()
      end, nil, function(connect)
        local stream = connect()
        stream:write(POST .. "he")
        http.settle()
        stream:write "llo"
        http.settle()
        stream:close()
        done:notified()
      end, transport)
      assert.same({ "hello", 1 }, { body, closed })
    end)

    it("stands in nobody's way", function()
      with_server(function(request, response)
        assert(request.closed == request.closed)
        if request.path == "/upgrade" then
          local stream = assert(response:upgrade "echo")
          stream:write(stream:read_exact(5))
        elseif request.path == "/socket" then
          local ws = response:websocket(request)
          for message in ws:messages() do ws:send(message) end
        else
          response:send(200, request:body())
        end
      end, nil, function(connect)
        local stream = connect()
        stream:write(POST .. "hello" .. GET .. POST .. "again")
        assert.matches("hello.*again$", (stream:read_until "again"))
        stream:write "GET /upgrade HTTP/1.1\r\nHost: a\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\nraw!!"
        assert.matches("\r\n\r\nraw!!$", http.read_all(stream))
        stream:close()
      end, transport)
    end)
  end)

  describe("cancel_on_close, over " .. transport, function()
    after_each(tcp.check_nothing_left)

    it("cancels the handler when its client has gone, and cleans up", function()
      local begun, ended, why = momo.sync.Notify(), momo.sync.Notify(), nil
      local logged
      with_server(function(request, response)
        request:body()
        momo.scope(function(scope)
          scope:defer(function() ended:notify_one() end)
          begun:notify_one()
          local ok, err = pcall(momo.time.sleep, 1000)
          why = not ok and err
          error(err, 0)
        end)
        response:send(200)
      end, { cancel_on_close = true, access_log = function(_, response) logged = response.status or "none" end },
      function(connect)
        for _, bytes in ipairs { GET, POST .. "hello" } do
          why, logged = nil, nil
          local stream = connect()
          stream:write(bytes)
          begun:notified()
          assert.is_nil(why)
          stream:close()
          ended:notified()
          tcp.wait_for(function() return logged end)
          assert.is_true(momo.is_cancelled(why))
          assert.equal("none", logged)
        end
      end, transport)
    end)

    it("lets handlers alone whose client is there", function()
      with_server(function(request, response)
        response:send(200, request:body())
      end, { cancel_on_close = true }, function(connect)
        local stream = connect()
        for _ = 1, 3 do
          stream:write(POST .. "hello")
          assert.matches("hello$", (stream:read_until "hello"))
        end
        stream:write(POST .. "hello" .. GET .. POST .. "again")
        assert.matches("hello.*again$", (stream:read_until "again"))
        stream:close()
      end, transport)
    end)

    it("raises what a handler raises", function()
      local told = {}
      with_server(function() error "no luck" end, {
        cancel_on_close = true, on_error = function(err) told[#told + 1] = tostring(err) end,
      }, function(connect)
        assert.equal(500, http.answer(connect, (GET:gsub("\r\n\r\n", "\r\nConnection: close\r\n\r\n"))).status)
      end, transport)
      assert.equal(1, #told)
      assert.matches("no luck", told[1])
    end)
  end)
end
