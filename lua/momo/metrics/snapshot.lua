---What this thread counts as a text, and the sum of all threads' (core/loop/inside/snapshot.h).

local native = require("momo.internal.core").native
local own = require "momo.metrics.own"
local text = require "momo.metrics.text"
local users = require "momo.metrics.users"

local ANSWER_SECONDS = 0.25 -- that other threads have: one that computes for longer is told of as it was

local M = {}

---Of this thread.
---@param question string? what is to be answered besides: the answer stands between two form feeds
---@return string
function M.text(question)
  local lines = {}
  own.write(lines)
  users.write(lines)
  lines[#lines + 1] = ""
  if question and question ~= "" then
    lines[#lines] = "\f" .. require "momo.command.inspect_answer"(question):gsub("\f", " ") .. "\f"
  end
  return table.concat(lines, "\n")
end

---The texts of others, and what they have answered besides. No line but that of an answer begins with a form feed.
---@return string counted
---@return string[] answers
function M.take()
  local answers = {}
  local counted = native.snapshots_take():gsub("\n\f([^\f]*)\f", function(answer)
    answers[#answers + 1] = answer
    return "\n"
  end)
  return counted, answers
end

---Of all threads.
---@async
---@return string
function M.of_all()
  local round = native.snapshots_ask()
  if native.current() then
    local again
    repeat
      again = native.snapshots_wait(round, ANSWER_SECONDS)
    until not again
  end
  local lines = {}
  text.family(lines, "momo_executors_silent", "gauge", "Those that do not come round, and are told of as they were.")
  text.sample(lines, "momo_executors_silent", "", native.snapshots_missing(round))
  return text.sum(M.text() .. table.concat(lines, "\n") .. "\n" .. (M.take()))
end

---The thread ends: what it has counted is kept for those that go on.
function M.retire()
  local mine = M.text()
  repeat
    local past, seen = native.snapshots_past()
  until native.snapshots_retire(seen, text.sum(past .. mine, true))
end

return M
