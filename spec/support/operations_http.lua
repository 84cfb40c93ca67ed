---The rows of operations.lua for HTTP clients and servers.

local frames = require "spec.support.frames"
local momo = require "momo"
local scripted = require "spec.support.scripted"
local tcp = require "spec.support.tcp"

local MUCH = ("x"):rep(16 * 1024 * 1024) -- more than two sockets hold

local rows = {}

-- A client with one place, and a listener that answers nothing. What was given up has given the place back.
local function silent()
  local listener = tcp.listen()
  local client = momo.http.Client { max_per_host = 1, timeout = false, connect_timeout = false }
  return client, "http://" .. listener:local_addr(), function()
    listener:close()
    local url, server = scripted.echo(function() return 200, "x" end)
    assert(client:get(url).body == "x")
    client:close()
    server.listener:close()
  end
end

rows["http client:get"] = function()
  local client, url, check = silent()
  return { wait = function() return client:get(url) end, check = check }
end

rows["http client:post of much"] = function()
  local client, url, check = silent()
  return { wait = function() return client:post(url, MUCH) end, check = check }
end

rows["http client:get, where a place is waited for"] = function()
  local client, url = silent()
  local first = tcp.waiting(function() return client:get(url) end)
  return {
    wait = function() return client:get(url) end,
    check = function()
      first:cancel()
      first:join()
      tcp.assert_failed("ETIMEDOUT", client:get(url, { timeout = 0.001 })) -- it has the place now
    end,
  }
end

rows["http answer:read"] = function()
  local url, server = scripted.serve(function(peer)
    peer:head()
    peer:say "HTTP/1.1 200 OK\nContent-Length: 2\n\nx"
    peer.stream:read()
  end)
  local client = momo.http.Client { timeout = false }
  local ready, done, result = momo.sync.Notify(), momo.sync.Notify(), nil
  local reader = momo.spawn(function()
    client:stream("GET", url, nil, function(answer)
      assert(answer:read() == "x")
      result = answer
      ready:notify_one()
      done:notified()
    end)
  end)
  ready:notified()
  return {
    wait = function() return result:read() end,
    check = function()
      done:notify_one()
      reader:join()
      client:close()
      server.listener:close()
    end,
  }
end

rows["http.websocket"] = function()
  local listener = tcp.listen()
  return {
    wait = function()
      return momo.http.websocket("ws://" .. listener:local_addr(), { timeout = false, connect_timeout = false })
    end,
    check = function() listener:close() end,
  }
end

rows["http.serve"] = function()
  local listener = tcp.listen()
  return {
    wait = function() return momo.http.serve(listener, print) end,
    check = function() listener:close() end,
  }
end

-- A handler that holds its request still: request, response, the client's stream, and a function that lets it end.
local function held(head, prepare)
  local listener = tcp.listen()
  local options = { read_timeout = false, write_timeout = false, request_timeout = false }
  local ready, done, request, subject = momo.sync.Notify(), momo.sync.Notify(), nil, nil
  local server = momo.spawn(momo.http.serve, listener, function(q, r)
    request, subject = q, prepare and prepare(q, r) or r
    ready:notify_one()
    done:notified()
  end, options)
  local stream = assert(momo.net.TcpStream.connect(listener:local_addr()))
  assert(stream:write(head))
  ready:notified()
  return request, subject, stream, function()
    stream:close()
    done:notify_one()
    listener:close()
    assert(server:join())
  end
end

local POST = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"

rows["http request:read"] = function()
  local request, response, stream, finish = held(POST)
  return {
    served = true,
    wait = function() return request:read() end,
    check = function()
      assert(stream:write "hello")
      assert(request:body() == "hello")
      assert(response:send(200))
      finish()
    end,
  }
end

rows["http response:send of much"] = function()
  local _, response, _, finish = held "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
  return {
    served = true,
    once = true,
    wait = function() return response:send(200, MUCH) end,
    check = finish,
  }
end

rows["http response:write"] = function()
  local _, response, _, finish = held("GET / HTTP/1.1\r\nHost: a\r\n\r\n", function(_, r)
    r:start(200)
    return r
  end)
  return {
    served = true,
    once = true,
    wait = function() return response:write(MUCH) end,
    check = finish,
  }
end

local function held_socket()
  local _, ws, stream, finish = held(frames.handshake(), function(q, r)
    return assert(r:websocket(q, { ping_interval = false }))
  end)
  assert(stream:read_until "\r\n\r\n")
  return ws, stream, finish
end

rows["ws:recv"] = function()
  local ws, stream, finish = held_socket()
  return {
    served = true,
    own = true,
    wait = function(timeout) return ws:recv(timeout) end,
    check = function()
      assert(stream:write(frames.frame(1, "hello")))
      assert(ws:recv() == "hello")
      finish()
    end,
  }
end

rows["ws:send of much"] = function()
  local ws, _, finish = held_socket()
  return {
    served = true,
    once = true,
    wait = function() return ws:send(MUCH, "binary") end,
    check = finish,
  }
end

return rows
