-- A peer that speaks TLS 1.3 on its stdin, a socket, writes and reads at the same time, and asks for new keys of both
-- sides after each MiB: luajit tls_keys.lua ROLE CERT KEY MIB. What it reads has to be what it writes.
local ffi = require "ffi"

ffi.cdef [[
  void *TLS_method(void);
  void *SSL_CTX_new(void *method);
  int SSL_CTX_use_certificate_chain_file(void *, const char *path);
  int SSL_CTX_use_PrivateKey_file(void *, const char *path, int type);
  long SSL_CTX_ctrl(void *, int command, long, void *);
  void *SSL_new(void *context);
  int SSL_set_fd(void *, int);
  void SSL_set_accept_state(void *);
  void SSL_set_connect_state(void *);
  int SSL_do_handshake(void *);
  int SSL_read(void *, void *, int);
  int SSL_write(void *, const void *, int);
  int SSL_shutdown(void *);
  int SSL_key_update(void *, int kind);
  int SSL_get_error(void *, int);
  int fcntl(int fd, int command, int flags);
  struct poll_fd { int fd; short events, revents; };
  int poll(struct poll_fd *, unsigned long, int timeout);
]]
local ssl = ffi.load "ssl"

local MIB = 1024 * 1024
local F_SETFL, O_RDWR, O_NONBLOCK, POLLIN, POLLOUT = 4, 2, 2048, 1, 4
local PEM, WANT_READ, WANT_WRITE, ZERO_RETURN = 1, 2, 3, 6
local CTRL_MODE, PARTIAL_WRITE, MOVING_BUFFER, UPDATE_REQUESTED = 33, 1, 2, 1

local role, cert, key, amount = arg[1], arg[2], arg[3], arg[4] * MIB
local context = ssl.SSL_CTX_new(ssl.TLS_method())
ssl.SSL_CTX_ctrl(context, CTRL_MODE, PARTIAL_WRITE + MOVING_BUFFER, nil)
if role == "server" then
  assert(ssl.SSL_CTX_use_certificate_chain_file(context, cert) == 1)
  assert(ssl.SSL_CTX_use_PrivateKey_file(context, key, PEM) == 1)
end
ffi.C.fcntl(0, F_SETFL, O_RDWR + O_NONBLOCK)
local connection = ssl.SSL_new(context)
ssl.SSL_set_fd(connection, 0)
ssl[role == "server" and "SSL_set_accept_state" or "SSL_set_connect_state"](connection)

-- Whether the call has done something; notes what it waits for.
local waits
local function try(result)
  if result > 0 then
    return true
  end
  local why = ssl.SSL_get_error(connection, result)
  assert(why == WANT_READ or why == WANT_WRITE or why == ZERO_RETURN, why)
  waits = bit.bor(waits, why == WANT_READ and POLLIN or why == WANT_WRITE and POLLOUT or 0)
  return false, why == ZERO_RETURN
end

local function wait()
  local entry = ffi.new("struct poll_fd", 0, waits, 0)
  assert(ffi.C.poll(entry, 1, 60000) == 1, "nothing came for a minute")
  waits = 0
end

waits = 0
while not try(ssl.SSL_do_handshake(connection)) do
  wait()
end
local bytes = ("0123456789abcdef"):rep(2048)
local chunk = ffi.cast("const char *", bytes)
local into = ffi.new("char[?]", 16384)
local sent, taken, asked, ended, over = 0, 0, 0, false, false -- over: its own direction
while not (ended and over) do
  local moved = false
  if sent < amount then
    local n = ssl.SSL_write(connection, chunk + sent % 16, math.min(16384, amount - sent))
    moved = try(n)
    if moved then
      sent = sent + n
      if sent + taken >= (asked + 1) * MIB then
        asked = asked + 1
        assert(ssl.SSL_key_update(connection, UPDATE_REQUESTED) == 1)
      end
    end
  elseif not over then
    if try(ssl.SSL_do_handshake(connection)) then -- new keys may be on their way
      local result = ssl.SSL_shutdown(connection)
      over = result == 0 or try(result)
      moved = over
    end
  end
  while not ended do
    local n = ssl.SSL_read(connection, into, 16384)
    local some, last = try(n)
    ended = last
    if not some then
      break
    end
    moved = true
    assert(ffi.string(into, n) == ffi.string(chunk + taken % 16, n), "other bytes came")
    taken = taken + n
  end
  if not moved and waits ~= 0 then
    wait()
  end
end
assert(taken == amount, taken)
io.stderr:write(("%d updates\n"):format(asked))
