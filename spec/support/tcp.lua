---What the specs of sockets share: running tasks so that no failure is lost, and connected pairs.

local momo = require "momo"

local M = {}

---Runs main; an error in any task ends the run and is raised.
function M.run(main)
  local failure
  momo.run({ on_error = function(err)
    failure = failure or { err }
    momo.stop()
  end }, main)
  if failure then
    error(failure[1], 0)
  end
end

function M.listen(options)
  return assert(momo.net.TcpListener.bind("127.0.0.1:0", options))
end

---A listener whose queue is full: connects to it wait.
---@return momo.net.TcpListener, momo.net.TcpStream[] connections that it has not accepted
function M.full_listener()
  local listener, streams = M.listen { backlog = 1 }, {}
  for i = 1, 2 do -- the system queues one more than the backlog
    streams[i] = assert(momo.net.TcpStream.connect(listener:local_addr()))
  end
  return listener, streams
end

---Two ends of a connection.
---@return momo.net.TcpStream, momo.net.TcpStream
function M.pair()
  local listener = M.listen()
  local one = assert(momo.net.TcpStream.connect(listener:local_addr()))
  local other = assert(listener:accept())
  listener:close()
  return one, other
end

---The same, where little fits between them.
---@return momo.net.TcpStream, momo.net.TcpStream
function M.narrow_pair()
  local one, other = M.pair()
  for _, stream in ipairs { one, other } do
    assert(stream:set_option("so_sndbuf", 65536) and stream:set_option("so_rcvbuf", 65536))
  end
  return one, other
end

---Lets every other task run until it waits, and the loop look at its descriptors.
function M.settle()
  for _ = 1, 10 do
    momo.time.sleep(0)
  end
  momo.time.sleep(0.002)
end

---Fails unless the rest is what a failed operation returns.
function M.assert_failed(code, ...)
  local value, err, got = ...
  assert(value == nil and got == code and select("#", ...) == 3,
    ("%s expected, and got %s, %s"):format(code, tostring(value), tostring(err)))
  assert(err:sub(1, #code + 2) == code .. ": ", err)
end

---Yields the processor until condition() holds.
function M.wait_for(condition)
  while not condition() do
    momo.time.sleep(0.001)
  end
end

---Waits until the task is in an operation that waits for something.
function M.until_waiting(task)
  while task:status() ~= "waiting" do
    assert(task:status() == "ready", task:status())
    momo.yield_now()
  end
end

---Spawns fn, and returns its task once that waits.
function M.waiting(fn, ...)
  local task = momo.spawn(fn, ...)
  M.until_waiting(task)
  return task
end

---A write to this stream has to wait: its peer does not read, and the buffers between them are full.
function M.fill(stream)
  stream:set_timeout(0.05)
  local _, _, code = stream:write(("x"):rep(32 * 1024 * 1024))
  assert(code == "ETIMEDOUT", code)
end

---Fails where a run has left tasks, deadlines or open sockets behind.
function M.check_nothing_left()
  jit.flush() -- a trace keeps the objects alive that it was compiled for
  collectgarbage()
  collectgarbage()
  local m = momo.metrics()
  for _, name in ipairs { "tasks", "ready", "timers", "handles", "threads" } do
    assert(m[name] == 0, ("%d %s left behind"):format(m[name], name))
  end
end

---What a piece of code that gets `momo`, a listener and a stream is told when it runs as line 2 of app.lua.
---@param code string a statement
---@return string err
function M.mistake(code)
  local program = assert(loadstring("local momo, listener, stream, other = ...\n" .. code .. "\nreturn 0", "=app.lua"))
  local ok, err
  M.run(function()
    local listener, stream, other = M.listen(), M.pair()
    ok, err = pcall(program, momo, listener, stream, other)
    listener:close()
    stream:close()
    other:close()
  end)
  assert(not ok, "nothing was thrown by: " .. code)
  return err
end

return M
