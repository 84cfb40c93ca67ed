---Programs that run in the background while a spec talks to them. A spec stops what it started: after_each(stop_all).

local support = require "spec.support"

local M = {
  LIMIT_SECONDS = 120, -- a guard against hanging, far above what anything takes
}

local running = {}

---Starts a program, its stderr in its stdout.
---@param ... string the program and its arguments
---@return table process
function M.start(...)
  local words = {}
  for i, word in ipairs { ... } do
    words[i] = support.quote(word)
  end
  -- The inner shell's number is that of the program. That of `timeout` would not do: it is deaf until it has forked.
  local pipe = assert(io.popen(("exec 2>&1; timeout --foreground -k 5 %d sh -c %s </dev/null; echo status $?"):format(
    M.LIMIT_SECONDS, support.quote("echo $$; exec " .. table.concat(words, " ")))))
  local process = { pipe = pipe, pid = assert(tonumber(pipe:read "*l")) }
  running[process] = true
  return process
end

---Whether a process of that number is there, be it as a zombie.
---@param pid integer
---@return boolean
function M.exists(pid)
  local file = io.open("/proc/" .. pid .. "/stat")
  if file then
    file:close()
  end
  return file ~= nil
end

---Starts the momo command.
function M.start_momo(...)
  return M.start(assert(os.getenv "MOMO_BIN"), ...)
end

---Its next line.
function M.line_of(process)
  return assert(process.pipe:read "*l", "the program has ended")
end

---Reads its lines up to one that matches.
---@return string? capture of the pattern; nil if it ended before
function M.wait_for_line(process, pattern)
  for line in process.pipe:lines() do
    local found = line:match(pattern)
    if found then
      return found
    end
  end
end

---Waits for its end.
---@return string rest of what it printed, and its status
function M.wait(process)
  running[process] = nil
  local rest = process.pipe:read "*a"
  process.pipe:close()
  return rest
end

---Ends it.
---@return string rest of what it printed, and its status
function M.stop(process)
  os.execute(("kill -TERM %d 2>/dev/null"):format(process.pid)) -- it may have ended by itself
  return M.wait(process)
end

function M.stop_all()
  for process in pairs(running) do
    M.stop(process)
  end
end

---Starts a server of examples/ on a free port.
---@return table process
---@return string address
function M.serve(name)
  local process = M.start_momo(("%s/examples/%s.lua"):format(assert(os.getenv "MOMO_SOURCE_DIR"), name), "127.0.0.1:0")
  local first = M.line_of(process)
  local address = first:match("^" .. name .. " listens on (127%.0%.0%.1:%d+)$")
  return process, assert(address, first)
end

return M
