---The page of `momo --inspect`: a server on a thread of its own, which asks the others (core/binding/inside/inspect.c).
---
---Who may ask is decided by the address that it listens on, and by what a browser says: a page of another site can
---neither read nor start anything here, nor one whose name is led to this address once it is loaded (DNS rebinding).

local http = require "momo.http"
local json = require "momo.internal.json_text"
local each = require "momo.internal.each"
local native = require("momo.internal.core").native
local page = require "momo.command.inspect_page"
local sum = require("momo.metrics.text").sum
local task = require "momo.internal.task"
local time = require "momo.time"
local serve = require "momo.command.inspect_server"
local TcpListener, UnixStream = require("momo.net").TcpListener, require("momo.net").UnixStream

local PROFILE_SECONDS_MAX = 60

local ask = require "momo.command.asking"(0)
local threads = {} -- by key: what is known of each

-- A thread that does not come round is shown as it was when it came round last, be it too late for that question.
local function update(answers)
  for key in each(threads) do
    threads[key] = answers[key] and threads[key]
  end
  for key, answer in each(answers) do
    local known = threads[key]
    if answer.what == "tasks" and not (known and known.number >= answer.number) then
      known = { key = key, name = answer.name, tasks = answer.text, number = answer.number, at = time.wall() }
      threads[key] = known
    end
    if known then
      known.silent = not answer.is_new
    end
  end
end

local function incidents_since(number)
  local rows = {}
  local n, at, kind, text = native.incidents_next(number)
  while n do
    rows[#rows + 1] = ('{"n":%d,"time":%.3f,"kind":%s,"text":%s}'):format(n, at, json.string(kind), json.string(text))
    n, at, kind, text = native.incidents_next(n)
  end
  return table.concat(rows, ",")
end

---@async
local function state(since)
  local counted, answers, silent = ask "tasks"
  update(answers)
  local rows = {}
  for _, thread in each(threads) do
    rows[#rows + 1] = ('{"key":%s,"name":%s,"silent":%s,"at":%.3f,"tasks":%s}'):format(json.string(thread.key),
      json.string(thread.name), tostring(thread.silent), thread.at, json.string(thread.tasks))
  end
  table.sort(rows)
  return ('{"pid":%d,"time":%.3f,"silent":%d,"metrics":%s,"threads":[%s],"incidents":[%s]}'):format(native.pid(),
    time.now(), silent, json.string(sum(counted)), table.concat(rows, ","), incidents_since(since))
end

---@async
local function profile(key, seconds)
  local _, begun = ask("start " .. key)
  if not (begun[key] and begun[key].is_new) then
    return nil, "this thread does not come round"
  elseif begun[key].text ~= "started" then
    return nil, begun[key].text
  end
  time.sleep(seconds)
  local answer
  repeat -- also of one that computes for long: it is still being profiled
    local _, ended = ask("stop " .. key)
    answer = ended[key]
  until not answer or answer.is_new
  return answer and answer.text, "the thread has ended"
end

local HEADERS = {
  ["Cache-Control"] = "no-store", ["X-Content-Type-Options"] = "nosniff", ["Referrer-Policy"] = "no-referrer",
  ["Cross-Origin-Resource-Policy"] = "same-origin", ["X-Frame-Options"] = "DENY",
  ["Content-Security-Policy"] = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    .. "img-src blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
}

local function send(response, status, body, kind)
  response.headers["Content-Type"] = (kind or "text/plain") .. "; charset=utf-8"
  return response:send(status, body, HEADERS)
end

local function query_of(request)
  return request.query or ""
end

local router = http.Router()
for path, of in each { ["/{$}"] = { page.html, "text/html" },
  ["/script.js"] = { page.script, "text/javascript" }, ["/style.css"] = { page.style, "text/css" } } do
  router:handle("GET " .. path, function(_, response) send(response, 200, of[1], of[2]) end)
end
router:handle("GET /state", function(request, response)
  send(response, 200, state(tonumber(query_of(request):match "since=(%d+)" or 0)), "application/json")
end)
router:handle("POST /profile", function(request, response)
  local query = query_of(request)
  local key, seconds = query:match "thread=(0x%x+)", tonumber(query:match "seconds=(%d+)")
  if not key or not seconds or seconds < 1 or seconds > PROFILE_SECONDS_MAX then
    return send(response, 400, "which thread, and for how many seconds?\n")
  end
  local graph, problem = profile(key, seconds)
  return send(response, graph and 200 or 409, graph or problem .. "\n", graph and "image/svg+xml")
end)

local function is_number(host)
  return host:find "^%d+%.%d+%.%d+%.%d+$" or host:find "^%[[%x:.]+%]$"
end

-- A name is whoever's it is in DNS; a number is this machine's, or it would not have come here.
local function refusal(request, own_name)
  local host = (request:header "host" or ""):lower()
  local name = host:gsub(":%d+$", "")
  if not is_number(name) and name ~= "localhost" and name ~= own_name then
    return "this page is not at " .. (name == "" and "nowhere" or name)
  end
  local site, origin = request:header "sec-fetch-site", request:header "origin"
  if (site and site ~= "same-origin" and site ~= "none") or (origin and origin ~= "http://" .. host) then
    return "this page is not for other sites"
  end
end

local function handler(own_name)
  return function(request, response)
    local problem = refusal(request, own_name)
    if problem then
      return send(response, 403, problem .. "\n")
    end
    return router(request, response)
  end
end

---Serves until the process ends, or a successor serves at that address in its place; what hinders it from the first is
---told at once.
---@param address string "", a port, or an address
---@param fd integer at whose end the successor has the listener
return function(address, fd)
  if address == "" or address:find "^%d+$" then
    address = "127.0.0.1:" .. (address == "" and "0" or address)
  end
  native.snapshots_hide()
  task.start({}, function()
    local ok, listener, err = pcall(TcpListener.bind, address)
    if not ok or not listener then
      return native.inspect_told(false, err or listener)
    end
    local spare, retired = io.open "/dev/null", UnixStream.from_fd(fd) -- before the program uses up all
    native.inspect_told(true, ("http://%s/"):format(listener:local_addr()))
    task.spawn(function()
      assert(retired):read()
      listener:close()
    end)
    serve(listener, handler(address:match "^(.*):%d+$"), spare)
  end)
end
