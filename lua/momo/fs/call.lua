---Calls on files: each is described, started and waited for here.

local native = require("momo.internal.core").native

local fs_call, fs_finish = native.fs_call, native.fs_finish

---Runs an operation of core/net/{file,path,whole}.c.
---@async
---@param name string
---@param path string? shown in an error, with the other one, where there are two
---@return any answer, or nil, err, code
local function call(name, path, other, data, offset, flags, mode, atime, mtime)
  local job = fs_call(name, nil, path, other, data, offset, flags, mode, atime, mtime)
  local shown = other and (name == "beneath" and "%s/%s" or "%s -> %s"):format(path, other) or path
  local again, answer, more, code
  repeat again, answer, more, code = fs_finish(job, shown) until not again
  if more == nil then
    return answer
  end
  return answer, more, code
end

---The same on an open file.
---@async
local function call_file(name, file, data, offset, flags, mode)
  local job = fs_call(name, file.raw, nil, nil, data, offset, flags, mode)
  if not job then
    return nil, "EBADF: bad file descriptor: the file is closed", "EBADF"
  end
  local again, answer, more, code
  repeat again, answer, more, code = fs_finish(job, file.path) until not again
  if more == nil then
    return answer
  end
  return answer, more, code
end

return { call = call, call_file = call_file }
