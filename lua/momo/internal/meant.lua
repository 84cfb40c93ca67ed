---Which name was meant by one that there is not: see names.lua. Loaded when somebody asks for such a name.

local check = require "momo.internal.check"
local each = require "momo.internal.each"

local M = {}

-- What other runtimes and libraries call it: a name, or several, and where that is here.

local SCOPE, TASK = "momo.scope", "momo.spawn"

local of_modules = {
  ["async create_task ensure_future fork go start_soon defer_to_thread thread_create"] = TASK,
  ["await join wait then"] = "task:join", ["kill cancel abort cleartimeout clearinterval"] = "task:cancel",
  ["gather join_all promise_all parallel map"] = "momo.all", ["select_first first race_all"] = "momo.race",
  ["join_set nursery errgroup taskgroup waitgroup task_group"] = SCOPE, ["defer finally"] = "scope:defer",
  ["exit quit die shutdown terminate abort_all"] = "momo.stop",
  ["start main run_until_complete block_on loop event_loop get_event_loop run_forever"] = "momo.run",
  ["yield nexttick next_tick setimmediate gosched"] = "momo.yield_now",
  ["worker workers web_worker"] = "momo.thread.spawn", ["pool threadpool run_in_executor executor to_thread"] =
    "momo.spawn_blocking",
  ["delay usleep nanosleep"] = "momo.time.sleep", ["clock gettime monotonic hrtime"] = "momo.time.now",
  ["date time gettimeofday unixtime"] = "momo.time.wall",
  ["every setinterval tick ticker timer new_timer timer_at timer_every"] = "momo.time.interval",
  ["settimeout timer_after call_later"] = "momo.time.sleep, in a task of its own (momo.spawn)",
  ["wait_for with_timeout deadline"] = "momo.time.timeout",
  ["broadcast queue chan mpsc make_chan pipe_channel"] = "momo.sync.channel",
  ["promise future deferred"] = "momo.sync.oneshot", ["lock rwlock once new_mutex"] = "momo.sync.Mutex",
  ["event cond condition condvar condition_variable barrier"] = "momo.sync.Notify",
  ["createserver start_server server tcp_server listen_and_serve"] = "momo.net.serve",
  ["dial open_connection create_connection createconnection"] = "momo.net.TcpStream.connect",
  ["listen"] = "momo.net.TcpListener.bind", ["tcp socket"] = "momo.net.TcpStream", ["udp dgram"] = "momo.net.UdpSocket",
  ["getaddrinfo resolve dns gethostbyname lookup"] = "momo.net.lookup_host", ["reverse getnameinfo"] =
    "momo.net.lookup_addr",
  ["pipe"] = "momo.io.pipe", ["tee"] = "momo.io.copy", ["signal notify trap"] = "momo.signal.recv",
  ["fetch curl"] = "momo.http.get", ["exec system popen shell_exec spawn_sync subprocess"] = "momo.process.run",
  ["env getenv environment"] = "momo.process.environ",
  ["file read_file readfile"] = "momo.fs.open", ["get"] = "momo.http.get", ["router"] = "momo.http.Router",
}

-- What there is not, and what to do.
local absent = {
  json = "use a library, such as lua-cjson",
  ["redis postgres mysql memcached"] = "use a library of LuaSocket's through momo.compat, or speak the protocol as "
    .. "examples/resp_client.lua and examples/postgres.lua do",
  ["on emit eventemitter add_listener"] = "there are no callbacks: a task waits for what is to come (momo.spawn, "
    .. "momo.select)",
}

-- In that module alone, before what holds everywhere.
local in_module = {
  ["momo.http"] = {
    ["createserver listenandserve listen server start handlefunc listen_and_serve_tls"] = "momo.http.serve",
    ["fetch"] = "momo.http.get", ["put delete head patch options del do"] = "momo.http.request(method, url)",
    ["static fileserver file_server static_files send_file"] = "momo.http.files",
    ["app mux servemux new_serve_mux handle route use express"] = "momo.http.Router",
    ["upgrade websocket_server"] = "response:websocket", ["gzip compress"] = "momo.http.compressed",
    ["reverseproxy"] = "momo.http.proxy", ["agent session"] = "momo.http.Client", ["tls https"] = "option tls of serve",
    ["json"] = "request:json", ["query parse_query"] = "request:query_args",
  },
  ["momo.tls"] = {
    ["listen createserver serve bind create_server"] = "the option tls of momo.net.serve",
    ["dial connect_tls"] = "momo.tls.connect", ["wrap context new newcontext create_context handshake starttls"] =
      "momo.tls.client(...):wrap(stream), or that of momo.tls.server",
    ["x509keypair load_cert certificate"] = "momo.tls.server { cert = ..., key = ... }",
  },
  ["momo.fs"] = {
    ["read_file readfile readfilesync readall read_all slurp"] = "momo.fs.read",
    ["write_file writefile writefilesync spit"] = "momo.fs.write",
    ["appendfile append_file"] = "momo.fs.append", ["readdir listdir dir ls scandir glob"] = "momo.fs.list",
    ["unlink rm rmdir del delete rmtree remove_all"] = "momo.fs.remove", ["cp copyfile copy_file"] = "momo.fs.copy",
    ["mv move"] = "momo.fs.rename", ["mkdirp mkdir_all makedirs mkdirall"] = "momo.fs.mkdir",
    ["create createreadstream createwritestream lines tail readlines"] = "momo.fs.open",
    ["attributes info size isfile is_file isdir is_dir access"] = "momo.fs.stat", ["close"] = "file:close",
    ["mkdtemp tmpdir"] = "momo.fs.tempdir", ["mkstemp tmpname tmpfile"] = "momo.fs.tempfile",
    ["cwd getcwd abspath"] = "momo.fs.realpath(\".\")", ["exist"] = "momo.fs.exists",
    ["inotify notify"] = "momo.fs.watch",
  },
  ["momo.process"] = {
    ["exec system execfile check_output call spawnsync popen"] = "momo.process.run",
    ["fork start"] = "momo.process.spawn",
    ["kill"] = "child:kill", ["wait waitpid"] = "child:wait", ["exit"] = "momo.stop", ["env"] = "momo.process.environ",
    ["argv"] = "the global arg", ["on signal"] = "momo.signal.recv", ["stdin"] = "momo.io.stdin", ["stdout"] =
      "momo.io.stdout",
  },
  ["momo.io"] = { ["popen"] = "momo.process.run", ["lines"] = "stream:lines", ["readall read_all"] = "stream:read" },
  ["momo.log"] = {
    ["print log notice trace"] = "momo.log.info", ["warning"] = "momo.log.warn",
    ["err fatal critical"] = "momo.log.error",
    ["level set_level setlevel new handler sink"] = "momo.log.configure",
  },
  ["momo.nats"] = { ["publish subscribe request"] = "momo.nats.connect(...), whose client has it" },
  ["momo.signal"] = { ["on wait signal trap notify handle"] = "momo.signal.recv", ["raise kill"] = "child:kill" },
  ["momo.sync"] = { ["watch"] = "momo.sync.Notify" },
  ["momo.thread"] = {
    ["new create start worker"] = "momo.thread.spawn", ["join"] = "thread:join", ["self"] = "momo.thread.current",
    ["pool"] = "momo.spawn_blocking", ["cpus count cpu_count"] = "momo.thread.available_parallelism",
  },
  ["momo.time"] = { ["time date"] = "momo.time.wall" },
}

local of_objects = {
  ["abort kill"] = "cancel|kill", ["acquire try_lock"] = "lock", ["add async go start_soon start"] = "spawn|handle",
  await = "join|wait", ["broadcast notify_all set"] = "notify_waiters", destroy = "close|cancel",
  get = "recv|handle|join", ["next pop read try_recv"] = "recv",
  ["getpeername remote_addr remote_address"] = "peer_addr",
  ["getsockname address addr port"] = "local_addr", getsockopt = "get_option",
  ["gets read_line readline receive_until"] = "read_until|lines", ["is_done done is_alive"] = "status",
  ["lock try_acquire"] = "acquire|lock", ["on_exit finally"] = "defer", ["notify"] = "notify_one",
  post = "release|handle", release = "unlock", ["print send_all write_all end write_line"] = "write",
  put = "send|handle", ["push publish send_nowait try_send write"] = "send", ["receive"] = "read|recv", recv = "read",
  ["recvfrom receivefrom"] = "recv_from", ["result join communicate poll"] = "join|wait",
  send = "write|send_to", sendto = "send_to", setsockopt = "set_option", ["send_signal terminate"] = "kill|cancel",
  signal = "release|notify_one|kill", stop = "cancel|close|kill", unlock = "release", ["readall read_all"] = "read",
  wait = "join|notified|acquire|tick|wait", ["half_close close_write"] = "shutdown", ["starttls handshake"] = "wrap",
  ["delete patch route use any on handle_func"] = "handle", ["pipe"] = "read", ["settimeouts"] = "set_timeout",
}

---A name as it is compared: neither case nor underscores count.
local function plain(name)
  return (name:lower():gsub("_", ""))
end

-- What is no method of the object's own, and where it is.
local of_object = {
  tx = {
    ["recv receive get iter read"] = "its other end has it: local tx, rx = channel(...)",
    ["try_send send_nowait offer"] = "write tx:send(value, 0)",
  },
  rx = {
    ["send put push write publish"] = "its other end has it: local tx, rx = channel(...)",
    ["try_recv poll"] = "write rx:recv(0)",
    ["clone"] = "only senders are cloned. Tasks may share a receiver; threads ask for their "
      .. "jobs (examples/workers.lua)",
  },
  semaphore = { ["try_acquire"] = "write semaphore:acquire(0)" }, mutex = { ["try_lock"] = "write mutex:lock(0)" },
  router = {
    ["get post put delete patch head options route all any add on"] = 'write router:handle("GET /path", handler)',
    ["use middleware"] = "a middleware is a function of a handler: serve(address, middleware(router))",
    ["static files file"] = 'write router:handle("/", momo.http.files(folder))',
    ["listen run start serve"] = "write momo.http.serve(address, router)",
    ["group mount prefix"] = 'a router is a handler, too: router:handle("/prefix/", other), with whole patterns in it',
  },
  response = {
    ["set_header add_header write_head setheader header"] = "write response.headers[name] = value",
    ["end close"] = "response:finish() ends a streamed answer; send(status, body) is whole",
    ["status_code set_status"] = "write response:send(status, body)",
    ["html text render"] = 'write response:send(200, text, { ["Content-Type"] = "text/html" })',
  },
  request = { ["get_header"] = "write request:header(name)", ["param args"] = "write request.params[name], or "
    .. "request:query_args()[name]" },
  child = {
    ["write"] = "write child.stdin:write(...), of a child spawned with stdin = \"pipe\"",
    ["read lines"] = "write child.stdout:read(), of a child spawned with stdout = \"pipe\"",
    ["exit_code return_code code"] = "child:wait() returns it: status, signal",
  },
  thread = { ["kill stop terminate cancel abort"] = "a thread ends when its function does: tell it, by a channel" },
  interval = { ["stop cancel close clear"] = "it stands still unless a task calls tick: cancel that task" },
  file = { ["flush"] = "it has no buffer; file:sync() waits for the disk", ["tell"] = "write file:seek(\"cur\", 0)" },
  scope = {
    ["wait join"] = "momo.scope itself waits for all that was spawned in it",
    ["timeout deadline set_timeout"] = "write momo.time.timeout(seconds, momo.scope, fn)",
  },
  stream = { ["flush"] = "write keeps nothing back" },
  websocket = {
    ["on onmessage add_event_listener"] = "there are no callbacks: for message in ws:messages() do",
    ["lines iter"] = "write for message in ws:messages() do",
    ["broadcast"] = "keep the sockets in a table, and send to each, as examples/chat_web.lua does",
    ["send_json"] = "write ws:send(cjson.encode(value))",
    ["closed is_closed is_open ready_state"] = "send and recv return nil, err, code once it has ended",
  },
  task = { ["name"] = "write task:set_name(name)" },
  listener = { ["listen"] = "it listens already: listener:accept(), or momo.net.serve(listener, fn)" },
}

-- Options that a function does not have, and what to write.
local of_options = {
  ["request Client"] = {
    ["ca cert key verify insecure reject_unauthorized"] = "write tls = momo.tls.client { ca = ..., verify = ... }",
    ["json"] = 'write body = cjson.encode(value), headers = { ["Content-Type"] = "application/json" }',
    ["content-type user-agent authorization accept cookie host"] = "fields stand in headers = { ... }",
    ["data"] = "write body = ..., or form = ...", ["params args"] = "write query = ...", ["method"] =
      "write momo.http.request(method, url, options)",
  },
  ["serve"] = { ["cert key"] = "write tls = momo.tls.server { cert = ..., key = ... }" },
  ["tls.client"] = {
    ["insecure reject_unauthorized"] = "write verify = false", ["timeout"] = "a timeout stands behind the options",
  },
}

---Each of the names by itself, as it is compared.
local function spell_out(places)
  local spelled = {}
  for names, place in each(places) do
    for name in names:gmatch "%S+" do
      spelled[plain(name)] = place
    end
  end
  return spelled
end

of_modules, absent, of_objects = spell_out(of_modules), spell_out(absent), spell_out(of_objects)
local options_of = {} -- by function
for functions, advice in each(of_options) do
  for name in functions:gmatch "%S+" do
    options_of[name] = spell_out(advice)
  end
end
for _, some in ipairs { in_module, of_object } do
  for name, places in each(some) do
    some[name] = spell_out(places)
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
  local list, seen = {}, {}
  for _, some in ipairs { names, more } do
    for name, value in each(some) do
      if type(name) == "string" and name:find "^%a" and (not kind or type(value) == kind) and not seen[name] then
        list[#list + 1], seen[name] = name, true
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
  local momo, wanted = require "momo", plain(key)
  for name in ("all any coroutine io net race scope shield signal sync thread"):gmatch "%S+" do
    assert(momo[name]) -- which may not have been loaded yet
  end
  for _, module in ipairs { momo.net, momo.time } do
    for name in each(getmetatable(module).later) do
      assert(module[name])
    end
  end
  if rawget(momo, key) ~= nil then
    return "momo." .. key
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
  return look(momo, "momo", 2)
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
    local advice = (of_object[shown] or {})[plain(key)]
    if advice then
      check.fail(("%s has no %s: %s"):format(shown, key, advice))
    end
    meant = meant or closest(sorted(names, more, "function"), key)
    if meant then
      check.fail(("%s has no %s; did you mean %s?"):format(shown, key, meant))
    end
    return
  end
  local have = sorted(names, more)
  local close = closest(have, key)
  local place = (in_module[shown] or {})[plain(key)] or of_modules[plain(key)]
  place = place or not absent[plain(key)] and elsewhere(key)
  if close and (plain(close) == plain(key) or not place) then
    check.fail(("%s has no %s; did you mean %s?"):format(shown, key, close))
  elseif place then
    check.fail(("%s has no %s; did you mean %s?"):format(shown, key, place))
  elseif absent[plain(key)] then
    check.fail(("%s has no %s: %s"):format(shown, key, absent[plain(key)]))
  elseif shown == "momo" and package.searchpath("momo." .. key, package.path) then
    check.fail(("momo has no %s; it is a module of its own: require \"momo.%s\""):format(key, key))
  end
  check.fail(("%s has no %s, but %s"):format(shown, key, table.concat(have, ", ")))
end

---Where that is which a name of other environments means, of all of Momo.
---@param name string
---@return string? place
function M.place(name)
  return of_modules[plain(name)] or elsewhere(name)
end

---What to write in place of an option that there is not.
---@param of string the function: "request"
---@param key any
---@return string? advice
function M.option(of, key)
  return type(key) == "string" and (options_of[of] or {})[plain(key)] or nil
end

return M
