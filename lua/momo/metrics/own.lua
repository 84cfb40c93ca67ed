---What Momo itself counts, of this thread.

local core = require "momo.internal.core"
local each = require "momo.internal.each"
local text = require "momo.metrics.text"

local C, executor = core.C, core.executor
local counted, of_pool = core.new "momo_metrics", core.new "momo_pool_metrics"

local M = {}

local KINDS = { "tcp", "unix", "datagram", "listener", "other" } -- enum momo_handle_kind
local CLASSES = { "1xx", "2xx", "3xx", "4xx", "5xx" }

-- Seconds up to which each bucket but the last counts.
local BOUNDS = {}
for i = 1, C.MOMO_BUCKETS - 1 do
  BOUNDS[i] = C.MOMO_BUCKET_NS * 2 ^ (i - 1) / 1e9
end

-- LuaJIT tells nothing of its cycles: an object that nobody has is collected in each, and makes the next one.
local cycles = 0
local function await_cycle()
  getmetatable(newproxy(true)).__gc = function()
    cycles = cycles + 1
    await_cycle()
  end
end
await_cycle()

---@class momo.Metrics
---@field tasks integer tasks that have not ended
---@field ready integer those of them that wait for their turn
---@field spawned integer tasks that there have been
---@field timers integer deadlines that are set
---@field handles integer streams, listeners and sockets that are open
---@field threads integer threads that it started and that run
---@field polls integer looks at the system
---@field resumes integer switches to a task
---@field stale_events integer events that came after their descriptor's close, and were dropped
---@field collected integer objects that nobody closed, closed by the garbage collector
---@field tls_failures integer handshakes of `net.serve` that have failed
---@field kinds table<"tcp"|"unix"|"datagram"|"listener"|"other", integer> the handles
---@field bytes_in integer that descriptors have brought: sockets, pipes and terminals, and no files
---@field bytes_out integer that they have taken
---@field accepts integer connections that were accepted
---@field accept_failures integer
---@field handshakes integer of TLS that were made, as server or client
---@field handshake_failures integer that were not, for what one side has said
---@field requests integer of HTTP that servers have read
---@field responses table<"1xx"|"2xx"|"3xx"|"4xx"|"5xx", integer> of servers, by the status
---@field channels integer receivers of channels between threads
---@field messages integer in these, sent and not received
---@field pools table<string, momo.PoolMetrics> threads for calls that block
---@field turns momo.Durations how long tasks ran between two looks at the system
---@field delays momo.Durations how long a task that was ready waited until it had run; of one task at a time, the last
---of the queue
---@field gc_bytes integer memory of Lua's objects
---@field gc_cycles integer of the garbage collector, since these were first asked for

---@class momo.PoolMetrics
---@field threads integer
---@field idle integer of these, without a job
---@field queued integer jobs that wait for a thread

---@class momo.Durations
---@field count integer
---@field sum number seconds
---@field buckets integer[] how many there were up to each of the bounds, and no less; the last one has the rest
---@field bounds number[] seconds

local function number(field)
  return tonumber(counted[field])
end

local function durations(field)
  local histogram, buckets, count = counted[field], {}, 0
  for i = 1, C.MOMO_BUCKETS do
    buckets[i] = tonumber(histogram.buckets[i - 1])
    count = count + buckets[i]
  end
  return { count = count, sum = tonumber(histogram.sum_ns) / 1e9, buckets = buckets, bounds = BOUNDS }
end

local function by(names)
  return function(field)
    local t = {}
    for i, name in ipairs(names) do
      t[name] = tonumber(counted[field][i - 1])
    end
    return t
  end
end

local function pools()
  local t, i = {}, 0
  while C.momo_get_pool_metrics(executor, i, of_pool) ~= 0 do
    t[core.string(of_pool.name)] = { threads = of_pool.threads, idle = of_pool.idle, queued = of_pool.queued }
    i = i + 1
  end
  return t
end

local function write_number(lines, of, value)
  text.family(lines, of.name, of.kind, of.help)
  text.sample(lines, of.name, "", value)
end

local function write_durations(lines, of, value)
  text.family(lines, of.name, "histogram", of.help)
  text.histogram(lines, of.name, "", value.bounds, value.buckets, value.sum)
end

local function write_by(label, names)
  return function(lines, of, values)
    text.family(lines, of.name, of.kind, of.help)
    for _, name in ipairs(names) do
      text.sample(lines, of.name, text.labels({ label }, { name }), values[name])
    end
  end
end

local function write_pools(lines, _, of)
  local names = {}
  for name in each(of) do
    names[#names + 1] = name
  end
  table.sort(names)
  text.family(lines, "momo_pool_threads", "gauge", "Threads for calls that block.")
  for _, name in ipairs(names) do
    local pool = of[name]
    local labels, busy = { "pool", "state" }, pool.threads - pool.idle
    text.sample(lines, "momo_pool_threads", text.labels(labels, { name, "idle" }), pool.idle)
    text.sample(lines, "momo_pool_threads", text.labels(labels, { name, "busy" }), busy)
  end
  text.family(lines, "momo_pool_queued_jobs", "gauge", "Calls that wait for such a thread.")
  for _, name in ipairs(names) do
    text.sample(lines, "momo_pool_queued_jobs", text.labels({ "pool" }, { name }), of[name].queued)
  end
end

-- All that is counted: the field of momo.Metrics, and of momo_metrics where none else reads it; its name, kind and help
-- in the text, which has none of those without a name.
local FIELDS = {
  { "tasks", "momo_tasks", "gauge", "Tasks that have not ended." },
  { "ready", "momo_tasks_ready", "gauge", "Tasks that wait for their turn." },
  { "spawned", "momo_tasks_spawned_total", "counter", "Tasks that there have been." },
  { "resumes", "momo_resumes_total", "counter", "Switches to a task." },
  { "polls", "momo_polls_total", "counter", "Looks at the system." },
  { "timers", "momo_timers", "gauge", "Deadlines that are set." },
  { "threads", "momo_threads", "gauge", "Threads that were started and run." },
  { "stale_events", "momo_stale_events_total", "counter", "Events that came after their descriptor's close." },
  { "collected", "momo_collected_handles_total", "counter", "Handles closed by the garbage collector." },
  { "bytes_in", "momo_received_bytes_total", "counter", "Bytes that descriptors have brought." },
  { "bytes_out", "momo_sent_bytes_total", "counter", "Bytes that descriptors have taken." },
  { "accepts", "momo_accepts_total", "counter", "Connections that were accepted." },
  { "accept_failures", "momo_accept_failures_total", "counter", "Accepts that have failed." },
  { "handshakes", "momo_tls_handshakes_total", "counter", "Handshakes of TLS that were made." },
  { "handshake_failures", "momo_tls_handshake_failures_total", "counter", "Handshakes of TLS that have failed." },
  { "tls_failures", read = function()
    local serve = package.loaded["momo.net.serve"]
    return type(serve) == "table" and serve.tls_failures or 0 -- else it is being loaded
  end },
  { "requests", "momo_http_requests_total", "counter", "Requests that servers have read." },
  { "channels", "momo_channels", "gauge", "Receivers of channels between threads." },
  { "messages", "momo_channel_messages", "gauge", "Messages in these channels." },
  { "gc_bytes", "momo_lua_memory_bytes", "gauge", "Memory of Lua's objects.",
    read = function() return collectgarbage "count" * 1024 end },
  { "gc_cycles", "momo_lua_gc_cycles_total", "counter", "Cycles of the garbage collector.",
    read = function() return cycles end },
  { "handles" },
  { "kinds", "momo_handles", "gauge", "Streams, listeners and sockets that are open.",
    read = by(KINDS), write = write_by("kind", KINDS) },
  { "responses", "momo_http_responses_total", "counter", "Answers of servers.",
    read = by(CLASSES), write = write_by("status", CLASSES) },
  { "pools", read = pools, write = write_pools },
  { "turns", "momo_turn_seconds", "histogram", "How long tasks ran between two looks at the system.",
    read = durations, write = write_durations },
  { "delays", "momo_ready_seconds", "histogram", "How long a task that was ready waited until it had run.",
    read = durations, write = write_durations },
}
for _, of in ipairs(FIELDS) do
  of.name, of.kind, of.help, of.read = of[2], of[3], of[4], of.read or number
  of.write = of.write or of.name and write_number
end

---What this thread's executor counts.
---@return momo.Metrics metrics
function M.numbers()
  C.momo_get_metrics(executor, counted)
  local numbers = {}
  for _, of in ipairs(FIELDS) do
    numbers[of[1]] = of.read(of[1])
  end
  return numbers
end

---@param lines string[] it is appended to these
function M.write(lines)
  local numbers = M.numbers()
  text.family(lines, "momo_executors", "gauge", "Threads that run tasks.")
  text.sample(lines, "momo_executors", "", 1)
  for _, of in ipairs(FIELDS) do
    if of.write then
      of.write(lines, of, numbers[of[1]])
    end
  end
end

return M
