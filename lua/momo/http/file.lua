---Sending a file: all of it, a part, or only that it has not changed. What is in memory is taken at once; for the rest
---its request waits, and nobody else.

local calls = require "momo.fs.call"
local conditional = require "momo.http.conditional"
local date = require "momo.http.date"
local native = require("momo.internal.core").native
local range = require "momo.http.range"
local responses = require "momo.http.response"
require "momo.net.stream" -- what its files are read as

local fs_close, fs_read_now, fs_regular = native.fs_close, native.fs_read_now, native.fs_regular
local SMALL = 64 * 1024 -- bytes that are read as one, and leave together with the head

local M = {}

---@class momo.http.File an open one
---@field raw userdata
---@field size integer
---@field modified integer seconds since 1970
---@field etag string

local function opened(raw, size, seconds, etag)
  if not raw then
    return nil, size, seconds
  end
  return { raw = raw, size = size, modified = seconds, etag = etag }
end

---@async
local function open_on_pool(root, path)
  return opened(calls.regular(root, path))
end

---@async
---@param root string? nil: a path anywhere; else it lies beneath this folder
---@param path string without a zero byte
---@return momo.http.File? file
---@return string? err
---@return string? code EISDIR: it is a folder; ENOENT, EXDEV: it lies elsewhere
function M.open(root, path)
  local raw, size, seconds, etag = fs_regular(root, path, true)
  if raw == false then
    return open_on_pool(root, path)
  end
  return opened(raw, size, seconds, etag)
end

---Whether it is a folder: waits for a disk where it is called.
---@param path string
---@return boolean is_folder
---@return string? err
function M.is_folder(path)
  local _, err, code = fs_regular(path, ".", false)
  return code == "EISDIR", err
end

---@async
---@param path string|integer a path, or the descriptor of a regular file, which stays the caller's
---@return momo.http.File? file
---@return string? err
---@return string? code
function M.of(path)
  if type(path) == "string" then
    return M.open(nil, path)
  end
  return opened(fs_regular(nil, path))
end

---@param file momo.http.File
function M.close(file)
  fs_close(file.raw)
end

local function choose(request, file)
  local reads = request.method == "GET" or request.method == "HEAD"
  local status = reads and conditional.evaluate(request, file.etag, file.modified)
  if status then
    return status
  end
  local wanted = request.method == "GET" and request:header "range"
  if wanted and range.applies(request:header "if-range", file.etag, file.modified) then
    local first, last = range.parse(wanted, file.size)
    if first then
      return 206, first, last
    elseif first == false then
      return 416
    end
  end
  return 200, 0, file.size - 1
end

local TEXTS = { [412] = "Precondition Failed\n", [416] = "Range Not Satisfiable\n" }

---@async
local function read(file, first, size)
  local bytes, err, code = fs_read_now(file.raw, first, size)
  if bytes == false then
    return calls.call_file("read", file, nil, first, 0, size)
  end
  return bytes, err, code
end

---@async
local function send_small(response, file, status, first, size, headers)
  local bytes, err = read(file, first, size)
  M.close(file)
  if not bytes or #bytes < size then
    error(err or "the file became shorter while it was sent", 0)
  end
  return response:send(status, bytes, headers)
end

---@async
local function copy(stream, response, size)
  local bytes, err, code, side = response[responses.COPY](response, stream, size)
  if side == "to" then
    return nil, err, code
  elseif bytes ~= size then -- the client must not take it for whole
    error(err or "the file became shorter while it was sent", 0)
  end
  return response:finish()
end

local function close_after(stream, ok, ...)
  stream:close()
  if not ok then
    native.rethrow((...))
  end
  return ...
end

---@async
local function send_large(response, file, status, first, size, headers)
  local stream, err = native.fs_stream(file.raw, first, true)
  M.close(file)
  if not stream then
    error(err, 0)
  end
  headers["Content-Length"] = tostring(size)
  response:start(status, headers)
  return close_after(stream, xpcall(copy, native.traceback_capture, stream, response, size))
end

---Sends an open file, and closes it: 200, 206, 304, 412 or 416.
---@async
---@param request momo.http.Request
---@param response momo.http.Response
---@param file momo.http.File
---@param headers table<string, any> a table of the callee's own from now on, with a Content-Type
---@return true? ok
---@return string? err
---@return string? code
function M.send(request, response, file, headers)
  local status, first, last = choose(request, file)
  headers["Last-Modified"] = date.format(file.modified)
  headers["ETag"] = file.etag
  headers["Accept-Ranges"] = "bytes"
  if not first then
    M.close(file)
    if status == 416 then
      headers["Content-Range"] = ("bytes */%.0f"):format(file.size)
    end
    if status ~= 304 then
      headers["Content-Type"], headers["Content-Encoding"] = "text/plain; charset=utf-8", nil
    end
    return response:send(status, TEXTS[status], headers)
  end
  local size = last - first + 1
  if status == 206 then
    headers["Content-Range"] = ("bytes %.0f-%.0f/%.0f"):format(first, last, file.size)
  end
  if request.method == "HEAD" then
    M.close(file)
    headers["Content-Length"] = tostring(size)
    response:start(status, headers)
    return response:finish()
  elseif size <= SMALL then
    return send_small(response, file, status, first, size, headers)
  end
  return send_large(response, file, status, first, size, headers)
end

return M
