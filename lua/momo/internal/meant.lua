---Which name was meant by one that there is not: see names.lua. Loaded when somebody asks for such a name.

local check = require "momo.internal.check"
local each = require "momo.internal.each"

local M = {}

-- What other runtimes and libraries call it.

local of_modules = {
  async = "momo.spawn", await = "task:join", broadcast = "momo.sync.channel", clock = "momo.time.now",
  create_task = "momo.spawn", createserver = "momo.net.serve", delay = "momo.time.sleep",
  dial = "momo.net.TcpStream.connect",
  errgroup = "momo.scope", every = "momo.time.interval", exec = "os.execute in momo.spawn_blocking", exit = "momo.stop",
  fork = "momo.spawn", gather = "momo.all", getaddrinfo = "momo.net.lookup_host", gettime = "momo.time.now",
  go = "momo.spawn", join = "task:join", join_all = "momo.all", join_set = "momo.scope", kill = "task:cancel",
  listen = "momo.net.TcpListener.bind", lock = "momo.sync.Mutex", nursery = "momo.scope", pipe = "momo.io.pipe",
  promise = "momo.sync.oneshot", queue = "momo.sync.channel", quit = "momo.stop", resolve = "momo.net.lookup_host",
  setinterval = "momo.time.interval", settimeout = "momo.time.after", signal = "momo.signal.recv", start = "momo.run",
  taskgroup = "momo.scope", tcp = "momo.net.TcpStream", tick = "momo.time.interval", timer = "momo.time.interval",
  udp = "momo.net.UdpSocket", wait = "task:join", waitgroup = "momo.scope", wait_for = "momo.time.timeout",
  with_timeout = "momo.time.timeout", yield = "momo.yield_now",
}

local of_objects = {
  abort = "cancel", acquire = "lock", async = "spawn", await = "join", broadcast = "notify_waiters", destroy = "close",
  get = "recv", getpeername = "peer_addr", gets = "read_until", getsockname = "local_addr", getsockopt = "get_option",
  go = "spawn", is_done = "status", kill = "cancel", lock = "acquire", next = "recv", notify_all = "notify_waiters",
  on_exit = "defer", pop = "recv", post = "release", print = "write", push = "send", put = "send",
  read_line = "read_until", receive = "read|recv", recv = "read", recvfrom = "recv_from", release = "unlock",
  result = "join", send = "write|send_to", send_all = "write", sendto = "send_to", setsockopt = "set_option",
  signal = "release|notify_one", stop = "cancel|close", try_acquire = "acquire", try_lock = "lock", try_recv = "recv",
  try_send = "send", unlock = "release", wait = "join|notified|acquire|tick", write_all = "write",
}

---A name as it is compared: neither case nor underscores count.
local function plain(name)
  return (name:lower():gsub("_", ""))
end

for _, names in ipairs { of_modules, of_objects } do
  local spelled = {}
  for name, place in each(names) do
    spelled[plain(name)] = place
  end
  for name, place in each(spelled) do
    names[name] = place
  end
end

---Letters that were left out, added, changed, or swapped with their neighbours, from one name to the other.
local function distance(a, b)
  local before, row = {}, {}
  for j = 0, #b do
    row[j] = j
  end
  for i = 1, #a do
    local next_row = { [0] = i }
    for j = 1, #b do
      local same = a:byte(i) == b:byte(j)
      next_row[j] = math.min(row[j] + 1, next_row[j - 1] + 1, row[j - 1] + (same and 0 or 1))
      if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
        next_row[j] = math.min(next_row[j], before[j - 2] + 1)
      end
    end
    before, row = row, next_row
  end
  return row[#b]
end

---The names in alphabetical order, so that the answer is the same each time.
---@param names table
---@param more table?
---@param kind string? only those of such values
local function sorted(names, more, kind)
  local list = {}
  for _, some in ipairs { names, more } do
    for name, value in each(some) do
      if type(name) == "string" and name:find "^%a" and (not kind or type(value) == kind) then
        list[#list + 1] = name
      end
    end
  end
  table.sort(list)
  return list
end

local function closest(names, key)
  local wanted = plain(key)
  local limit = #wanted < 3 and 0 or math.max(1, math.floor(#wanted / 3))
  local best, found = limit + 1, nil
  for _, name in ipairs(names) do
    local d = distance(wanted, plain(name))
    if d < best then
      best, found = d, name
    end
  end
  return found
end

---Where else in Momo's modules there is something of this name.
local function elsewhere(key)
  local momo, wanted = package.loaded.momo, plain(key)
  for _, name in ipairs { "coroutine", "io", "net", "signal", "sync", "thread" } do
    assert(momo[name]) -- which may not have been loaded yet
  end
  local function look(module, path, depth)
    for _, name in ipairs(sorted(module)) do
      if plain(name) == wanted then
        return path .. "." .. name
      end
    end
    for _, name in ipairs(depth > 0 and sorted(module) or {}) do
      local value = module[name]
      local found = type(value) == "table" and look(value, path .. "." .. name, depth - 1)
      if found then
        return found
      end
    end
  end
  return type(momo) == "table" and look(momo, "momo", 2) or nil
end

---Throws, if it knows what to say. A module's names are known where they are written, so each that it lacks is a
---mistake; an object may be asked what it is, so of those only the ones that look like one of its own.
---@param names table
---@param shown string "momo.net", or what an object is called
---@param key string
---@param more table?
function M.answer(names, shown, key, more)
  if not shown:find "^momo" then
    local meant
    for place in (of_objects[plain(key)] or ""):gmatch "[^|]+" do
      meant = meant or (rawget(names, place) and place)
    end
    meant = meant or closest(sorted(names, more, "function"), key)
    if meant then
      check.fail(("%s has no %s; did you mean %s?"):format(shown, key, meant))
    end
    return
  end
  local have = sorted(names, more)
  local close = closest(have, key)
  local place = of_modules[plain(key)] or elsewhere(key)
  if close and (plain(close) == plain(key) or not place) then
    check.fail(("%s has no %s; did you mean %s?"):format(shown, key, close))
  elseif place then
    check.fail(("%s has no %s; did you mean %s?"):format(shown, key, place))
  elseif shown == "momo" and package.searchpath("momo." .. key, package.path) then
    check.fail(("momo has no %s; it is a module of its own: require \"momo.%s\""):format(key, key))
  end
  check.fail(("%s has no %s, but %s"):format(shown, key, table.concat(have, ", ")))
end

return M
