---What select asks of the classes that it can wait for. Each tells it in the file that has the class.

---@class momo.waitable
---@field is_ready fun(self): boolean
---@field consume fun(self): ... what select returns of one that is ready
---@field waiters (fun(self): any, any)? where to wait for it, and the source that woken is given
---@field still (fun(source): boolean)? whether what it was woken for is there still; nil: it was promised
---@field woken (fun(source): ...)? what being woken there has brought

---@type table<table, momo.waitable> by metatable
return {}
