---Conversations with the system, and with a server of HTTP: files that are replaced, programs that are run, signals,
---requests.

local ffi = require "ffi"
local momo = require "momo"

pcall(ffi.cdef, "int getpid(void);")
pcall(ffi.cdef, "int kill(int, int);")

local M = {}

---A file that is replaced and read at once: whoever reads it has one of the texts that were written, whole.
function M.files(world, random)
  local folder, err, code = momo.fs.tempdir()
  if not folder then
    return world:failed("tempdir", err, code, "")
  end
  local path, last = folder .. "/file", 0
  local function text_of(n) return (("%d "):format(n)):rep(1 + n * 7 % 3000) end
  local actors = {}
  for i = 1, 1 + random(2) do
    actors[i] = { "file writer", function(actor)
      while actor:goes_on() do
        actor:step("write", function()
          last = last + 1
          local ok, problem, number = momo.fs.write(path, text_of(last))
          if not ok then
            world:failed("write", problem, number, "")
          end
        end)
      end
    end }
  end
  for _ = 1, random(2) do
    actors[#actors + 1] = { "file reader", function(actor)
      while actor:goes_on() do
        actor:step("read", function()
          local text, problem, number = momo.fs.read(path)
          if not text then
            return world:failed("read", problem, number, "ENOENT")
          end
          local n = tonumber(text:match "^(%d+) ")
          world:expect(n and n <= last and text == text_of(n), "a file is torn:", text:sub(1, 40))
        end)
      end
    end }
  end
  return {
    actors = actors,
    close = function() end,
    check = function()
      local ok, problem, number
      repeat -- a write that was given up may be at work on the pool, with its temporary file
        ok, problem, number = momo.fs.remove(folder, { recursive = true })
      until number ~= "ENOTEMPTY"
      if not ok then
        world:failed("remove", problem, number, "")
      end
    end,
  }
end

---Programs that are run to their end, or ended before.
function M.programs(world, random)
  local actors = {}
  for i = 1, random(3) do
    actors[i] = { "runner", function(actor)
      while actor:goes_on() do
        actor.left = actor.left - 3 -- each is a process
        local text = ("line %d\n"):format(actor.left):rep(random(3) == 1 and random(20000) or random(20))
        actor:step("run", function()
          local result, problem, number = momo.process.run { "cat", input = text,
            timeout = random(4) == 1 and actor:ms(20) or nil }
          if not result then
            return world:failed("run", problem, number, "ETIMEDOUT")
          end
          world:expect(result.status == 0 and result.stdout == text, "cat has ended with", result.status, result.signal,
            "and", #tostring(result.stdout), "of", #text, "bytes")
        end)
      end
    end }
  end
  return { actors = actors, close = function() end, check = function() end }
end

local SIGNALS = { SIGURG = 23, SIGWINCH = 28 } -- which end nobody: they may come before they are taken over
local NAMES = { "SIGURG", "SIGWINCH" }

---Signals come until all have one who wait for them. How many is not said: they are the process's, and alike ones join.
function M.signals(world, random)
  local actors, waiting = {}, 1 + random(3)
  for i = 1, waiting do
    actors[i] = { "signal receiver", function(actor)
      while actor:goes_on() do
        local first, second = NAMES[random(2)], random(2) == 1 and NAMES[random(2)] or nil
        actor:step("recv " .. first, function()
          local name, problem, number
          if second then
            name, problem, number = momo.signal.recv(first, second)
          else
            name, problem, number = momo.signal.recv(first)
          end
          if not name then
            return world:failed("recv", problem, number, "")
          end
          world:expect(name == first or name == second, "who waits for", first, second, "gets", name)
        end)
      end
    end, function() waiting = waiting - 1 end }
  end
  actors[#actors + 1] = { "signal sender", function(actor)
    while waiting > 0 do
      ffi.C.kill(ffi.C.getpid(), SIGNALS[NAMES[actor.random(2)]])
      momo.time.sleep(actor:ms(3))
    end
  end }
  return { actors = actors, close = function() waiting = 0 end, check = function() end }
end

---A server that gives bodies back, and clients that share connections.
function M.http(world, random)
  local listener, err, code = momo.net.TcpListener.bind "127.0.0.1:0"
  if not listener then
    return world:failed("bind", err, code, "")
  end
  local url = "http://" .. assert(listener:local_addr()) .. "/"
  local client = momo.http.Client { timeout = 5 }
  local clients = random(3)
  local function handle(request, response)
    local body = request:body()
    if random(3) == 1 then
      momo.time.sleep(random(3) / 1000)
    end
    return response:send(200, body or "")
  end
  local actors = {}
  for i = 1, clients do
    actors[i] = { "http client", function(actor)
      while actor:goes_on() do
        local text = ("%d "):format(actor.left):rep(random(3) == 1 and random(20000) or random(20))
        actor:step("post", function()
          local answer, problem, number = client:post(url, text, { timeout = random(4) == 1 and actor:ms(10) or nil })
          if not answer then
            return world:failed("post", problem, number, "ETIMEDOUT ECONNRESET ECONNREFUSED EPIPE EOF EPROTO EBADF")
          end
          local excused = answer.status == 503 or answer.status == 500 and world:is_short() -- the handler has failed
          world:expect(excused or answer.body == text, "the answer to", #text, "bytes is", answer.status,
            #tostring(answer.body))
        end)
      end
    end, function()
      clients = clients - 1
      if clients == 0 then
        client:close()
        listener:close()
      end
    end }
  end
  actors[#actors + 1] = { "http server", function()
    local ok, problem, number = momo.http.serve(listener, handle)
    if not ok then
      world:failed("serve", problem, number, "EBADF ECANCELED")
    end
  end, function() listener:close() end }
  return {
    actors = actors,
    close = function()
      client:close()
      listener:close()
    end,
    check = function() end,
  }
end

return M
