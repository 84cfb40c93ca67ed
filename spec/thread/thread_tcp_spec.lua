local momo = require "momo"
local tcp = require "spec.support.tcp"

describe("threads that share an address with reuseport", function()
  after_each(tcp.check_nothing_left)

  it("serve all its connections between them", function()
    tcp.run(function()
      local first = tcp.listen { reuseport = true }
      local address, n = first:local_addr(), 4
      local control = tcp.listen()
      local threads, controls = {}, {}
      for i = 1, n do
        threads[i] = assert(momo.thread.spawn(function(where, report)
          local listener = assert(momo.net.TcpListener.bind(where, { reuseport = true }))
          local served = 0
          local acceptor = momo.spawn(function()
            while true do
              local stream = listener:accept()
              if not stream then
                return
              end
              served = served + 1
              momo.spawn(function()
                for line in stream:lines() do
                  stream:write { line, "\n" }
                end
                stream:close()
              end)
            end
          end)
          local parent = assert(momo.net.TcpStream.connect(report))
          parent:write "ready"
          parent:read() -- until the parent closes it
          listener:close()
          acceptor:join()
          return served
        end, address, control:local_addr()))
      end
      for i = 1, n do
        controls[i] = assert(control:accept())
        assert.equal("ready", controls[i]:read())
      end
      first:close() -- from here on only the threads listen
      local clients = {}
      for i = 1, 100 do
        clients[i] = momo.spawn(function()
          local stream = assert(momo.net.TcpStream.connect(address))
          for round = 1, 3 do
            assert(stream:write(i .. " " .. round .. "\n"))
            assert.equal(i .. " " .. round .. "\n", stream:read_until "\n")
          end
          stream:close()
        end)
      end
      for i = 1, 100 do
        assert(clients[i]:join())
      end
      for i = 1, n do -- in the order in which they came, which need not be that of the threads
        controls[i]:close()
      end
      local total = 0
      for i = 1, n do
        local ok, served = threads[i]:join()
        assert(ok, served)
        total = total + served
      end
      assert.equal(100, total)
    end)
  end)
end)
