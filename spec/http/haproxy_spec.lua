---The guide's page on HAProxy, followed to the letter: its program, its settings, and processes that are replaced while
---requests come.

local folder = require "spec.support.folder"
local momo = require "momo"
local process = require "spec.support.process"
local tcp = require "spec.support.tcp"

local SOURCE = assert(os.getenv "MOMO_SOURCE_DIR")

local function read(path)
  local file = assert(io.open(path))
  local text = file:read "*a"
  file:close()
  return text
end

local function free_port()
  local port
  tcp.run(function()
    local listener = tcp.listen()
    port = listener:local_addr():match "%d+$"
    listener:close()
  end)
  return port
end

describe("two processes behind HAProxy", function()
  after_each(process.stop_all)

  it("are replaced one after the other while requests come, and none fails", function()
    local page = read(SOURCE .. "/docs/guide/haproxy.md")
    local ports = { ["8080"] = free_port(), ["8081"] = free_port(), ["8082"] = free_port() }
    local path = folder.make {
      ["app.lua"] = page:match "```lua\n(.-)```",
      ["haproxy.cfg"] = page:match("```haproxy\n(.-)```"):gsub("127%.0%.0%.1:(%d+)", function(port)
        return "127.0.0.1:" .. ports[port]
      end),
    }
    local front = "http://127.0.0.1:" .. ports["8080"]

    local function start(port)
      return process.start_momo(path .. "/app.lua", ports[port])
    end

    tcp.run(function()
      local servers = { ["8081"] = start "8081", ["8082"] = start "8082" }
      local client = momo.http.Client()
      local function is_up(url)
        local answer = client:get(url .. "/health")
        return answer and answer.status == 200
      end
      local function await(port) -- who connects without a header, from a network that is trusted, is refused
        tcp.wait_for(function()
          local stream = momo.net.TcpStream.connect("127.0.0.1:" .. ports[port])
          if stream then
            stream:close()
          end
          return stream
        end)
      end
      await "8081"
      await "8082"
      process.start("haproxy", "-db", "-f", path .. "/haproxy.cfg")
      tcp.wait_for(function() return is_up(front) end)

      local stopping, done, failures = false, 0, {}
      momo.scope(function(scope)
        for _ = 1, 8 do
          scope:spawn(function()
            while not stopping do
              local answer, err = client:get(front .. "/")
              if not answer or answer.status ~= 200 or not answer.body:find "^Hello, 127%.0%.0%.1:%d+!\n$" then
                failures[#failures + 1] = err or answer.status .. " " .. answer.body
              end
              done = done + 1
            end
          end)
        end
        for _, port in ipairs { "8081", "8082" } do
          local before = done
          tcp.wait_for(function() return done > before + 100 end)
          os.execute("kill -TERM " .. servers[port].pid)
          local ended = momo.spawn_blocking(function(pid)
            return os.execute(("while kill -0 %d 2>/dev/null; do sleep 0.01; done"):format(pid))
          end, servers[port].pid)
          ended:join()
          assert.equal("status 0\n", process.wait(servers[port]))
          before = done
          tcp.wait_for(function() return done > before + 100 end) -- by the other one
          servers[port] = start(port)
          await(port)
          tcp.wait_for(function() return is_up(front) end)
        end
        stopping = true
      end)
      client:close()
      assert.same({}, failures)
      assert(done > 400)
    end)
  end)
end)
