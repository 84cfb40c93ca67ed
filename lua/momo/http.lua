---HTTP/1.1: servers, clients and WebSocket, in sequential code. What is not used is not loaded.
---
---What fails returns nil, "CODE: text", "CODE" with libuv's names; a wrong argument throws. A timeout is in seconds.

local names = require "momo.internal.names"

local M = {}

-- Assigned where they are loaded, for those who read types off the source.
return names.module(M, "momo.http", {
  serve = function()
    M.serve = require("momo.http.server").serve
    return M.serve
  end,
  Router = function()
    M.Router = require("momo.http.router").Router
    return M.Router
  end,
  Client = function()
    M.Client = require("momo.http.client").Client
    return M.Client
  end,
  request = function()
    M.request = require("momo.http.client").request
    return M.request
  end,
  get = function()
    M.get = require("momo.http.client").get
    return M.get
  end,
  post = function()
    M.post = require("momo.http.client").post
    return M.post
  end,
  files = function()
    M.files = require("momo.http.files").files
    return M.files
  end,
  compressed = function()
    M.compressed = require("momo.http.compressed").compressed
    return M.compressed
  end,
  proxy = function()
    M.proxy = require("momo.http.proxy").proxy
    return M.proxy
  end,
  client_ip = function()
    M.client_ip = require("momo.http.client_ip").client_ip
    return M.client_ip
  end,
  websocket = function()
    M.websocket = require("momo.http.upgrade").websocket
    return M.websocket
  end,
})
