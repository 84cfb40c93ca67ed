---Sockets of all kinds, by their names.
---
---What fails returns nil, "CODE: text", "CODE" with libuv's names; a wrong argument throws. A timeout is in seconds.

local tcp = require "momo.tcp"
local unix = require "momo.unix"

return {
  TcpStream = tcp.TcpStream,
  TcpListener = tcp.TcpListener,
  UnixStream = unix.UnixStream,
  UnixListener = unix.UnixListener,
  UdpSocket = require("momo.udp").UdpSocket,
  lookup_host = require("momo.dns").lookup_host,
  serve = require("momo.serve").serve,
  inherited_listeners = require("momo.inherit").inherited_listeners,
}
