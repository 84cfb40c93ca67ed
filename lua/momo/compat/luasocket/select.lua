---LuaSocket's select: each descriptor has a watch, which it keeps, and momo.select waits for all of them.

local each = require "momo.internal.each"
local io = require "momo.io"
local select_first = require("momo.internal.select").select
local time = require "momo.time"
local yield_now = require("momo.internal.task").yield_now

-- The watch of an object, which its close ends; that of a foreign one, such as a library's that has getfd, is ours.
local function watch_of(object, events, own)
  local watches = type(object) == "table" and object.watches
  local watch = watches and watches[events]
  if not watch then
    local fd = object:getfd()
    watch = fd >= 0 and io.watch(fd, events)
    if not watch then
      return nil
    elseif watches then
      watches[events] = watch
    else
      own[#own + 1] = watch
    end
  end
  return watch
end

local function is_ready(entry)
  local object, watch = entry.object, entry.watch
  if entry.events == "r" and object.dirty and object:dirty() then
    return true
  end
  return not watch or watch:wait(0) ~= nil
end

-- Who is ready now: one list each, with places by object as well.
local function look(entries)
  local found = { r = {}, w = {} }
  for _, entry in ipairs(entries) do
    if is_ready(entry) then
      local list = found[entry.events]
      list[#list + 1] = entry.object
      list[entry.object] = #list
    end
  end
  return found.r, found.w
end

---@async
local function await(entries, deadline)
  local sources = {}
  for i, entry in ipairs(entries) do
    sources[i] = entry.watch
  end
  if deadline then
    sources[#sources + 1] = time.after(math.max(0, deadline - time.now()))
  end
  if sources[1] then
    select_first(sources)
  else
    time.sleep(math.huge)
  end
end

---@async
local function run(entries, deadline)
  while true do
    local readable, writable = look(entries)
    if readable[1] or writable[1] then
      yield_now() -- a loop around it lets others run
      return readable, writable
    elseif deadline and time.now() >= deadline then
      yield_now()
      return readable, writable, "timeout"
    end
    await(entries, deadline)
  end
end

---@async
return function(receivers, senders, timeout)
  local deadline = timeout and timeout >= 0 and time.now() + timeout or nil
  local entries, own = {}, {}
  for events, list in each { r = receivers or {}, w = senders or {} } do
    for _, object in ipairs(list) do
      entries[#entries + 1] = { object = object, events = events, watch = watch_of(object, events, own) }
    end
  end
  local native = require("momo.internal.core").native
  local ok, readable, writable, err = xpcall(run, native.traceback_capture, entries, deadline)
  for _, watch in ipairs(own) do
    watch:close()
  end
  if not ok then
    native.rethrow(readable)
  end
  return readable, writable, err
end
