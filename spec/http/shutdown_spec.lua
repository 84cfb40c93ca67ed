-- A server that is told to end while clients go on asking: a deploy loses no request.

local momo = require "momo"
local process = require "spec.support.process"
local support = require "spec.support"
local tcp = require "spec.support.tcp"

local CLIENTS = 40

local SERVER = [[
  local momo = require "momo"
  local listener = assert(momo.net.%s)
  io.stdout:setvbuf "line"
  print(listener:local_addr())
  assert(momo.http.serve(listener, function(request, response)
    if request.path == "/slow" then
      momo.time.sleep(0.02)
    elseif request.path == "/chat" then
      local ws = assert(response:websocket(request))
      for message in ws:messages() do ws:send(message) end
      return
    end
    response:send(200, request:body())
  end, { drain = 20 }))
]]

-- Asks on one connection after the other, until there is none. Counts what was answered and what was not.
local function ask(connect, counts, path, body)
  local request = ("POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s"):format(path, #body, body)
  while true do
    local stream, _, code = connect()
    if not stream then
      assert(code == "ECONNREFUSED" or code == "ENOENT", code)
      return
    end
    stream:set_timeout(60)
    local closes
    repeat
      local sent = stream:write(request)
      local head = sent and stream:read_until "\r\n\r\n"
      local got = head and stream:read_exact(#body)
      if got == body and head:find "^HTTP/1.1 200 " then
        counts.answered = counts.answered + 1
      else
        counts.lost[#counts.lost + 1] = ("%s %q"):format(path, head or "no head")
      end
      closes = not got or head:find "Connection: close"
    until closes
    stream:close()
  end
end

local KINDS = {
  tcp = {
    listener = 'TcpListener.bind "127.0.0.1:0"',
    connect = function(address) return momo.net.TcpStream.connect(address) end,
    websocket = function(address) return momo.http.websocket("ws://" .. address .. "/chat") end,
  },
  unix = {
    listener = "UnixListener.bind(arg[1])",
    connect = function(address) return momo.net.UnixStream.connect(address) end,
    websocket = function(address) return momo.http.websocket("ws://a/chat", { unix = address }) end,
  },
}

for name, kind in pairs(KINDS) do
  describe("a server over " .. name .. " that gets a SIGTERM", function()
    after_each(process.stop_all)

    it("answers every request that was sent, says 1001 to WebSockets, and ends well", function()
      local path = os.tmpname()
      os.remove(path)
      local server = process.start_momo(support.tmpfile(SERVER:format(kind.listener)), path)
      local address = process.line_of(server)
      local counts, close_codes = { answered = 0, lost = {} }, {}
      tcp.run(function()
        local chatting = {}
        for i = 1, 3 do
          local ws = assert(kind.websocket(address))
          chatting[i] = momo.spawn(function()
            for _ in ws:messages() do end -- luacheck: ignore 542
            close_codes[i] = ws.close_code
          end)
        end
        local idle = assert(kind.connect(address))
        momo.scope(function(scope)
          for i = 1, CLIENTS do
            scope:spawn(ask, function() return kind.connect(address) end, counts, i % 4 == 0 and "/slow" or "/",
              ("x"):rep(i * 100))
          end
          tcp.wait_for(function() return counts.answered > 2000 end)
          os.execute("kill -TERM " .. server.pid)
        end)
        for _, task in ipairs(chatting) do
          task:join()
        end
        tcp.assert_failed("EOF", idle:read())
        idle:close()
      end)
      assert.same({}, counts.lost)
      assert.same({ 1001, 1001, 1001 }, close_codes)
      assert.equal("status 0\n", process.wait(server))
    end)
  end)
end
