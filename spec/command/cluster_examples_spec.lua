---The failure drill of examples/cluster: each of its processes is killed under load, and no accepted job is lost.

local beside = require "spec.support.beside"
local folder = require "spec.support.folder"
local momo = require "momo"
local process = require "spec.support.process"
local tcp = require "spec.support.tcp"

local WRITERS = 8
local VICTIMS = { "service 1", "nats", "service 3", "haproxy", "service 2" }

local function absent()
  for _, program in ipairs { "nats-server", "haproxy" } do
    if os.execute("command -v " .. program .. " >/dev/null") ~= 0 then
      return program .. " is not installed"
    end
  end
end

describe("examples", function()
  after_each(process.stop_all)

  it("cluster: any one process is killed under load, and no acknowledged work is lost", function()
    if absent() then
      return pending(absent())
    end
    tcp.run(function()
      local port = beside.free_port()
      local words = { os.getenv "MOMO_BIN", os.getenv "MOMO_SOURCE_DIR" .. "/examples/cluster/cluster.lua", port,
        folder.make {}, stdout = "pipe", stderr = "stdout" }
      local cluster = assert(momo.process.spawn(words))
      local pids = {}
      local listening = momo.spawn(function()
        for line in cluster.stdout:lines() do
          local name, pid = line:match "^(.*): process (%d+)$"
          if name then
            pids[name] = pid
          end
        end
      end)

      local url = "http://127.0.0.1:" .. port .. "/jobs/"
      local client = momo.http.Client { timeout = 10 }
      local accepted, accepting, last = {}, true, 0
      local function write()
        while accepting do
          last = last + 1
          local id = "job-" .. last
          local answer
          repeat -- as any client would that got no answer
            answer = client:request("PUT", url .. id, { body = "words of " .. id })
            if not answer or answer.status ~= 202 then
              momo.time.sleep(0.02)
            end
          until answer and answer.status == 202 or not accepting
          if answer and answer.status == 202 then
            accepted[#accepted + 1] = id
          end
        end
      end

      momo.scope(function(scope)
        for _ = 1, WRITERS do
          scope:spawn(write)
        end
        for _, name in ipairs(VICTIMS) do
          local before = #accepted
          tcp.wait_for(function() return #accepted > before + 50 end)
          local pid = pids[name]
          pids[name] = nil
          assert.equal(0, os.execute("kill -KILL " .. pid))
          tcp.wait_for(function() return pids[name] end)
        end
        local before = #accepted
        tcp.wait_for(function() return #accepted > before + 50 end)
        accepting = false
      end)

      for _, id in ipairs(accepted) do
        local answer
        tcp.wait_for(function()
          answer = client:get(url .. id)
          return answer and answer.status == 200
        end)
        assert.equal(("words of " .. id):upper(), answer.body)
      end
      client:close()
      cluster:kill "SIGTERM"
      cluster:wait()
      listening:join()
    end)
  end)
end)
