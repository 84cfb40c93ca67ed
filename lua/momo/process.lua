---Child processes: started without a shell, with streams in place of their standard descriptors, and ended with the
---work that they were spawned for.

local each = require "momo.internal.each"
local children = require "momo.process.child"
local files = require "momo.fs.file"
local Stream = require "momo.net.stream"
local check = require "momo.internal.check"
local names = require "momo.internal.names"
local core = require "momo.internal.core"
local scopes = require "momo.internal.scope"
local time = require "momo.time"

local C, executor, native = core.C, core.executor, core.native
local unread = core.new "size_t[1]"

local GRACE = 5 -- seconds from SIGTERM to SIGKILL
local LIMIT = 8 * 1024 * 1024 -- bytes of output that run keeps of each stream
local PIECE = 64 * 1024

local M = {}

---@class momo.ProcessOptions
---@field env table<string, string|number>? the whole environment; else the child has ours (momo.process.environ)
---@field cwd string? its folder
---@field stdin "inherit"|"pipe"|"null"|momo.Stream|momo.File|integer|nil inherit; what is no word is lent to it
---@field stdout "inherit"|"pipe"|"null"|momo.Stream|momo.File|integer|nil of a file, from its position on; that stays
---@field stderr "inherit"|"pipe"|"null"|"stdout"|momo.Stream|momo.File|integer|nil stdout: where stdout goes
---@field pty boolean? it gets a terminal of its own; `child.terminal` is the other end
---@field user string|integer|nil name or number of the user whose rights it has, with all of their groups
---@field group string|integer|nil name or number of its group
---@field process_group boolean? it leads a group: kill and cancellations reach what it has started, too
---@field detached boolean? it leads a session of its own, and no cancellation ends it
---@field grace number? seconds that it has to end after the SIGTERM of a cancellation, before a SIGKILL; 5

---@class momo.RunOptions: momo.ProcessOptions
---@field input string? what it reads; without it, nothing
---@field limit integer? bytes of output that are kept of each stream; 8 MiB
---@field timeout number? seconds until it is ended

local OPTIONS = {
  "env", "cwd", "stdin", "stdout", "stderr", "pty", "user", "group", "process_group", "detached", "grace",
}
local RUN_OPTIONS = { "input", "limit", "timeout" }

local function check_alone(name, command, more)
  if type(command) == "string" and type(more) == "string" then
    check.fail(("%s: the words stand in a table: %s { %q, %q }"):format(name, name, command, more))
  elseif more ~= nil then
    check.fail(("%s: the options stand in the table of the words: {\"sort\", \"-n\", timeout = 5}"):format(name))
  end
end

local function check_options(options, name, allowed, more)
  check.argument(type(options) == "table", name .. ": argument 1 must be a table: {\"command\", \"argument\", ...}, "
    .. "or call momo.process.shell(text)", options)
  local known = {}
  for _, list in ipairs { allowed, more or {} } do
    for _, key in ipairs(list) do
      known[key] = true
    end
  end
  local n = #options
  for key, value in each(options) do
    if type(key) == "number" then
      if not (key >= 1 and key <= n and key % 1 == 0) then
        check.fail(("%s: the words of the command must be an array without holes"):format(name))
      end
      check.argument(check.is_text(value), ("%s: word %d must be a string without zero bytes"):format(name, key), value)
    elseif not known[key] then
      local known_names = table.concat(allowed, ", ") .. (more and ", " .. table.concat(more, ", ") or "")
      check.fail(("%s: there is no option %s, but %s"):format(name, check.show(key), known_names))
    end
  end
  if n == 0 then
    check.fail(name .. ": there is no command: write {\"command\", \"argument\", ...}")
  end
end

local function check_text(value, name, what)
  check.argument(value == nil or check.is_text(value),
    ("%s: %s must be a string without zero bytes"):format(name, what), value)
end

-- A user or a group, as text.
local function check_owner(value, name, what)
  check.argument(value == nil or check.is_text(value) or (check.is_whole(value) and value >= 0),
    ("%s: %s must be a name or a number from 0"):format(name, what), value)
  return value and tostring(value)
end

local function check_flag(value, name, what)
  check.argument(value == nil or type(value) == "boolean", ("%s: %s must be a boolean"):format(name, what), value)
end

local function check_number(value, name, what)
  check.argument(value == nil or (type(value) == "number" and value >= 0),
    ("%s: %s must be a number, 0 or more"):format(name, what), value)
end

-- The environment as the system takes it: { "NAME=value", ... }.
local function strings_of(env, name)
  check.argument(env == nil or type(env) == "table", name .. ": env must be a table of names and values", env)
  if not env then
    return nil
  end
  local strings = {}
  for key, value in each(env) do
    if not check.is_text(key) or key == "" or key:find("=", 1, true) then
      check.fail(("%s: a name in env must be a string without zero bytes and =, got %s"):format(name, check.show(key)))
    elseif type(value) ~= "number" and not check.is_text(value) then
      check.fail(("%s: env[%s] must be a string without zero bytes, got %s"):format(name, check.show(key),
        check.show(value)))
    end
    strings[#strings + 1] = key .. "=" .. value
  end
  return strings
end

-- What native.process_spawn takes for a standard descriptor: its number, or a word.
local function end_of(value, number, name, what, more)
  if value == nil or value == "inherit" then
    return number
  elseif value == "pipe" or value == "null" or value == more then
    return value
  elseif getmetatable(value) == Stream then
    if value:tls() then
      check.fail(("%s: %s is a stream that speaks TLS, which a child does not: pass \"pipe\", and copy with "
        .. "momo.io.copy"):format(name, what))
    end
    return value:fd()
  elseif getmetatable(value) == files.File then
    return files.lent_fd(value)
  elseif check.is_whole(value) and value >= 0 then
    return value
  end
  local words = "\"pipe\", \"null\", \"inherit\"" .. (more and ", \"stdout\"" or "")
  check.fail(("%s: %s must be %s, a stream, a file or the number of a descriptor, got %s"):format(name, what, words,
    check.show(value)))
end

-- What came for a stream before it is lent is ours, and the child would never see it.
local function input_of(value, name)
  local fd, err, code = end_of(value, 0, name, "stdin")
  if fd and getmetatable(value) == Stream then
    C.momo_unread(executor, value, unread)
    if unread[0] > 0 then
      return nil, ("EBUSY: resource busy or locked: stdin has %d unread bytes here: read them first, and write them to "
        .. "a child whose stdin is a pipe"):format(tonumber(unread[0])), "EBUSY"
    end
  end
  return fd, err, code
end

local function ends_of(options, name)
  if options.pty then
    if options.stdin or options.stdout or options.stderr then
      check.fail(name .. ": with pty, stdin, stdout and stderr are the terminal")
    end
    return "terminal", "terminal", "terminal"
  end
  local stdin, stdout, stderr, err, code
  stdin, err, code = input_of(options.stdin, name)
  if stdin then
    stdout, err, code = end_of(options.stdout, 1, name, "stdout")
  end
  if stdout then
    stderr, err, code = end_of(options.stderr, 2, name, "stderr", "stdout")
  end
  if not stderr then
    return nil, err, code
  end
  return stdin, stdout, stderr
end

---Our environment.
---@return table<string, string> env a copy, by name
function M.environ()
  return native.environ()
end

local function spawn(options, name)
  check_text(options.cwd, name, "cwd")
  local user, group = check_owner(options.user, name, "user"), check_owner(options.group, name, "group")
  check_flag(options.pty, name, "pty")
  check_flag(options.process_group, name, "process_group")
  check_flag(options.detached, name, "detached")
  check_number(options.grace, name, "grace")
  local strings = strings_of(options.env, name)
  local words = {}
  for i = 1, #options do
    words[i] = options[i]
  end
  local stdin, stdout, stderr = ends_of(options, name)
  if not stdin then
    return nil, stdout, stderr
  end
  local leads = options.detached and "session" or options.process_group and "group" or nil
  local raw, input, output, errors = native.process_spawn(words, strings, options.cwd, stdin, stdout, stderr, leads,
    user, group, nil, options.grace or GRACE)
  if not raw then
    return nil, input, output
  end
  return setmetatable({
    raw = raw,
    stdin = not options.pty and input or nil,
    stdout = output or nil,
    stderr = errors or nil,
    terminal = options.pty and input or nil,
    lives_on = options.detached or false,
  }, children.Child)
end

---Starts a program, which is looked for in PATH unless there is a slash in its name. No shell reads the words. The
---child has no descriptor of ours but the standard ones; signals are at their defaults, but for those that are ignored
---here. When the task, or a scope that it is in, is cancelled and ends, the child is ended, too, unless it is detached:
---it gets SIGTERM, and SIGKILL after its grace. When they end uncancelled, it runs on.
---
---Codes: ENOENT the program, its folder, the user or the group is not there; EACCES; EPERM; E2BIG; EMFILE; EAGAIN too
---many processes; ENOMEM; EBADF a stream is closed; EBUSY bytes of the stream that is its stdin
---are unread here, as may be those that came since a task has read from it.
---@param options momo.ProcessOptions the words of the command, and options: {"ls", "-l", cwd = "/"}
---@param ... nil nothing: options stand in the table
---@return momo.Child? child
---@return string? err
---@return string? code
function M.spawn(options, ...)
  check_alone("spawn", options, ...)
  check_options(options, "spawn", OPTIONS)
  return spawn(options, "spawn")
end

-- All that comes: a string; or nil, err, code.
local function read_all(stream, limit)
  local pieces, n = {}, 0
  while true do
    local piece, err, code = stream:read(PIECE)
    if not piece then
      if code == "EOF" then
        return table.concat(pieces)
      end
      return nil, err, code
    end
    n = n + #piece
    if n > limit then
      return nil, ("EMSGSIZE: more than %d bytes of output; pass a higher limit"):format(limit), "EMSGSIZE"
    end
    pieces[#pieces + 1] = piece
  end
end

local function feed(child, input)
  child.stdin:write(input) -- a child need not read all of it
  child.stdin:close()
end

local function close(child)
  for _, name in ipairs { "stdin", "stdout", "stderr" } do
    if child[name] then
      child[name]:close()
    end
  end
end

-- Ends the child, and what it has left behind of its group and still might write, where that was not waited for.
local function finish(child, result)
  children.finish(child)
  if (child.stdout and not result.stdout) or (child.stderr and not result.stderr) then
    native.process_kill_rest(child.raw)
  end
end

-- The outputs and the end of the child; on a failure, it is ended.
local function collect(child, options)
  local result, failed, code = {}, nil, nil
  local limit = options.limit or LIMIT
  scopes.scope(function(both)
    both:defer(close, child)
    both:defer(finish, child, result)
    if options.input then
      both:spawn(feed, child, options.input)
    end
    for _, name in ipairs { "stdout", "stderr" } do
      if child[name] then
        both:spawn(function()
          local text, err, its_code = read_all(child[name], limit)
          result[name] = text
          if not text and not failed then
            failed, code = err, its_code
            both:cancel(err)
          end
        end)
      end
    end
    local ended = child:wait()
    result.status, result.signal = ended and ended.status, ended and ended.signal
  end)
  if failed then
    return nil, failed, code
  end
  return result
end

local function run(options, name)
  check.argument(options.input == nil or type(options.input) == "string", name .. ": input must be a string",
    options.input)
  check.argument(options.limit == nil or (check.is_whole(options.limit) and options.limit >= 0),
    name .. ": limit must be a whole number of bytes", options.limit)
  check_number(options.timeout, name, "timeout")
  if options.pty then
    check.fail(name .. ": there is no pty here; spawn the command and read child.terminal")
  end
  native.check_cancelled()
  local own = {}
  for key, value in each(options) do
    own[key] = value
  end
  own.stdin = options.input and "pipe" or options.stdin or "null"
  own.stdout = options.stdout or "pipe"
  own.stderr = options.stderr or "pipe"
  local child, err, code = spawn(own, name)
  if not child then
    return nil, err, code
  end
  if not options.timeout then
    return collect(child, options)
  end
  return time.timeout(options.timeout, collect, child, options)
end

---Runs a program to its end, and keeps what it writes. Any end is a result; the child has ended when run returns.
---
---Codes: those of spawn; ETIMEDOUT; EMSGSIZE it wrote more than `limit` bytes. After those two, it was ended.
---@async
---@param options momo.RunOptions the words of the command, and options: {"sort", input = "b\na\n"}
---@param ... nil nothing: options stand in the table
---@return { status: integer?, signal: string?, stdout: string?, stderr: string? }? result
---@return string? err
---@return string? code
function M.run(options, ...)
  check_alone("run", options, ...)
  check_options(options, "run", OPTIONS, RUN_OPTIONS)
  return run(options, "run")
end

---Runs a text that a shell (/bin/sh) reads, as run does. What comes from others has no place in it: pass it as words,
---which the text has as "$1", "$2", ...
---
---Codes: those of run.
---@async
---@param text string
---@param options momo.RunOptions? options, and the words
---@return { status: integer?, signal: string?, stdout: string?, stderr: string? }? result
---@return string? err
---@return string? code
function M.shell(text, options)
  check.argument(check.is_text(text), "shell: argument 1 must be a string without zero bytes", text)
  local own = { "/bin/sh", "-c", text, "sh" }
  for key, value in each(options or {}) do
    own[type(key) == "number" and key + 4 or key] = value
  end
  check_options(own, "shell", OPTIONS, RUN_OPTIONS)
  return run(own, "shell")
end

return names.module(M, "momo.process")
