---Notes where compiled code comes from, as it looks at no hook: so that a thread that it holds can be asked where it is
---(core/binding/inside/holder.c). It costs some microseconds for each trace that is compiled, and nothing else.

local native = require("momo.internal.core").native

---Begins, for this Lua state.
return function()
  if not native.holder_watch() then
    return
  end
  local util = require "jit.util"
  local getinfo = debug.getinfo
  local begin, begin_pc
  jit.attach(function(event, trace, fn, pc)
    if event == "start" then
      begin, begin_pc = fn, pc
    elseif event == "stop" and begin then
      local code, address = util.tracemc(trace)
      local line = util.funcinfo(begin, begin_pc).currentline
      if code and line then
        native.holder_compiled(trace, address, #code, getinfo(begin, "S").short_src, line)
      end
      begin = nil
    elseif event == "flush" then
      native.holder_forget()
    end
  end, "trace")
end
