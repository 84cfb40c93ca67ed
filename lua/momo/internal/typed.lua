---Lines that somebody types: by libedit or readline, where there is a terminal and one of them is installed, with a
---history; else plain lines. Other tasks go on meanwhile.

local poll = require("momo.internal.poll").poll

local M = {}

local STDIN = 0
local LINE_MAX = 64 * 1024 * 1024
local LIBRARIES = { "libedit.so.2", "libreadline.so.8", "libedit.so.0", "readline", "edit" }

---The library's functions, or nil.
local function open_library()
  local ffi = require "ffi"
  ffi.cdef [[
    int isatty(int);
    void free(void *);
    void rl_callback_handler_install(const char *prompt, void (*handler)(char *line));
    void rl_callback_read_char(void);
    void rl_callback_handler_remove(void);
    int add_history(const char *line);
  ]]
  if ffi.C.isatty(STDIN) == 0 then
    return nil
  end
  for _, name in ipairs(LIBRARIES) do
    local ok, library = pcall(ffi.load, name)
    if ok and pcall(function() return library.rl_callback_handler_install end) then
      return ffi, library
    end
  end
end

---@async
local function edited(ffi, library)
  local line, came
  local handler = ffi.cast("void (*)(char *)", function(text)
    came = true
    line = text ~= nil and ffi.string(text) or nil
    if text ~= nil then
      if line ~= "" then
        library.add_history(text)
      end
      ffi.C.free(text)
    end
    library.rl_callback_handler_remove()
  end)
  local function read_char() library.rl_callback_read_char() end
  jit.off(read_char) -- it calls back
  return function(prompt)
    line, came = nil, false
    library.rl_callback_handler_install(prompt, handler)
    local function wait()
      while not came do
        poll(STDIN, "r")
        read_char()
      end
    end
    local ok, err = pcall(wait)
    if not came then
      library.rl_callback_handler_remove()
    end
    if not ok then
      error(err, 0)
    end
    if not line then
      io.stdout:write "\n"
    end
    return line
  end
end

---@async
local function plain(stdin)
  return function(prompt)
    io.stdout:write(prompt)
    io.stdout:flush()
    local line = stdin:read_until("\n", LINE_MAX) or stdin:read() -- the last one may have no end
    return line and (line:gsub("\n$", ""))
  end
end

---@async
---@return async fun(prompt: string): string? read the next line without its end; nil: there is none
function M.reader()
  local ffi, library = open_library()
  if ffi then
    return edited(ffi, library)
  end
  return plain(require("momo.io").stdin)
end

return M
