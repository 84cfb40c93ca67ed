---Who is served by the page of `momo --inspect`: so many connections at a time. One more ends the oldest that is not
---being answered, so that nobody who is slow or idle keeps others out; and a descriptor is held in reserve for when
---the program has used up all.

local each = require "momo.internal.each"
local server = require "momo.http.server"
local sync = require "momo.sync"
local task = require "momo.internal.task"

local MAX = 32
local PAUSE = 0.1 -- seconds until the next accept when one has failed
local LIMITS = { header_timeout = 5, idle_timeout = 30, request_timeout = 5, read_timeout = 5, write_timeout = 5,
  max_body = 1024 }
local BUSY = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

---Serves until the listener is closed.
---@async
---@param listener momo.net.TcpListener
---@param handler fun(request: momo.http.Request, response: momo.http.Response)
---@param spare userdata? a file of io.open, the descriptor in reserve
return function(listener, handler, spare)
  local serve_connection, served = server.server(handler, LIMITS)
  local numbers, number, active = {}, 0, 0 -- of the streams that are open, in their order
  local ended = sync.Notify()

  local function make_room()
    local oldest
    for one in each(served.connections) do
      local n = numbers[one.stream]
      if n and not one.handling and not (oldest and numbers[oldest] < n) then
        oldest = one.stream
      end
    end
    if oldest then
      numbers[oldest] = nil
      active = active - 1
      oldest:close()
    end
    return oldest ~= nil
  end

  local function attend(stream, peer)
    pcall(serve_connection, stream, peer)
    stream:close()
    if numbers[stream] then
      numbers[stream] = nil
      active = active - 1
    end
    spare = spare or io.open "/dev/null"
    ended:notify_one()
  end

  local function accept()
    local stream, peer, code = listener:accept()
    if not stream and spare and (code == "EMFILE" or code == "ENFILE") then
      spare:close()
      spare = nil
      stream, peer, code = listener:accept(0)
    end
    return stream, peer, code
  end

  -- Whether there may be more.
  local function serve_one()
    local stream, peer, code = accept()
    if stream and active >= MAX and not make_room() then
      stream:write(BUSY, 0)
      stream:close()
    elseif stream then
      local ok, err = pcall(task.spawn, attend, stream, peer)
      if not ok then
        stream:close()
        error(err, 0)
      end
      numbers[stream] = number + 1
      active, number = active + 1, number + 1
    elseif not code or code == "EBADF" or code == "ECANCELED" then
      return false
    elseif not make_room() then
      ended:notified(PAUSE)
    end
    return true
  end

  local ok, goes_on
  repeat
    ok, goes_on = pcall(serve_one)
    if not ok then -- there was no memory
      pcall(ended.notified, ended, PAUSE)
    end
  until ok and not goes_on
end
