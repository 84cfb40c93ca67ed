-- An HTTP client on Momo: so many requests of a server on 127.0.0.1, by so many tasks, each of which keeps its
-- connection. Prints the CPU time of one in ns.
--
-- Usage: momo.lua CONNECTIONS COUNT PORT

local momo = require "momo"

local connections, count, port = tonumber((...)), tonumber((select(2, ...))), (select(3, ...))
local client = momo.http.Client { max_per_host = connections }
local url = "http://127.0.0.1:" .. port .. "/"

local function run(total)
  momo.scope(function(scope)
    for _ = 1, connections do
      scope:spawn(function()
        for _ = 1, total / connections do
          local answer = assert(client:get(url))
          assert(answer.status == 200 and answer.body == "Hello, world!\n")
        end
      end)
    end
  end)
end

run(count / 5)
local began = os.clock()
run(count)
print(("%.1f"):format((os.clock() - began) * 1e9 / count))
client:close()
