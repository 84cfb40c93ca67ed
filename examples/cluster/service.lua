-- One process of the service; cluster.lua starts three. It accepts jobs, works on any that was accepted, and tells
-- their results. What is accepted is in a stream of NATS, what was done in a bucket: a process has nothing to lose.

local momo = require "momo"

local port, nats_url = arg[1], arg[2]
local AT_ONCE = 8 -- jobs
local ACK_WAIT = 2e9 -- nanoseconds after which a job goes to somebody else: it was that of a process that has died

-- NATS may come up later than this does.
local function patiently(fn, ...)
  while true do
    local got, err = fn(...)
    if got then
      return got
    end
    print(err)
    momo.time.sleep(0.2)
  end
end

local client = patiently(momo.nats.connect, nats_url)
local jetstream = client:jetstream { timeout = 2 }
patiently(jetstream.stream, jetstream, { name = "JOBS", subjects = { "jobs.*" }, retention = "workqueue" })
local results = patiently(jetstream.key_value, jetstream, "results")
local consumer = patiently(jetstream.consumer, jetstream, "JOBS", "service", { ack_wait = ACK_WAIT })

-- Done twice, it comes to the same: a job that was done, but not acknowledged, is done again.
local function work(message)
  momo.time.sleep(0.002)
  local id = message.subject:match "[^.]*$"
  if results:put(id, message.data:upper()) then
    message:ack()
  else
    message:nak()
  end
end

local function worker()
  while not momo.draining() do
    local message, err, code = consumer:next(0.5)
    if message then
      work(message)
    elseif code ~= "ETIMEDOUT" then
      print(err)
      momo.time.sleep(0.2)
    end
  end
end

local router = momo.http.Router()

-- The id makes it safe to ask again: a job that is stored already is not stored twice.
router:handle("PUT /jobs/{id}", function(request, response)
  local id, text = request.params.id, request:body()
  if not id:find "^[%w-]+$" or not text then
    return response:send(400, "an id of letters and digits, and a text\n")
  end
  local stored, err = jetstream:publish("jobs." .. id, text, { id = id })
  if not stored then
    return response:send(503, err .. "\n")
  end
  response:send(202, "accepted\n")
end)

router:handle("GET /jobs/{id}", function(request, response)
  local entry, err, code = results:get(request.params.id)
  if entry then
    response:send(200, entry.value)
  else
    response:send(code == "ENOENT" and 404 or 503, err .. "\n")
  end
end)

router:handle("GET /health", function(_, response)
  response:send(momo.draining() and 503 or 200, "")
end)

momo.scope(function(scope)
  for _ = 1, AT_ONCE do
    scope:spawn(worker)
  end
  momo.http.serve("127.0.0.1:" .. port, router, { drain = 10 })
end)
client:drain()
