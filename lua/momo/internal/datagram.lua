---Datagrams, of UDP and of Unix sockets: what need not wait is done through the FFI, since a C function of Lua's would
---end the trace. Functions of their own wait, and so the others have no loop that would end it.

local core = require "momo.internal.core"

local C, executor, failure, string_of = core.C, core.executor, core.failure, core.string
local native = core.native
local recv, recv_from, send, send_to = native.udp_recv, native.udp_recv_from, native.udp_send, native.udp_send_to
local datagram = core.new "momo_datagram"
local last_from -- the address of `datagram`, if that has one: whoever is answered needs not be read from text

local M = {}

---Whether an operation with this limit may be tried without waiting. What is no limit, the operation itself tells.
local function is_limit(timeout)
  return timeout == nil or type(timeout) == "number" and timeout >= 0
end

local function wait_to_recv(socket, timeout)
  local again, data, err, code
  repeat again, data, err, code = recv(socket, timeout) until not again
  if data then
    return data
  end
  return nil, err, code
end

---@async
---@param socket userdata
---@param timeout number? seconds
---@return string? data
---@return string? err
---@return string? code
function M.recv(socket, timeout)
  local found = is_limit(timeout) and C.momo_receive_datagram(executor, socket, datagram, 0) or 0
  if found > 0 then
    local data = string_of(datagram.bytes, datagram.size)
    C.momo_datagram_received(executor, socket)
    return data
  elseif found < 0 then
    return failure(found)
  end
  return wait_to_recv(socket, timeout)
end

local function wait_to_recv_from(socket, timeout)
  local again, data, address, code
  repeat again, data, address, code = recv_from(socket, timeout) until not again
  if data then
    return data, address
  end
  return nil, address, code
end

---@async
---@param socket userdata
---@param timeout number? seconds
---@return string? data
---@return string address where it came from, or the error
---@return string? code
function M.recv_from(socket, timeout)
  last_from = nil -- until all has gone well
  local found = is_limit(timeout) and C.momo_receive_datagram(executor, socket, datagram, 1) or 0
  if found > 0 then
    local data = string_of(datagram.bytes, datagram.size)
    local address = string_of(datagram.from, datagram.from_size)
    last_from = address
    C.momo_datagram_received(executor, socket)
    return data, address
  elseif found < 0 then
    return failure(found)
  end
  return wait_to_recv_from(socket, timeout)
end

local function wait_to_send(socket, data, timeout)
  local again, bytes, err, code
  repeat again, bytes, err, code = send(socket, data, timeout) until not again
  if bytes then
    return bytes
  end
  return nil, err, code
end

---Sends to where the socket is connected.
---@async
---@param socket userdata
---@param data string
---@param timeout number? seconds
---@return integer? bytes
---@return string? err
---@return string? code
function M.send(socket, data, timeout)
  local sent = type(data) == "string" and is_limit(timeout)
    and C.momo_send_datagram(executor, socket, data, #data, nil, 0) or 0
  if sent > 0 then
    return #data
  elseif sent < 0 then
    return failure(sent)
  end
  return wait_to_send(socket, data, timeout)
end

local function wait_to_send_to(socket, data, address, timeout)
  local again, bytes, err, code
  repeat again, bytes, err, code = send_to(socket, data, address, timeout) until not again
  if bytes ~= nil then
    return bytes
  end
  return nil, err, code
end

---Sends to an address of UDP.
---@async
---@param socket userdata
---@param data string
---@param address string
---@param timeout number? seconds
---@return integer|false|nil bytes false: the address is no literal
---@return string? err
---@return string? code
function M.send_to(socket, data, address, timeout)
  local sent = 0
  if type(data) == "string" and type(address) == "string" and is_limit(timeout) then
    if address == last_from then
      sent = C.momo_answer_datagram(executor, socket, data, #data, datagram)
    else
      sent = C.momo_send_datagram(executor, socket, data, #data, address, #address)
    end
  end
  if sent > 0 then
    return #data
  elseif sent < 0 then
    return failure(sent)
  end
  return wait_to_send_to(socket, data, address, timeout)
end

if not jit.status() then -- in the interpreter, a call through the FFI takes longer than one of a C function
  M.recv, M.recv_from, M.send, M.send_to = wait_to_recv, wait_to_recv_from, wait_to_send, wait_to_send_to
end

return M
