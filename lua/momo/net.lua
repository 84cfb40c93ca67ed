---Sockets of all kinds, by their names.
---
---What fails returns nil, "CODE: text", "CODE" with libuv's names; a wrong argument throws. A timeout is in seconds.

local names = require "momo.internal.names"
local tcp = require "momo.net.tcp"
local unix = require "momo.net.unix"

return names.module({
  TcpStream = tcp.TcpStream,
  TcpListener = tcp.TcpListener,
  UnixStream = unix.UnixStream,
  UnixListener = unix.UnixListener,
  UnixDatagram = require("momo.net.unix_datagram").UnixDatagram,
  UdpSocket = require("momo.net.udp").UdpSocket,
  lookup_host = require("momo.net.dns").lookup_host,
  lookup_addr = require("momo.net.dns").lookup_addr,
  serve = require("momo.net.serve").serve,
  inherited_listeners = require("momo.net.socket_activation").inherited_listeners,
}, "momo.net")
