---A server that replaces itself by a new process, and loses no connection.
---
---    ./dev run examples/restart.lua 127.0.0.1:8080 /tmp/restart.sock      one terminal
---    nc 127.0.0.1 8080                                                    another one: say something, and stay
---    echo restart | nc -UN /tmp/restart.sock                              a third one; then nc 127.0.0.1 8080 again
---    echo stop | nc -UN /tmp/restart.sock
---
---The listening sockets outlive the process: its successor inherits them by the protocol of systemd, so that this also
---runs as a service with socket activation. Who is connected stays with the old process until they leave; who comes
---meanwhile waits in the socket's queue for whichever process accepts first.

local momo = require "momo"

local address, control_path = arg[1] or "127.0.0.1:8080", arg[2] or "/tmp/restart.sock"
local inherited = assert(momo.net.inherited_listeners())
local listener = inherited[1] or assert(momo.net.TcpListener.bind(address))
local control = inherited[2] or assert(momo.net.UnixListener.bind(control_path, { mode = "600" }))
local pid = assert(io.open "/proc/self/stat"):read "*n"

-- Descriptors are numbered from 3 in the successor. So that none is overwritten before it is copied, all are copied to
-- free numbers first.
local START = [[
momo=$(readlink /proc/$PPID/exe)
bash -c 'exec {a}<&%d {b}<&%d {c}<&%d; exec 3<&$a 4<&$b 5<&$c {a}<&- {b}<&- {c}<&-
  LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=web:control READY_FD=5 exec "$0" "$@"' "$momo" '%s' '%s' '%s' &
]]

---Starts the successor: true once it serves.
local function start_successor()
  local here, there = assert(momo.net.UnixStream.pair())
  local passed = { listener, control, there }
  for _, each in ipairs(passed) do
    each:set_option("close_on_exec", false)
  end
  os.execute(START:format(listener:fd(), control:fd(), there:fd(), arg[0], address, control_path))
  for _, each in ipairs(passed) do
    each:set_option("close_on_exec", true)
  end
  there:close()
  here:set_timeout(10)
  local ready = here:read_until "\n" -- nil: it has ended, or takes too long
  here:close()
  return ready == "ready\n"
end

local function serve(stream)
  for line in stream:lines() do
    stream:write(("process %d got: %s\n"):format(pid, line))
  end
  stream:close()
end

local function obey(stream)
  local command = stream:read_until "\n"
  if command == "stop\n" then
    momo.stop()
  elseif command == "restart\n" then
    local started = start_successor()
    if started then -- accept no more; the tasks that serve go on to their ends, and then this process ends
      listener:close()
      control:close()
    end
    stream:write(started and "restarted\n" or "the successor did not start\n")
  end
  stream:close()
end

local function accept_all(from, handle)
  while true do
    local stream, err, code = from:accept()
    if stream then
      momo.spawn(handle, stream)
    elseif code == "ECANCELED" or code == "EBADF" then -- closed
      return
    else
      print("accept failed, next try in a second: " .. err)
      momo.time.sleep(1)
    end
  end
end

io.stdout:setvbuf "line"
print("restart listens on " .. listener:local_addr())
momo.spawn(accept_all, control, obey)
if os.getenv "READY_FD" then
  local predecessor = assert(momo.net.UnixStream.from_fd(tonumber(os.getenv "READY_FD")))
  predecessor:write "ready\n"
  predecessor:close()
end
accept_all(listener, serve)
