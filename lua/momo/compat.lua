---Libraries that were written for others' sockets, run unchanged in tasks: what would block the thread suspends the
---task. Nothing of it is loaded before it is installed, and outside of tasks all is as it was.
---
---    require("momo.compat").install "luasocket"
---    local redis = require "redis"

local check = require "momo.internal.check"
local each = require "momo.internal.each"
local names = require "momo.internal.names"

local M = {}

local INSTALL = {
  luasocket = "momo.compat.luasocket",
  cqueues = "momo.compat.cqueues",
  ngx = "momo.compat.ngx",
}

---Makes a library's sockets ours, from here on, for whom requires it afterwards: do it before all other `require`.
---
---`"luasocket"` stands in for `socket.core`, `socket.unix` and LuaSec's `ssl`; LuaSocket's own Lua files (http, smtp,
---ftp, ltn12, url) stand on it, and must be there (Debian: lua-socket). `"cqueues"` has `cqueues.poll` and `loop`
---suspend the task, with which lua-http runs. `"ngx"` makes the global `ngx` of OpenResty, without what belongs to a
---request: cosockets and their pools, timers, threads, dictionaries (of this thread), regular expressions (by PCRE2),
---digests (by OpenSSL). It also puts `momo.coroutine` over the global `coroutine`, so that a task
---can suspend inside a library's coroutines. May be repeated.
---@param name "luasocket"|"cqueues"|"ngx"
function M.install(name)
  local module = INSTALL[name]
  if not module then
    check.fail("install: argument 1 must be \"luasocket\", \"cqueues\" or \"ngx\", got " .. check.show(name))
  end
  require(module).install()
  local theirs = _G.coroutine
  for key, value in each(require "momo.coroutine") do
    rawset(theirs, key, value)
  end
end

return names.module(M, "momo.compat")
