-- The ways of a client to where a URL leads.

local client = require "momo.http.client"
local momo = require "momo"
local scripted = require "spec.support.scripted"
local tcp = require "spec.support.tcp"

local assert_failed = tcp.assert_failed

-- Runs fn(client, ...) with servers, one for each function of scripts; it gets their URLs.
local function with(scripts, fn)
  tcp.run(function()
    local urls, servers = {}, {}
    for i, script in ipairs(scripts) do
      urls[i], servers[i] = scripted.serve(script)
    end
    local c = client.Client { timeout = 20 }
    fn(c, unpack(urls))
    c:close()
    for _, server in ipairs(servers) do
      server.listener:close()
    end
  end)
end

describe("a client", function()
  after_each(tcp.check_nothing_left)

  it("goes by a name, or an address of either family", function()
    tcp.run(function()
      local c = client.Client()
      for address, host in pairs {
        ["127.0.0.1:0"] = "localhost", ["[::1]:0"] = "[::1]", ["127.0.0.2:0"] = "127.0.0.2",
      } do
        local listener = momo.net.TcpListener.bind(address)
        if listener then
          local port = listener:local_addr():match "%d+$"
          local server = momo.spawn(function()
            local peer = scripted.peer(assert(listener:accept()))
            peer:answer(200, assert(peer:head()).host)
            peer.stream:close()
            listener:close()
          end)
          assert.equal(host .. ":" .. port, assert(c:get(("http://%s:%s/"):format(host, port))).body)
          server:join()
        end
      end
      local _, _, code = c:get "http://no-such-host.invalid/"
      assert.matches("^EAI_", code)
      c:close()
    end)
  end)

  it("goes through a Unix socket", function()
    tcp.run(function()
      local path = os.tmpname()
      os.remove(path)
      local listener = assert(momo.net.UnixListener.bind(path))
      local count = 0
      local server = momo.spawn(function()
        count = count + 1
        local peer = scripted.peer(assert(listener:accept()))
        peer:answer_all(function(head) return 200, head[1] .. " " .. head.host end)
        peer.stream:close()
      end)
      local c = client.Client { unix = path }
      for _ = 1, 3 do
        assert.equal("GET /x HTTP/1.1 docker", assert(c:get "http://docker/x").body)
      end
      assert.equal(1, count)
      c:close()
      server:join()
      listener:close()
      os.remove(path)
      assert_failed("ENOENT", client.get("http://docker/x", { unix = path }))
    end)
  end)

  it("goes through a proxy, with the whole URL", function()
    with({ function(peer)
      peer:answer_all(function(head) return 200, table.concat(head, "|") end)
    end }, function(c, proxy)
      local text = c:get("http://a.example:81/x?y#z", { proxy = (proxy:gsub("//", "//me:p%%77@")) }).body
      assert.matches("GET http://a.example:81/x?y HTTP/1.1|Host: a.example:81|", text, 1, true)
      assert.matches("Proxy-Authorization: Basic bWU6cHc=", text, 1, true)
      assert.is_nil(text:find "\nAuthorization")
      text = c:get("http://b.example/", { proxy = proxy }).body
      assert.is_nil(text:find "Authorization")
    end)
  end)

  it("keeps connections to a proxy for all servers behind it", function()
    tcp.run(function()
      local proxy, server = scripted.echo(function(head) return 200, head.host end)
      local c = client.Client { proxy = proxy }
      for _, host in ipairs { "a.example", "b.example", "a.example" } do
        assert.equal(host, assert(c:get("http://" .. host)).body)
      end
      assert.equal(1, server.count)
      assert_failed("ECONNREFUSED", c:get("http://127.0.0.1:1/", { proxy = false }))
      c:close()
      server.listener:close()
    end)
  end)

  it("says what to install where there is no TLS", function()
    if pcall(require, "momo.tls") then
      return pending "there is TLS"
    end
    tcp.run(function()
      assert_failed("EPROTONOSUPPORT", client.get "https://127.0.0.1:1/")
      assert.matches("https needs libssl 3", (select(2, client.get "https://127.0.0.1:1/")))
    end)
  end)
end)
