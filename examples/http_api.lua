-- An API: notes that are made, read, listed and deleted; a middleware, and a log line for each request.
--
--    ./dev run examples/http_api.lua [ADDRESS]      then:
--    curl -d text=milk http://127.0.0.1:8080/notes; curl http://127.0.0.1:8080/notes/1

local momo = require "momo"
local http = momo.http

local notes, last = {}, 0
local router = http.Router()

router:handle("POST /notes", function(request, response)
  local form = request:form()
  if not form then
    return -- it was no form, or too large: the answer is 400 or 413
  elseif not form.text then
    return response:send(400, "a note needs a text\n")
  end
  last = last + 1
  notes[last] = form.text
  response:send(201, form.text .. "\n", { Location = "/notes/" .. last })
end)

router:handle("GET /notes", function(request, response)
  local word, lines = request:query_args().word or "", {}
  for id = 1, last do
    if notes[id] and notes[id]:find(word, 1, true) then
      lines[#lines + 1] = id .. ": " .. notes[id] .. "\n"
    end
  end
  response:send(200, table.concat(lines))
end)

-- A middleware is a function of a handler.
local function with_note(handler)
  return function(request, response)
    local id = tonumber(request.params.id)
    if not notes[id] then
      return response:send(404, "there is no such note\n")
    end
    return handler(request, response, id)
  end
end

router:handle("GET /notes/{id}", with_note(function(_, response, id)
  response:send(200, notes[id] .. "\n")
end))

router:handle("DELETE /notes/{id}", with_note(function(_, response, id)
  notes[id] = nil
  response:send(204)
end))

local function log(request, response)
  print(("%s %s %d %d"):format(request.method, request.target, response.status, response.bytes))
end

io.stdout:setvbuf "line"
local listener = assert(momo.net.TcpListener.bind(arg[1] or "127.0.0.1:8080"))
print("http_api listens on " .. listener:local_addr())
assert(http.serve(listener, router, { drain = 5, access_log = log }))
