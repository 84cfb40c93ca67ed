---The command line of momo.

local M = {}

M.USAGE = [[
usage: momo [options] FILE.lua [ARGS]
       momo -i [FILE.lua]
       momo attach PID
       momo dump PID
       momo reload PID
  FILE.lua is run as the first task; `-` reads it from stdin
  -i              reads lines of Lua, and runs each as a task; FILE.lua is run first
  attach PID      opens the console of a process that was started with --console
  dump PID        has the process say on its stderr what its tasks do, as `kill -QUIT` does
  reload PID      has the process run its program anew in another one, which takes its listeners over, as `kill -HUP`
                  does
  -e CODE         runs CODE instead of a file
  --threads N     N threads run the file, each in a Lua state of its own; auto: one a CPU
  --console PATH  momo attach can open a console in the process, over a Unix socket at PATH that only its owner may open
  --trace FILE    writes what tasks do when, for Perfetto and Chrome
  --watch         runs the program anew when its file has changed, or one that it requires
  --pin           pins thread i to the i-th CPU that the process may use
  --stall MS      a task that computes for so long while others wait is told on stderr; 25, or MOMO_STALL_MS; 0: none is
  --profile[=FILE]  tells on stderr, at the end, which tasks and lines the first thread has computed in; FILE: and draws
                  a flame graph (SVG)
  --inspect[=ADDR]  serves a page that shows tasks, plots, stalls and a CPU profile: at ADDR, HOST:PORT or PORT; else
                  on loopback, at a port that stderr tells
  --grace S       seconds that a thread has to hear of SIGINT or SIGTERM before it is said who holds it, and the
                  process ends; 3 where nothing is said
  --virtual       time moves only when every task waits, straight to the next deadline
  --version       shows the version; with -v, by what the kernel is asked for events as well
  --help          shows this
]]

M.STALL_MAX = 1e6 -- milliseconds

-- Options whose value is the next word, whatever that is.
local VALUES = { ["--console"] = "a path", ["--trace"] = "a file" }

---@param words string[] of the command line, behind the program
---@return table? options nil: they can't be
---@return string? err
function M.parse(words)
  local options = { threads = 1, grace = 3, words = {} }
  local i = 1
  while words[i] do
    local word = words[i]
    if word == "-e" then
      i = i + 1
      options.code = words[i]
      if not options.code then
        return nil, "-e wants a piece of Lua code"
      end
      i = i + 1
      break
    elseif word == "--threads" then
      i = i + 1
      local n = words[i] == "auto" and "auto" or tonumber(words[i])
      if n ~= "auto" and not (n and n >= 1 and n <= 1024 and n % 1 == 0) then
        return nil, "--threads wants a number from 1 to 1024, or auto"
      end
      options.threads = n
    elseif word == "--stall" then
      i = i + 1
      options.stall = tonumber(words[i])
      if not (options.stall and options.stall >= 0 and options.stall <= M.STALL_MAX) then
        return nil, "--stall wants a number of milliseconds, 0 or more"
      end
    elseif word == "--grace" then
      i = i + 1
      options.grace = tonumber(words[i])
      if not (options.grace and options.grace > 0) then
        return nil, "--grace wants a number of seconds, more than 0"
      end
    elseif word == "--profile" or word:find "^%-%-profile=." then
      options.profile = word:match "=(.*)" or true
    elseif VALUES[word] then
      i = i + 1
      options[word:sub(3)] = words[i]
      if not words[i] then
        return nil, ("%s wants %s"):format(word, VALUES[word])
      end
    elseif word == "-i" then
      options.interactive = true
    elseif word == "--watch" then
      options.watch = true
    elseif word == "--inspect" or word:find "^%-%-inspect=." then
      options.inspect = word:match "=(.*)" or ""
    elseif word == "--pin" then
      options.pin = true
    elseif word == "--virtual" then
      options.clock = "virtual"
    elseif word == "--version" or word == "--help" or word == "-h" then
      options.show = word == "--version" and "version" or "usage"
      options.verbose = words[i + 1] == "-v"
      return options
    elseif word == "-" or word:sub(1, 1) ~= "-" then
      break
    else
      return nil, "there is no option " .. word
    end
    i = i + 1
  end
  if not options.code then
    options.file = words[i]
    if not options.file and not options.interactive then
      return nil, "which file?"
    end
    i = i + 1
  end
  if options.interactive and (options.watch or options.file == "-" or options.threads ~= 1) then
    return nil, "-i reads stdin, and is for one thread, without --watch"
  elseif options.watch and (options.code or options.file == "-") then
    return nil, "--watch wants a file"
  end
  if options.clock and options.threads ~= 1 then
    return nil, "--virtual is for one thread"
  end
  for j = i, #words do
    options.words[#options.words + 1] = words[j]
  end
  return options
end

return M
