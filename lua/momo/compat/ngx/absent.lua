---What belongs to a request of nginx's, which there is not here: it says so when it is used.

local M = {}

local function fail(name)
  error(("ngx.%s: there is no request of nginx's here: serve by momo.http"):format(name), 3)
end

-- A function that libraries may take hold of, but not call.
local function refused(name)
  return function()
    fail(name)
  end
end

-- A table whose functions may be taken hold of, but not called.
local function refused_functions(name)
  return setmetatable({}, {
    __index = function(_, key)
      return refused(("%s.%s"):format(name, tostring(key)))
    end,
  })
end

-- A table that has no fields.
local function refused_fields(name)
  local function refuse(_, key)
    fail(("%s.%s"):format(name, tostring(key)))
  end
  return setmetatable({}, { __index = refuse, __newindex = refuse })
end

---What is no function and no table is refused when it is asked for.
M.values = { status = true, headers_sent = true, is_subrequest = true }

---@param name string
function M.value(name)
  fail(name)
end

for _, name in ipairs {
  "say", "print", "flush", "eof", "exit", "exec", "redirect", "send_headers", "on_abort", "run_worker_thread",
} do
  M[name] = refused(name)
end
for _, name in ipairs { "req", "location", "resp" } do
  M[name] = refused_functions(name)
end
for _, name in ipairs { "var", "header", "arg" } do
  M[name] = refused_fields(name)
end

return M
