---Asks all other threads of the process that run (core/binding/inside/snapshot.c); they answer between two resumes
---(momo.command.inspect_answer).

local native = require("momo.internal.core").native
local snapshot = require "momo.metrics.snapshot"
local sync = require "momo.sync"

local ANSWER_SECONDS = 1 -- thousands of tasks take some tenths of it

---@class momo.command.Answer
---@field index integer the thread's number, as in its default name; 0: main
---@field name string
---@field is_new boolean false: the thread does not come round, and has answered to a former question:
---@field number integer of the question that it is for,
---@field what string and the first word of that
---@field text string

---@param first integer number of the first question: one asker's are even, those of another one odd
---@return async fun(what: string): counted: string, answers: table<string, momo.command.Answer>, silent: integer
return function(first)
  local asking, number = sync.Mutex(), first -- one question at a time
  return function(what)
    return asking:with(function()
      number = number + 2
      local round = native.snapshots_ask(("%d %s"):format(number, what))
      local again
      repeat
        again = native.snapshots_wait(round, ANSWER_SECONDS)
      until not again
      local answers, counted, texts = {}, snapshot.take()
      for _, text in ipairs(texts) do
        local of, word, key, index, name, answer = text:match "^(%d+) (%S+) (%S+) (%d+) ([^\n]*)\n(.*)$"
        of = tonumber(of)
        answers[key] = { index = tonumber(index), name = name, is_new = of == number, number = of, what = word,
          text = answer }
      end
      return counted, answers, native.snapshots_missing(round)
    end)
  end
end
