---What Momo counts, and what a program counts itself. `momo.metrics()` tells of the thread that calls; `prometheus` of
---all threads, as the text that Prometheus and its like collect.

local check = require "momo.internal.check"
local names = require "momo.internal.names"
local own = require "momo.metrics.own"
local users = require "momo.metrics.users"

---@class momo.metrics
---@overload fun(): momo.Metrics
local M = {}

local DEFAULT_BOUNDS = { 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10 }

---Defines a number that only grows. Every thread that counts it defines it; who defines it again gets the same one.
---Throws where a thread has defined it as something else, or with other labels.
---@param name string letters, digits, `_` and `:`; by custom it ends in `_total`
---@param help string what it counts
---@param labels string[]? names of labels: the counter is one for each of their values, which `with` names
---@return momo.metrics.Counter counter
function M.counter(name, help, labels)
  check.dot(name, "metrics.counter")
  return users.define("counter", name, help, labels)
end

---Defines a number that goes up and down, as `counter` does.
---@param name string
---@param help string
---@param labels string[]?
---@return momo.metrics.Gauge gauge
function M.gauge(name, help, labels)
  check.dot(name, "metrics.gauge")
  return users.define("gauge", name, help, labels)
end

---Defines a histogram of values, as `counter` does.
---@param name string by custom it ends in its unit: `_seconds`, `_bytes`
---@param help string
---@param labels string[]?
---@param bounds number[]? of the buckets, from the smallest; from 0.005 to 10, as suits the seconds of an answer
---@return momo.metrics.Histogram histogram
function M.histogram(name, help, labels, bounds)
  check.dot(name, "metrics.histogram")
  return users.define("histogram", name, help, labels, bounds or DEFAULT_BOUNDS)
end

---All that is counted, of all threads, in Prometheus's text format: answer it as `text/plain; version=0.0.4`. A thread
---that does not come round within 0.25 s is told of as it was when it was last asked, and counted by
---`momo_executors_silent`. Outside of a task no other thread is waited for.
---@async
---@return string text
function M.prometheus()
  return require("momo.metrics.snapshot").of_all()
end

names.module(M, "momo.metrics")
getmetatable(M).__call = own.numbers

return M
