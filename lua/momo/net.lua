---Sockets of all kinds, by their names.
---
---What fails returns nil, "CODE: text", "CODE" with libuv's names; a wrong argument throws. A timeout is in seconds.

local names = require "momo.internal.names"

local M = {}

-- Assigned where they are loaded, for those who read types off the source.
return names.module(M, "momo.net", {
  TcpStream = function()
    M.TcpStream = require("momo.net.tcp").TcpStream
    return M.TcpStream
  end,
  TcpListener = function()
    M.TcpListener = require("momo.net.tcp").TcpListener
    return M.TcpListener
  end,
  UnixStream = function()
    M.UnixStream = require("momo.net.unix").UnixStream
    return M.UnixStream
  end,
  UnixListener = function()
    M.UnixListener = require("momo.net.unix").UnixListener
    return M.UnixListener
  end,
  UnixDatagram = function()
    M.UnixDatagram = require("momo.net.unix_datagram").UnixDatagram
    return M.UnixDatagram
  end,
  UdpSocket = function()
    M.UdpSocket = require("momo.net.udp").UdpSocket
    return M.UdpSocket
  end,
  lookup_host = function()
    M.lookup_host = require("momo.net.dns").lookup_host
    return M.lookup_host
  end,
  lookup_addr = function()
    M.lookup_addr = require("momo.net.dns").lookup_addr
    return M.lookup_addr
  end,
  serve = function()
    M.serve = require("momo.net.serve").serve
    return M.serve
  end,
  inherited_listeners = function()
    M.inherited_listeners = require("momo.net.socket_activation").inherited_listeners
    return M.inherited_listeners
  end,
})
