---Finalizers that are called where a spec wants them.

local M = {}

---Makes garbage whose finalizer is fn. Who allocates as much as there is finds it; once the function that is
---returned was called, who allocates anything.
---@param fn function
---@return fun() arm
function M.garbage(fn)
  collectgarbage()
  collectgarbage("setstepmul", 1e7)
  coroutine.wrap(function() getmetatable(newproxy(true)).__gc = fn end)() -- this stack has never seen it
  return function() collectgarbage "restart" end
end

---For after_each.
function M.restore()
  collectgarbage("setstepmul", 200)
end

return M
