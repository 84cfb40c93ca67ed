---An open file, as momo.fs.open returns it.

local calls = require "momo.fs.call"
local check = require "momo.internal.check"
local names = require "momo.internal.names"
local native = require("momo.internal.core").native

local call_file = calls.call_file
local PIECE = 64 * 1024
local MOST = 2 ^ 31 - 1

---A file. It has a position of its own, at which `read` and `write` go on; a read that was given up has not moved it.
---Tasks that share a file share its position.
---@class momo.File
---@field path string as it was opened
local File = { __name = "momo.File" }
File.__index = File
names.objects(File, "file", "for line in file:lines() do")

local function check_offset(value, name)
  check.argument(check.is_whole(value) and value >= 0 and value < 2 ^ 53,
    name .. ": offset must be a whole number from 0", value)
end

local function check_count(value, name)
  check.argument(value == nil or (check.is_whole(value) and value >= 1 and value <= MOST),
    name .. ": n must be a whole number from 1 to 2147483647", value)
end

local function check_data(value, name)
  check.argument(type(value) == "string", name .. ": data must be a string", value)
end

local M = { File = File }

---A file of what native.fs_call opened.
---@param raw userdata
---@param path string
---@param appends boolean
---@return momo.File file
function M.new(raw, path, appends)
  return setmetatable({ raw = raw, path = path, position = 0, appends = appends }, File)
end

---n bytes from the position on, fewer only where the file ends; without n, what is there, at most 64 KiB.
---
---Codes: EOF the position is at the end; EBADF it is closed, or not open for reading; EIO; EISDIR; ENOBUFS too many
---calls wait.
---@async
---@param n integer?
---@return string? bytes
---@return string? err
---@return string? code
function File:read(n)
  check.self(self, File, "file", "read")
  check_count(n, "read")
  local bytes, err, code = call_file("read", self, nil, self.position, 0, n or PIECE)
  if not bytes then
    return nil, err, code
  elseif bytes == "" then
    return nil, "EOF: end of file", "EOF"
  end
  self.position = self.position + #bytes
  return bytes
end

---n bytes at an offset, fewer only where the file ends. The position stays.
---
---Codes: those of read.
---@async
---@param offset integer from 0
---@param n integer
---@return string? bytes
---@return string? err
---@return string? code
function File:read_at(offset, n)
  check.self(self, File, "file", "read_at")
  check_offset(offset, "read_at")
  check_count(n, "read_at")
  local bytes, err, code = call_file("read", self, nil, offset, 0, n or PIECE)
  if bytes == "" then
    return nil, "EOF: end of file", "EOF"
  end
  return bytes, err, code
end

---Writes all of it at the position, or at the end of a file that was opened to append.
---
---Codes: ENOSPC; EDQUOT; EFBIG; EBADF it is closed, or not open for writing; EIO; ENOBUFS too many calls wait. Some
---bytes may be written then.
---@async
---@param data string
---@param ... nil nothing: it takes one value
---@return integer? bytes
---@return string? err
---@return string? code
function File:write(data, ...)
  check.self(self, File, "file", "write")
  check.alone("write", "file:write(a .. b)", ...)
  check_data(data, "write")
  local n, err, code = call_file("write", self, data, self.position)
  if n then
    self.position = self.appends and self:size() or self.position + n
  end
  return n, err, code
end

---Writes all of it at an offset. The position stays.
---
---Codes: those of write.
---@async
---@param offset integer from 0
---@param data string
---@return integer? bytes
---@return string? err
---@return string? code
function File:write_at(offset, data)
  check.self(self, File, "file", "write_at")
  check_offset(offset, "write_at")
  check_data(data, "write_at")
  return call_file("write", self, data, offset)
end

---Sets the position, as Lua's file:seek.
---
---Codes: EINVAL it would lie before the beginning; EBADF.
---@async
---@param whence "set"|"cur"|"end"|nil cur
---@param offset integer? 0
---@return integer? position from the beginning
---@return string? err
---@return string? code
function File:seek(whence, offset)
  check.self(self, File, "file", "seek")
  offset = offset or 0
  check.argument(whence == nil or whence == "set" or whence == "cur" or whence == "end",
    "seek: argument 1 must be \"set\", \"cur\" or \"end\"", whence)
  check.argument(check.is_whole(offset), "seek: offset must be a whole number", offset)
  local base = whence == "set" and 0 or self.position
  if whence == "end" then
    local size, err, code = self:size()
    if not size then
      return nil, err, code
    end
    base = size
  end
  if base + offset < 0 then
    return nil, "EINVAL: invalid argument: the position would lie before the beginning", "EINVAL"
  end
  self.position = base + offset
  return self.position
end

---What momo.fs.stat tells, of this file.
---
---Codes: EBADF it is closed.
---@async
---@return momo.FileStatus? status
---@return string? err
---@return string? code
function File:stat()
  check.self(self, File, "file", "stat")
  return calls.status_of_file(self)
end

---How long the file is.
---
---Codes: EBADF it is closed.
---@async
---@return integer? bytes of the whole file
---@return string? err
---@return string? code
function File:size()
  check.self(self, File, "file", "size")
  local status, err, code = calls.status_of_file(self)
  if status then
    return status.size
  end
  return nil, err, code
end

---What was written is on the disk.
---
---Codes: EIO; ENOSPC; EBADF.
---@async
---@return true? ok
---@return string? err
---@return string? code
function File:sync()
  check.self(self, File, "file", "sync")
  return call_file("sync", self, nil, 0, 0)
end

---As sync, without what only describes the file, such as its times.
---
---Codes: those of sync.
---@async
---@return true? ok
---@return string? err
---@return string? code
function File:datasync()
  check.self(self, File, "file", "datasync")
  return call_file("sync", self, nil, 0, 1)
end

---Cuts the file, or makes it longer by zero bytes. The position stays.
---
---Codes: EINVAL it is not open for writing; EFBIG; EBADF.
---@async
---@param size integer? bytes; 0
---@return true? ok
---@return string? err
---@return string? code
function File:truncate(size)
  check.self(self, File, "file", "truncate")
  check_offset(size or 0, "truncate")
  return call_file("truncate", self, nil, size or 0)
end

---Iterates over lines from the position on, without \n or \r\n; an unterminated last line counts. Failures raise.
---@async
---@param max integer? bytes of a line; 64 KiB
---@return fun(): string?
function File:lines(max)
  check.self(self, File, "file", "lines")
  check_count(max, "lines")
  max = max or PIECE
  local rest, from, ended = "", 1, false
  return function()
    while true do
      local stop = rest:find("\n", from, true)
      if (stop or #rest + 1) - from > max then
        check.fail(("lines: ENOBUFS: no end of a line within %d bytes"):format(max))
      elseif stop then
        local line = rest:sub(from, stop - 1)
        from = stop + 1
        return (line:gsub("\r$", ""))
      end
      rest, from = rest:sub(from), 1
      if ended then
        local line = rest
        rest = ""
        return line ~= "" and line or nil
      end
      local piece, err, code = self:read()
      if piece then
        rest = rest .. piece
      elseif code == "EOF" then
        ended = true
      else
        check.fail("lines: " .. err)
      end
    end
  end
end

---For momo.io.copy, a stream that stands where the file does.
---@param file momo.File
---@param reads boolean
---@return momo.Stream? stream
---@return string? err
---@return string? code
function M.stream(file, reads)
  return native.fs_stream(file.raw, file.position, reads)
end

local function descriptor(self, position)
  local fd = native.fs_descriptor(self.raw, position)
  if fd then
    return fd
  end
  return nil, "EBADF: bad file descriptor: the file is closed", "EBADF"
end

---Its descriptor, which stays the file's own.
---
---Codes: EBADF it is closed.
---@return integer? fd
---@return string? err
---@return string? code
function File:fd()
  check.self(self, File, "file", "fd")
  return descriptor(self)
end

---The same for a child process, which goes on where the file stands.
---@param file momo.File
---@return integer? fd
---@return string? err
---@return string? code
function M.lent_fd(file)
  return descriptor(file, file.position)
end

---Closes it; doing it again does nothing. Calls that are under way end first.
function File:close()
  check.self(self, File, "file", "close")
  native.fs_close(self.raw)
end

return M
