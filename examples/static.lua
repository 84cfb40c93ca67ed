-- Serves a folder over HTTP: in part where a client resumes, compressed where it likes that, and not at all where it
-- has the file already. A line is printed for each request. Ctrl-C lets downloads that run end, for 5 s.
--
--    momo static.lua [ADDRESS] [FOLDER]
--    curl --compressed http://127.0.0.1:8080/static.lua

local momo = require "momo"

local address, folder = arg[1] or "127.0.0.1:8080", arg[2] or "."
local listener = assert(momo.net.TcpListener.bind(address))
io.stdout:setvbuf "line"
print("static listens on " .. listener:local_addr())

momo.http.serve(listener, momo.http.compressed(momo.http.files(folder)), {
  drain = 5,
  access_log = function(request, response, seconds)
    print(("%s %s %s: %d, %d bytes in %.1f ms"):format(request.peer, request.method, request.target, response.status,
      response.bytes, seconds * 1000))
  end,
})
