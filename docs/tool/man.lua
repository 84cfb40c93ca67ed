---momo(1) out of what `momo --help` prints, and of what its reader asks besides.

local TEMPLATE = [[
.\" Made by ./dev docs from the usage text in lua/momo/command/options.lua: change that.
.TH MOMO 1 "" "@VERSION" "User commands"
.SH NAME
momo \- run a program for Momo, an asynchronous runtime for LuaJIT
.SH SYNOPSIS
@SYNOPSIS
.SH DESCRIPTION
@DESCRIPTION
.PP
The program sees its arguments as
.B ...
and in
.BR arg .
It ends when every task has ended.
.SH OPTIONS
@OPTIONS
.SH EXIT STATUS
.TP
.B 0
The program has ended, or was stopped by a signal.
.TP
.B 1
It failed, or a task that failed was not joined at the end.
.TP
.B 2
The command line was wrong.
.SH SIGNALS
The first SIGINT (Ctrl\-C) or SIGTERM cancels the tasks of every thread; the command ends when they have. The second one
kills. A program that takes a signal over by
.B momo.signal.recv
ends by itself. SIGHUP has another process take over, with the listeners; SIGQUIT has the process say what its tasks do.
.SH ENVIRONMENT
.TP
.BR LUA_PATH ", " LUA_CPATH
Where
.B require
looks for modules, Momo's own included.
.TP
.BR LISTEN_FDS ", " LISTEN_PID ", " LISTEN_FDNAMES
Listeners that systemd, or a predecessor, hands over; see
.BR momo.net.inherited_listeners .
.TP
.B MOMO_POLLER
.B epoll
has epoll tell of what comes for stream sockets, in place of io_uring, which receives it, and sends what is written to
them, wherever the system lets it;
.B ring
has a line say why the system does not. Another word is an error;
.B momo \-\-version \-v
says which of the two it is.
.SH EXAMPLES
.nf
momo app.lua
momo \-\-threads auto \-\-pin app.lua 0.0.0.0:8080
momo \-e 'print(require("momo")._VERSION)'
.fi
.SH SEE ALSO
.BR luajit (1),
.BR systemd.socket (5)
]]

local function escape(text)
  return (text:gsub("\\", "\\e"):gsub("%-", "\\-"):gsub("`(.-)`", "\\fB%1\\fR"):gsub("^([.'])", "\\&%1"))
end

---@param usage string what `momo --help` prints
---@param version string what `momo --version` prints
---@return string roff
return function(usage, version)
  local synopsis, description, options = {}, {}, {}
  for line in usage:gmatch "[^\n]+" do
    local command = line:match "^usage: momo (.*)$" or line:match "^       momo (.*)$"
    local option, text = line:match "^  (%-.-)  +(.*)$"
    if command then
      synopsis[#synopsis + 1] = ".B momo\n" .. escape(command)
    elseif option or line:find "^  %-" then
      options[#options + 1] = (".TP\n.B %s\n%s"):format(escape(option or line:match "^  (.*)$"), escape(text or ""))
    elseif options[1] then
      options[#options] = options[#options] .. "\n" .. escape(line:match "^%s*(.*)$")
    else
      description[#description + 1] = escape(line:match "^%s*(.*)$")
    end
  end
  assert(synopsis[1] and options[1], "the usage text is not what it was: see docs/tool/man.lua")
  local parts = { SYNOPSIS = table.concat(synopsis, "\n.br\n"), DESCRIPTION = table.concat(description, ".\n") .. ".",
    OPTIONS = table.concat(options, "\n"), VERSION = version }
  return (TEMPLATE:gsub("@(%u+)", parts))
end
