---The FFI API of the core: the one module that requires ffi. What the core's header declares is what `C` holds, since
---the text that is declared here comes out of the library itself.

if not rawget(_G, "jit") then
  error("momo needs LuaJIT, and this is " .. _VERSION .. ": run it with luajit or the momo command", 0)
end

local ffi = require "ffi"

if not package.preload["momo.native"] then
  local path, problem = package.searchpath("momo.native", package.cpath)
  if not path then
    error("momo: its library is not on package.cpath:" .. problem, 0)
  end
end
local native = require "momo.native" -- from here on, Momo's other modules are embedded ones
local each = require "momo.internal.each"
local names = require "momo.internal.names"
if not native.is_declared then -- once, however often this is required
  ffi.cdef(native.header_first)
  native.is_declared = true
end
local int64, uint64 = ffi.typeof "int64_t", ffi.typeof "uint64_t"
native.set_integers(function(value)
  if ffi.istype(uint64, value) then
    return true
  elseif ffi.istype(int64, value) then
    return false
  end
end, function(is_unsigned)
  return is_unsigned and uint64() or int64()
end)
native.set_own((debug.getinfo(1, "S").source:gsub("internal/core%.lua$", "")))

for _, metatable in each(native.metatables) do
  metatable.__tostring = names.tell_name
end

local M = {}

---Functions that use Lua's stack: what suspends, and what makes strings.
M.native = native

---The functions of core/include/momo.h that every program needs.
M.first = native.library and ffi.load(native.library) or ffi.C

---All of its functions, and `C` from then on. What comes later in the header is declared when it is asked for.
setmetatable(M, { __index = function(_, key)
  if key == "C" then
    ffi.cdef(native.header_later)
    M.C = M.first
    return M.C
  end
end })

---This state's executor, the first argument of most of them.
M.executor = ffi.cast("momo_executor *", native.executor)

M.string = ffi.string
M.new = ffi.new

---A failure as Momo's functions return it.
---@param code integer a negative UV_E*
---@param subject string? what it failed with
---@return nil, string err "CODE: text", string code
function M.failure(code, subject)
  local name = ffi.string(M.first.momo_error_name(code))
  return nil, name .. ": " .. ffi.string(M.first.momo_error_text(code)) .. (subject and ": " .. subject or ""), name
end

---@param code integer 0, or a negative UV_E*
---@param subject string? what it failed with
---@return true? ok
---@return string? err
---@return string? code
function M.status(code, subject)
  if code < 0 then
    return M.failure(code, subject)
  end
  return true
end

return M
