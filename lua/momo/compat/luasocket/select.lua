---LuaSocket's select: each descriptor has a watch, which it keeps, and momo.select waits for all of them.

local each = require "momo.internal.each"
local io = require "momo.io"
local select_first = require("momo.internal.select").select
local time = require "momo.time"
local yield_now = require("momo.internal.task").yield_now

-- For what can't be watched, such as a file.
local ALWAYS = { wait = function() return true end }

-- The watch of an object, which its close ends; that of a foreign one, such as a library's that has getfd, is ours.
-- None: it is closed, or not there yet.
local function watch_of(object, events, own)
  local watches = type(object) == "table" and object.watches
  local watch = watches and watches[events]
  if watch then
    return watch
  end
  local fd = object:getfd()
  if not fd or fd < 0 then
    return nil
  end
  watch = io.watch(fd, events)
  if not watch then
    return ALWAYS
  elseif watches then
    watches[events] = watch
  else
    own[#own + 1] = watch
  end
  return watch
end

local function is_ready(entry, own)
  local object = entry.object
  if type(object) == "table" and object.failure then -- a connect that has failed
    return true
  elseif entry.events == "r" and object.dirty and object:dirty() then
    return true
  end
  entry.watch = entry.watch or watch_of(object, entry.events, own)
  return entry.watch ~= nil and entry.watch:wait(0) ~= nil
end

-- Who is ready now: one list each, with places by object as well.
local function look(entries, own)
  local found = { r = {}, w = {} }
  for _, entry in ipairs(entries) do
    if is_ready(entry, own) then
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
  for _, entry in ipairs(entries) do
    sources[#sources + 1] = entry.watch or type(entry.object) == "table" and entry.object.pending or nil
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
local function run(entries, own, deadline)
  while true do
    local readable, writable = look(entries, own)
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
      entries[#entries + 1] = { object = object, events = events }
    end
  end
  local native = require("momo.internal.core").native
  local ok, readable, writable, err = xpcall(run, native.traceback_capture, entries, own, deadline)
  for _, watch in ipairs(own) do
    watch:close()
  end
  if not ok then
    native.rethrow(readable)
  end
  return readable, writable, err
end
