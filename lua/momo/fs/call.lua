---Calls on files: each is described, started and waited for here.

local native = require("momo.internal.core").native

local fs_call, fs_finish = native.fs_call, native.fs_finish

local operations = setmetatable({}, {
  __index = function(self, name)
    self[name] = native.fs_operation(name)
    return rawget(self, name)
  end,
})
local over -- a call that is, for the next one

local function begin(name, raw, ...)
  local job = over
  over = nil
  return fs_call(job, operations[name], raw, ...)
end

local function finish(job, shown)
  local again, answer, more, code
  repeat again, answer, more, code = fs_finish(job, shown) until not again
  over = job
  if more == nil then
    return answer
  end
  return answer, more, code
end

local function finish_status(job, shown)
  local again, kind, size, mode, uid, gid, dev, ino, nlink, blocks, atime, mtime, ctime
  repeat
    again, kind, size, mode, uid, gid, dev, ino, nlink, blocks, atime, mtime, ctime = fs_finish(job, shown)
  until not again
  over = job
  if not kind then
    return nil, size, mode -- err, code
  end
  return {
    kind = kind, size = size, mode = mode, uid = uid, gid = gid, dev = dev, ino = ino, nlink = nlink, blocks = blocks,
    atime = atime, mtime = mtime, ctime = ctime,
  }
end

local function closed()
  return nil, "EBADF: bad file descriptor: the file is closed", "EBADF"
end

local M = {}

---Runs an operation of core/fs/{file,path,whole}.c.
---@async
---@param name string
---@param path string? shown in an error, with the other one, where there are two
---@return any answer, or nil, err, code
function M.call(name, path, other, data, offset, flags, mode, atime, mtime)
  local job = begin(name, nil, path, other, data, offset, flags, mode, atime, mtime)
  return finish(job, other and (name == "beneath" and "%s/%s" or "%s -> %s"):format(path, other) or path)
end

---The same on an open file.
---@async
function M.call_file(name, file, data, offset, flags, mode)
  local job = begin(name, file.raw, nil, nil, data, offset, flags, mode)
  if not job then
    return closed()
  end
  return finish(job, file.path)
end

---What lies at a path.
---@async
---@param flags integer 1: of a link, the link itself
---@return momo.FileStatus? status
---@return string? err
---@return string? code
function M.status(path, flags)
  return finish_status(begin("stat", nil, path, nil, nil, 0, flags), path)
end

---The same of an open file.
---@async
function M.status_of_file(file)
  local job = begin("status", file.raw)
  if not job then
    return closed()
  end
  return finish_status(job, file.path)
end

---A regular file to be read: beneath a folder, or, without one, anywhere.
---@async
---@return userdata? raw
---@return integer|string size, or err
---@return integer|string seconds when it was modified, or code
---@return string? etag its validator for HTTP
function M.regular(root, path)
  local job = begin("regular", nil, root, path)
  local again, raw, size, seconds, etag
  repeat again, raw, size, seconds, etag = fs_finish(job, path) until not again
  over = job
  return raw, size, seconds, etag
end

return M
