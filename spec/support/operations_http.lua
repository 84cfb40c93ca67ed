---The rows of operations.lua for HTTP clients.

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

return rows
