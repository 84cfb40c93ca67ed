-- Files on luv, whose calls run on its pool; see momo.lua. It copies nothing in the system.

local uv = require "luv"

local workload, count, folder = arg[1], tonumber(arg[2]), arg[3]

local function await(call, ...)
  local own = coroutine.running()
  local arguments = { ... }
  arguments[#arguments + 1] = function(err, value) coroutine.resume(own, assert(not err, err) and value) end
  call(unpack(arguments))
  return coroutine.yield()
end

local workloads = {}

function workloads.read(n)
  local fd, offset = await(uv.fs_open, folder .. "/big", "r", 0), 0
  for _ = 1, n do
    local bytes = await(uv.fs_read, fd, 65536, offset)
    offset = #bytes == 0 and 0 or offset + #bytes
  end
  await(uv.fs_close, fd)
end

local next_file = 0
function workloads.small(n)
  for _ = 1, n do
    local path = folder .. "/small/" .. next_file % 10000
    next_file = next_file + 1
    local status = await(uv.fs_stat, path)
    local fd = await(uv.fs_open, path, "r", 0)
    assert(#await(uv.fs_read, fd, status.size, 0) == 1000)
    await(uv.fs_close, fd)
  end
end

local run = workloads[workload]
if run then
  coroutine.wrap(function()
    run(count)
    local begin = uv.hrtime()
    run(count)
    print((uv.hrtime() - begin) / count)
  end)()
  uv.run()
end
