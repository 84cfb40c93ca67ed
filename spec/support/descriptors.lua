---The descriptors that the process has, and how many it may have.

local ffi = require "ffi"

pcall(ffi.cdef, [[
  struct spec_rlimit { unsigned long soft, hard; };
  int getrlimit(int, struct spec_rlimit *);
  int setrlimit(int, const struct spec_rlimit *);
  long readlink(const char *, char *, size_t);
]])

local C, NOFILE = ffi.C, 7
local M = {}

local limit, buffer = ffi.new "struct spec_rlimit", ffi.new "char[200]"
assert(C.getrlimit(NOFILE, limit) == 0)
local usual = tonumber(limit.soft)

---@return string[] kinds of what they are, in order
---@return integer next the lowest number that is free
function M.list()
  local list, next = {}, nil
  for number = 0, 1023 do
    local length = C.readlink("/proc/self/fd/" .. number, buffer, 200)
    if length >= 0 then
      list[#list + 1] = ffi.string(buffer, length):gsub("%d+", "")
    else
      next = next or number
    end
  end
  table.sort(list)
  return list, next
end

-- TSan knows by the names of functions which races are none (tsan.supp). It reads the files that have them when it
-- first wants one, and that must not be where no file can be opened.
local read_names = os.getenv "MOMO_SANITIZE" == "thread" and function()
  pcall(ffi.cdef, "void __sanitizer_symbolize_pc(void *, const char *, char *, size_t);")
  C.__sanitizer_symbolize_pc(ffi.cast("char *", C.getrlimit) + 1, "%f", buffer, 200)
end

---No more than n descriptors can be opened from here on.
---@param n integer
function M.few(n)
  if read_names then
    read_names()
    read_names = nil
  end
  local _, next = M.list()
  limit.soft = next + n
  C.setrlimit(NOFILE, limit)
end

---As many as usual.
function M.many()
  limit.soft = usual
  C.setrlimit(NOFILE, limit)
end

return M
