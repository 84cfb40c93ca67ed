---Notes where compiled code comes from, as it looks at no hook: so that a thread that it holds can be asked where it is
---(core/binding/inside/holder.c). It costs some microseconds for each trace that is compiled, and nothing else.
---
---LuaJIT looks for a Lua function on the stack when it tells that it has given a trace up, and looks beneath the stack
---where there is none: in a coroutine whose first function has ended in a tail call of a built-in one, such as
---`return table.concat(parts)`. So it is not listened to then.

local native = require("momo.internal.core").native

local DEEP = 20 -- levels, below which it is not looked for the first function

---Begins, for this Lua state.
return function()
  if not native.holder_watch() then
    return
  end
  local util = require "jit.util"
  local getinfo, attach, collectgarbage = debug.getinfo, jit.attach, collectgarbage

  local function opcode(fn, pc)
    local instruction = util.funcbc(fn, pc)
    return instruction and instruction % 256
  end
  local callt = opcode(function(f) return f() end, 2)
  local callmt = opcode(function(f, ...) return f(...) end, 3)

  local function calls_tails(fn)
    for pc = 1, math.huge do
      local op = opcode(fn, pc)
      if op == callt or op == callmt then
        return true
      elseif not op then
        return false
      end
    end
  end

  ---Whether no Lua function may be left on the stack of the function that has called quietly's caller's caller.
  local function may_be_bare()
    local first
    for level = 4, DEEP do
      local info = getinfo(level, "Sf")
      if not info then
        return not first or calls_tails(first)
      end
      first = info.what == "C" and first or info.func
    end
    return true
  end

  local function is_bare()
    local level = 4
    local info
    repeat
      info = getinfo(level, "S")
      level = level + 1
    until not info or info.what ~= "C"
    return not info
  end

  local begin, begin_pc, listen, record

  local function start(fn, pc)
    begin, begin_pc = fn, pc
  end

  ---A listener that is called without a step of the collector: a finalizer may run compiled code, and LuaJIT notes
  ---where that is left in the place of what the new trace begins at.
  local function quiet(hear)
    return function(...)
      local collects = collectgarbage "isrunning"
      if collects then
        collectgarbage "stop"
      end
      hear(...)
      if collects then
        collectgarbage "restart"
      end
    end
  end

  listen = quiet(function(event, trace, fn, pc)
    if event == "start" then
      start(fn, pc)
      if may_be_bare() then
        attach(record, "record")
      end
      return
    elseif event == "flush" then
      native.holder_forget()
    elseif event == "stop" and begin then
      local code, address = util.tracemc(trace)
      local line = util.funcinfo(begin, begin_pc).currentline
      if code and line then
        native.holder_compiled(trace, address, #code, getinfo(begin, "S").short_src, line)
      end
    end
    begin = nil
    attach(record)
  end)

  ---Of each instruction of a trace: pc is negative in a function of C. Behind one that is bare the trace ends, so that
  ---the next instruction is another trace's.
  record = quiet(function(_, fn, pc)
    if not begin then
      start(fn, pc)
      attach(listen, "trace")
    end
    if pc < 0 and is_bare() then
      begin = nil
      attach(listen)
    end
  end)

  attach(listen, "trace")
end
