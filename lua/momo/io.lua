---Pipes, the standard streams, and copying between streams of all kinds.

local Stream = require "momo.net.stream"
local check = require "momo.internal.check"
local names = require "momo.internal.names"
local native = require("momo.internal.core").native
local poll = require "momo.internal.poll"
local scope = require("momo.internal.scope").scope

local copy, copy_new, copy_silence = native.copy, native.copy_new, native.copy_silence

---@class momo.io
---@field stdin momo.Stream opened when it is first asked for; closing it leaves the process's own descriptor as it is
---@field stdout momo.Stream as stdin
---@field stderr momo.Stream as stdin
local M = { poll = poll.poll, watch = poll.watch }

local standard = { stdin = 0, stdout = 1, stderr = 2 }

setmetatable(M, { __index = function(_, name)
  local number = standard[name]
  if not number then
    return names.missing(M, "momo.io", name, standard)
  end
  local stream, err = native.standard(number)
  if not stream then
    check.fail(("momo.io.%s: %s"):format(name, err))
  end
  M[name] = stream
  return stream
end })

---A pipe of the system's: what is written to one end is read from the other.
---
---Codes: EMFILE too many descriptors are open.
---@return momo.Stream? reader
---@return momo.Stream|string writer or the error
---@return string? code
function M.pipe()
  return native.pipe()
end

local function check_stream(value, name, index)
  if getmetatable(value) ~= Stream then
    check.fail(("%s: argument %d must be a stream, got %s"):format(name, index, check.show(value)))
  end
end

-- The module of files, if value is one.
local function file_module(value)
  local files = package.loaded["momo.fs.file"]
  return files and getmetatable(value) == files.File and files
end

-- A copy with a file on one side or both: by streams that stand where the files do, and are closed in the end.
local function copy_files(from, to, n)
  local source, sink = from, to
  local err, code
  local files = file_module(from)
  if files then
    source, err, code = files.stream(from, true)
    if not source then
      return nil, err, code, "from"
    end
  end
  files = file_module(to)
  if files then
    sink, err, code = files.stream(to, false)
    if not sink then
      return nil, err, code, "to"
    end
  end
  return scope(function(work)
    if source ~= from then work:defer(source.close, source) end
    if sink ~= to then work:defer(sink.close, sink) end
    local bytes, failure, failure_code, side = M.copy(source, sink, n)
    if bytes then
      if source ~= from then from.position = from.position + bytes end
      if sink ~= to then to.position = to.position + bytes end
      return bytes
    end
    return nil, failure, failure_code, side
  end)
end

local PIECE = 64 * 1024
local PIPE_OPTIONS = { idle = "number" }

local function has(value, method)
  return type(value) == "table" and type(value[method]) == "function"
end

local function check_end(value, method, number)
  if io.type(value) then
    check.fail(("copy: argument %d must be a stream, and is a file of Lua's io; momo.fs.open opens one"):format(number))
  end
  check.argument(has(value, method) or getmetatable(value) == Stream,
    ("copy: argument %d must be a stream, or an object with a method %s"):format(number, method), value)
end

-- A copy of what is no descriptor on one side or both: piece by piece.
---@async
local function copy_pieces(from, to, n)
  check_end(from, "read", 1)
  check_end(to, "write", 2)
  local done = 0
  n = n or math.huge
  while done < n do
    local bytes, err, code = from:read(math.min(PIECE, n - done))
    if not bytes and code == "EOF" then
      break
    elseif not bytes then
      return nil, err, code, "from"
    end
    local ok
    ok, err, code = to:write(bytes)
    if not ok then
      return nil, err, code, "to"
    end
    done = done + #bytes
  end
  return done
end

---Copies until the end of `from`, or n bytes, in the system where it can (splice); what is unread comes first. What was
---not written in the end stays unread in `from`. The timeouts of the streams are those of each wait.
---
---A file (momo.fs) may be on either side: from its position on, which moves by what was copied in the end. So may any
---object that has `read` or `write` as streams have, such as a request, an answer, a part of a form, or a response:
---then it goes piece by piece, and what could not be written is lost.
---
---Others can't read `from` meanwhile; writes of others to `to` go between its pieces. It hears of the end of `to` when
---it has something to write.
---
---Codes: ECONNRESET; ETIMEDOUT; EPIPE nobody reads `to` any more; EBUSY another task reads `from`; ECANCELED one was
---closed meanwhile; EBADF one is closed.
---@async
---@param from momo.Stream|momo.File|{read: function}
---@param to momo.Stream|momo.File|{write: function}
---@param n integer? bytes at most
---@return integer? bytes
---@return string? err
---@return string? code
---@return "from"|"to"|nil side on which it failed
function M.copy(from, to, n)
  if file_module(from) or file_module(to) then
    return copy_files(from, to, n)
  end
  check.argument(n == nil or (check.is_whole(n) and n >= 0), "copy: n must be a whole number from 0", n)
  if getmetatable(from) ~= Stream or getmetatable(to) ~= Stream then
    return copy_pieces(from, to, n)
  end
  local state = copy_new(n)
  local again, bytes, err, code, side
  repeat again, bytes, err, code, side = copy(state, from, to, nil) until not again
  if bytes then
    return bytes
  end
  return nil, err, code, side
end

-- One way of two. With a limit, it waits for as long as either way has moved something within it.
---@async
local function copy_one_way(state, from, to, idle, other)
  local limit = idle
  while true do
    local again, bytes, err, code
    repeat again, bytes, err, code = copy(state, from, to, limit) until not again
    if bytes then
      return bytes
    end
    limit = idle and idle - math.min(copy_silence(state), copy_silence(other))
    if code ~= "ETIMEDOUT" or not idle or limit <= 0 then
      return nil, err, code
    end
  end
end

---Copies both ways at once, and returns when both have ended. The end of what one side says shuts down the outgoing
---side of the other, which may still answer. The first failure ends both ways. Neither stream is closed.
---
---`idle` limits the silence of both together: as long as something moves, whichever way, both live. The timeouts of the
---streams, each of which knows its own side only, don't count then.
---
---Codes: ECONNRESET; ETIMEDOUT also: nothing has moved for `idle` seconds; EPIPE; EBUSY another task reads one;
---ECANCELED one was closed meanwhile; EBADF one is closed.
---@async
---@param a momo.Stream
---@param b momo.Stream
---@param options {idle: number?}? idle: seconds in which nothing moves either way (none)
---@return integer? bytes that went from a to b
---@return integer|string bytes that went from b to a, or the error
---@return string? code
function M.pipe_both(a, b, options)
  check_stream(a, "pipe_both", 1)
  check_stream(b, "pipe_both", 2)
  local idle = check.options(options, PIPE_OPTIONS, "pipe_both").idle
  check.argument(idle == nil or idle > 0, "pipe_both: option idle must be a number of seconds, more than 0", idle)
  local to_b, to_a = copy_new(nil), copy_new(nil)
  local failed, failure, failure_code
  local function one_way(both, state, from, to, other)
    local bytes, err, code = copy_one_way(state, from, to, idle, other)
    local ok = bytes
    if bytes then
      ok, err, code = to:shutdown()
    end
    if not ok and code ~= "ENOTCONN" and not failed then -- a peer that has gone meanwhile has got all
      failed, failure, failure_code = true, err, code
      both:cancel(err)
    end
    return bytes
  end
  local there, back
  scope(function(both)
    both:spawn(function() back = one_way(both, to_a, b, a, to_b) end)
    there = one_way(both, to_b, a, b, to_a)
  end)
  if failed then
    return nil, failure, failure_code
  end
  return there, back
end

return M
