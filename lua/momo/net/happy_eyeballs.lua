---Connecting to a host that has several addresses, as RFC 8305 says (Happy Eyeballs): the families take turns, an
---attempt that does not succeed soon is joined by the next, the first to connect wins, and the others are given up.
---
---The system's resolver gives the addresses of both families at once, so there is no Resolution Delay to wait for.

local native = require("momo.internal.core").native
local scope = require("momo.internal.scope").scope
local select = require("momo.internal.select").select
local sync = require "momo.sync"
local time = require "momo.time"

local traceback_capture, rethrow = native.traceback_capture, native.rethrow

local ATTEMPT_DELAY_SECONDS = 0.25 -- RFC 8305, section 5

local M = {}

local function is_ipv6(address)
  return address:sub(1, 1) == "["
end

---The addresses with the families in turn, that of the first one first; within a family the order stays.
---@param addresses string[]
---@return string[]
function M.interleave(addresses)
  local first, other, mixed = {}, {}, {}
  for _, address in ipairs(addresses) do
    local family = is_ipv6(address) == is_ipv6(addresses[1]) and first or other
    family[#family + 1] = address
  end
  for i = 1, math.max(#first, #other) do
    mixed[#mixed + 1] = first[i]
    mixed[#mixed + 1] = other[i]
  end
  return mixed
end

---@async
---@param addresses string[]
---@param connect async fun(address: string, timeout: number?): any, string?, string?
---@param timeout number? for all of it
---@return any connection or nil and the error of the attempt that failed last
---@return string? err
---@return string? code
function M.connect(addresses, connect, timeout)
  if not addresses[2] then
    return connect(addresses[1], timeout)
  end
  local deadline = timeout and time.now() + timeout
  addresses = M.interleave(addresses)
  local tx, rx = sync.channel()
  local begun, pending, last = 0, 0, nil
  local function attempt(address)
    local left = deadline and math.max(0, deadline - time.now())
    local connection, err, code = connect(address, left)
    tx:send { connection = connection or nil, err = err, code = code }
  end
  local ok, problem = xpcall(scope, traceback_capture, function(attempts)
    repeat
      if begun < #addresses then
        begun, pending = begun + 1, pending + 1
        attempts:spawn(attempt, addresses[begun])
      end
      local _, result = select { rx, begun < #addresses and time.after(ATTEMPT_DELAY_SECONDS) }
      if result ~= true then -- an attempt has ended: at a failure the next one begins at once
        pending, last = pending - 1, result
      end
    until last and last.connection or (pending == 0 and begun == #addresses)
    attempts:cancel "another address was first"
  end)
  if not ok then
    tx:send(last or {})
  end
  tx:close()
  for late in rx:iter() do -- it connected before it heard that another one was first, or that nobody wants one
    if late.connection then
      late.connection:close()
    end
  end
  if not ok then
    rethrow(problem)
  end
  return last.connection, last.err, last.code
end

return M
