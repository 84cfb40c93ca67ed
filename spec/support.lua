---What specs share: running programs, each in a process of its own that a spec can't hang on.

local momo = require "momo"
local told = require "spec.support.told"

local M = {}

local LIMIT_SECONDS = 120
local made = {}
M.cleaner = newproxy(true) -- the files go when the state is closed
getmetatable(M.cleaner).__gc = function()
  for _, path in ipairs(made) do
    os.remove(path)
  end
end

---@param content string
---@return string path of a file with that content; it is removed at the end
function M.tmpfile(content)
  local path = os.tmpname()
  made[#made + 1] = path
  local file = assert(io.open(path, "wb"))
  assert(file:write(content))
  file:close()
  return path
end

---@param text string
---@return string[] lines that are not empty, without their ends
function M.lines(text)
  local lines = {}
  for line in text:gmatch "[^\n]+" do
    lines[#lines + 1] = line
  end
  return lines
end

---@param word string
---@return string quoted for the shell
function M.quote(word)
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

local function take(path)
  local file = assert(io.open(path, "rb"))
  local content = file:read "*a"
  file:close()
  os.remove(path)
  return content
end

---Runs a command line of the shell. Status 124: it did not end. leaks: threads go on at its end, and keep their memory.
---@param command string
---@param options {stdin: string?, leaks: boolean?}?
---@return integer status
---@return string stdout
---@return string stderr
function M.shell(command, options)
  local stdin = options and options.stdin
  if options and options.leaks then
    command = "LSAN_OPTIONS=detect_leaks=0 " .. command
  end
  local input, output, errors = stdin and M.tmpfile(stdin), os.tmpname(), os.tmpname()
  local pipe = assert(io.popen(("timeout -k 5 %d sh -c %s <%s >%s 2>%s; echo $?"):format(LIMIT_SECONDS,
    M.quote(command), M.quote(input or "/dev/null"), M.quote(output), M.quote(errors))))
  local status = tonumber(pipe:read "*a")
  pipe:close()
  local stdout, stderr = take(output), take(errors)
  told.add(status, stderr)
  return status, stdout, stderr
end

---The same for one that must succeed.
---@param command string
---@return string stdout
function M.succeed(command)
  local status, stdout, stderr = M.shell(command)
  assert(status == 0, ("status %d: %s\n%s%s"):format(status, command, stdout, stderr))
  return stdout
end

---Runs the momo command: support.momo("-e", code, { stdin = text }).
---@param ... string|{stdin: string?, leaks: boolean?} words, and options as the last one
function M.momo(...)
  local words, options = { "exec", M.quote(assert(os.getenv "MOMO_BIN")) }, nil
  for _, word in ipairs { ... } do
    if type(word) == "table" then
      options = word
    else
      words[#words + 1] = M.quote(word)
    end
  end
  return M.shell(table.concat(words, " "), options)
end

---Runs Lua code under a plain luajit, where `require "momo"` works; errors show the code as "app.lua".
---@param code string
---@param options {stdin: string?, leaks: boolean?}?
function M.luajit(code, options)
  local path = M.tmpfile(code)
  local loader = ("assert(loadstring(io.open(%q, 'rb'):read '*a', '@app.lua'))()"):format(path)
  return M.shell(("exec %s -e %s"):format(assert(os.getenv "MOMO_LUAJIT"), M.quote(loader)), options)
end

---@return {n: integer, [integer]: any}
function M.pack(...)
  return { n = select("#", ...), ... }
end

---Lets the others have n turns.
function M.yield_times(n)
  for _ = 1, n do
    momo.yield_now()
  end
end

---Runs main(failures), where failures is the list of what on_error was told, and returns the list.
function M.failures_of(main)
  local failures = {}
  momo.run({ on_error = function(...)
    failures[#failures + 1] = M.pack(...)
  end }, main, failures)
  return failures
end

return M
