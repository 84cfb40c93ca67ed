-- What spec/net/strace_spec.lua runs under strace: the same session of echo twice. getppid marks the end of the start,
-- and where the second session begins and ends. Prints how many connections that one has served, and how many
-- descriptors and bytes of malloc it has left behind.

jit.off() -- where a trace allocates, LuaJIT does not survive that it can't
jit.flush()
local ffi = require "ffi"
local momo = require "momo"

ffi.cdef [[
  typedef struct { size_t arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost; } info;
  info mallinfo2(void);
  int getppid(void);
  int fcntl(int, int, ...);
]]
local SECONDS = 20 -- for what got lost
local CLIENTS = 14

-- The second call of f, should the first fail.
local function again(f, ...)
  return f(...) or assert(f(...))
end

local function echo(stream)
  repeat
    local data = stream:read()
  until not data or not stream:write(data)
  stream:close()
end

local function ask(stream, text)
  return stream and stream:write(text) and stream:read_exact(#text) == text
end

local function session()
  local served, closed = 0, false
  local function count(ok)
    served = served + (ok and 1 or 0)
  end
  local listener = again(momo.net.TcpListener.bind, "127.0.0.1:0")
  local address = again(listener.local_addr, listener)
  local server = momo.spawn(momo.scope, function(scope)
    while not closed do
      local stream = listener:accept()
      if stream then
        scope:spawn(echo, stream)
      end
    end
    scope:cancel()
  end)
  local function dial()
    local stream = momo.net.TcpStream.connect(address, SECONDS)
    if stream then
      stream:set_timeout(SECONDS)
    end
    return stream
  end
  local others = { dial(), dial() } -- they stay connected while others fail
  for i = 1, CLIENTS do
    local stream = dial()
    count(ask(stream, "hello " .. i))
    if stream then
      stream:close()
    end
  end
  for _, stream in pairs(others) do
    count(ask(stream, "goodbye"))
    stream:close()
  end
  closed = true
  listener:close()
  server:join()
  return served
end

-- Descriptors that are open, and bytes that malloc has given; LuaJIT has an allocator of its own.
local function held()
  collectgarbage()
  collectgarbage()
  momo.yield_now()
  local descriptors = 0
  for fd = 0, 99 do
    descriptors = descriptors + (ffi.C.fcntl(fd, 1) >= 0 and 1 or 0)
  end
  return descriptors, tonumber(ffi.C.mallinfo2().uordblks)
end

ffi.C.getppid()
for _ = 1, tonumber(arg[1]) or 1 do session() end
local descriptors, bytes = held()
ffi.C.getppid()
local served = session()
ffi.C.getppid()
local descriptors_now, bytes_now = held()
print(served, descriptors_now - descriptors, bytes_now - bytes)
io.stdout:flush()
