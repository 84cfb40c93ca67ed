-- Files on Momo. Usage: momo.lua WORKLOAD COUNT FOLDER PORT (see load/files.c). Prints ns an operation:
--   read    64 KiB of a large file, from its beginning on
--   plain   the same by Lua's own io
--   copy    a MiB of it, sent to the port by the system
--   small   a stat and a read of a small file

local momo = require "momo"
local fs = momo.fs

local workload, count, folder, port = arg[1], tonumber(arg[2]), arg[3], arg[4]
local PIECE = 65536

local function open_again(open)
  local file
  return function()
    local bytes = file and file:read(PIECE)
    if not bytes then
      if file then file:close() end
      file = assert(open(folder .. "/big"))
      bytes = file:read(PIECE)
    end
    return #bytes
  end
end

local workloads = { read = open_again(fs.open), plain = open_again(io.open) }

local sink
function workloads.copy(n)
  sink = sink or assert(momo.net.TcpStream.connect("127.0.0.1:" .. port))
  local file = assert(fs.open(folder .. "/big"))
  assert(momo.io.copy(file, sink, n * 1048576) == n * 1048576)
  file:close()
end

local next_file = 0
function workloads.small()
  local path = folder .. "/small/" .. next_file % 10000
  next_file = next_file + 1
  assert(fs.stat(path))
  assert(#fs.read(path) == 1000)
end

local function run(n)
  if workload == "copy" then
    return workloads.copy(n)
  end
  local operation = workloads[workload]
  for _ = 1, n do
    operation()
  end
end

run(count)
local begin = momo.time.now()
run(count)
print((momo.time.now() - begin) / count * 1e9)
momo.stop()
