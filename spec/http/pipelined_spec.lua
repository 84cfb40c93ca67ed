-- Requests that come together: whatever their handlers do, the answers are whole and in order.

local http = require "spec.support.http"
local momo = require "momo"
local random = require "spec.support.random"
local tcp = require "spec.support.tcp"

local LAST = "GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
local CONNECTIONS, REQUESTS = 4, 120

-- How a handler may answer: what it is given is the body that is expected.
local kinds = {
  small = function(response, text) response:send(200, text) end,
  created = function(response, text) response:send(201, text) end,
  with_header = function(response, text) response:send(200, text, { A = "b" }) end,
  in_pieces = function(response, text) response:send(200, { text:sub(1, 3), text:sub(4) }) end,
  large = function(response, text) response:send(200, text .. ("x"):rep(12000)) end,
  beyond_a_copy = function(response, text) response:send(200, text .. ("x"):rep(20000)) end,
  huge = function(response, text) response:send(200, text .. ("x"):rep(300000)) end,
  streamed = function(response, text)
    response:start(200)
    response:write(text:sub(1, 2))
    response:write(text:sub(3))
  end,
  of_a_length = function(response, text)
    response:start(200, { ["Content-Length"] = #text })
    response:write(text)
  end,
  later = function(response, text)
    momo.time.sleep(0)
    response:send(200, text)
  end,
  interim = function(response, text)
    response:interim(103, { Link = "</a>" })
    response:send(200, text)
  end,
}
local TAILS = { large = 12000, beyond_a_copy = 20000, huge = 300000 }
local names = {}
for name in pairs(kinds) do
  names[#names + 1] = name
end
table.sort(names)

local function handle(request, response)
  local kind = request.path:match "^/(%a[%a_]*)/" or "small"
  kinds[kind](response, request.path)
end

-- Requests, and the bodies of their answers.
local function make_requests(rng)
  local requests, bodies = {}, {}
  for i = 1, REQUESTS do
    local kind = random.pick(rng, rng(4) == 0 and names or { "small", "with_header" })
    local path = ("/%s/%d"):format(kind, i)
    requests[i] = ("GET %s HTTP/1.1\r\nHost: a\r\nUser-Agent: %s\r\n\r\n"):format(path, ("u"):rep(1 + rng(3)))
    bodies[i] = path .. ("x"):rep(TAILS[kind] or 0)
  end
  return table.concat(requests) .. LAST, bodies
end

local function check_answers(text, bodies)
  local list, at = http.answers(text), 0
  for _, got in ipairs(list) do
    if got.status >= 200 then
      at = at + 1
      assert.equal(bodies[at] or "/last", got.body)
      assert(got.headers.date and (got.status == 200 or got.status == 201))
    end
  end
  assert.equal(#bodies + 1, at)
  assert.equal("close", list[#list].headers.connection)
end

describe("Pipelined requests", function()
  after_each(tcp.check_nothing_left)

  for name in pairs(http.transports) do
    it("of several connections are answered in order over " .. name, function()
      http.with_server(handle, nil, function(connect)
        local clients = {}
        for i = 1, CONNECTIONS do
          local bytes, bodies = make_requests(random.of(i))
          clients[i] = momo.spawn(function()
            local stream = connect()
            local writer = momo.spawn(function() assert(stream:write(bytes)) end)
            http.settle() -- so that the server has more to say than the system takes
            check_answers(http.read_all(stream), bodies)
            writer:join()
            stream:close()
          end)
        end
        for _, one in ipairs(clients) do
          assert(one:join())
        end
      end, name)
    end)
  end

  for name in pairs(http.transports) do
    it("are answered with what the system does not take at once over " .. name, function()
      http.with_server(handle, nil, function(connect)
        local stream, requests, bodies = connect(), {}, {}
        for i = 1, 600 do
          local path = ("/%s/%d"):format(i % 7 == 0 and "small" or "large", i)
          requests[i] = ("GET %s HTTP/1.1\r\nHost: a\r\n\r\n"):format(path)
          bodies[i] = path .. ("x"):rep(i % 7 == 0 and 0 or 12000)
        end
        local writer = momo.spawn(stream.write, stream, table.concat(requests) .. LAST)
        for _ = 1, 20 do
          http.settle()
        end
        check_answers(http.read_all(stream), bodies)
        assert(writer:join())
        stream:close()
      end, name)
    end)
  end

  it("are answered as they come by a server whose answers have nothing in them", function()
    http.with_server(function(_, response) response:send(200, "") end, nil, function(connect)
      local list = http.answers(http.ask(connect, ("GET / HTTP/1.1\r\nHost: a\r\n\r\n"):rep(40) .. LAST))
      assert.equal(41, #list)
    end)
  end)

  it("leave nothing to who comes next when their client goes", function()
    http.with_server(function(request, response)
      response:send(200, request.path)
      if request.path == "/wait" then
        momo.time.sleep(0)
      end
    end, nil, function(connect)
      for _ = 1, 20 do
        local stream = connect()
        stream:write("GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /wait HTTP/1.1\r\nHost: a\r\n\r\n" .. LAST)
        stream:set_option("so_linger", 0)
        stream:close()
        assert.equal("/last", http.answer(connect, LAST).body)
      end
    end)
  end)
end)
