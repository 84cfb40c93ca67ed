-- A conversation in plain text that goes on over TLS once both have agreed, as mail servers do: STARTTLS.
--
--    ./dev run examples/starttls.lua serve [ADDRESS]       a toy of a mail server: it prints its certificate
--    ./dev run examples/starttls.lua HOST:PORT [CA]        asks a server, this one or a real one: mail.example.org:25
--
-- Nobody can slip words in between: what comes behind the line STARTTLS belongs to the handshake, never to the plain
-- text.

local momo = require "momo"

local SECONDS, LINE_MAX = 10, 1024

-- The answer of a server: lines "250-more" up to "250 last".
---@async
local function answer(stream, code)
  local line
  repeat
    line = assert(stream:read_until("\n", LINE_MAX)):gsub("\r?\n$", "")
    print("server: " .. line)
  until not line:find "^%d%d%d%-"
  assert(line:sub(1, 3) == code, line)
end

---@async
local function command(stream, text, code)
  print("client: " .. text)
  assert(stream:write { text, "\r\n" })
  answer(stream, code)
end

---@async
local function ask(address, ca)
  local client = assert(momo.tls.client { ca = ca })
  local stream = assert(momo.net.TcpStream.connect(address, SECONDS))
  stream:set_timeout(SECONDS)
  answer(stream, "220")
  command(stream, "EHLO client.example", "250")
  command(stream, "STARTTLS", "220")
  local host = address:match "^(.*):%d+$"
  assert(client:wrap(stream, host, SECONDS)) -- from here on TLS, with a server that has proved its name
  print("both speak " .. stream:tls().version)
  command(stream, "EHLO client.example", "250") -- what was said before may have been anybody's: once more
  command(stream, "QUIT", "221")
  stream:close()
end

---@async
local function serve_one(stream, server)
  stream:set_timeout(SECONDS)
  stream:write "220 toy.example ESMTP\r\n"
  for line in stream:lines(LINE_MAX) do
    local word = line:upper():match "^%a+"
    if word == "STARTTLS" and not stream:tls() then
      stream:write "220 ready\r\n"
      if not server:wrap(stream, SECONDS) then
        return -- it is closed, as is all that fails here
      end
    elseif word == "EHLO" then
      stream:write(stream:tls() and "250 toy.example\r\n" or "250-toy.example\r\n250 STARTTLS\r\n")
    elseif word == "QUIT" then
      stream:write "221 bye\r\n"
      return
    else
      stream:write "502 a toy knows no more\r\n"
    end
  end
end

io.stdout:setvbuf "line"
if arg[1] == "serve" then
  local made = momo.tls.self_signed()
  local server = assert(momo.tls.server(made))
  local listener = assert(momo.net.TcpListener.bind(arg[2] or "127.0.0.1:8025"))
  print(made.cert .. "starttls listens on " .. listener:local_addr())
  assert(momo.net.serve(listener, function(stream) serve_one(stream, server) end))
else
  ask(assert(arg[1], "serve, or which HOST:PORT?"), arg[2])
end
