-- Random programs of which each has threads, also for ThreadSanitizer: see spec/fuzz/batches.lua.

local batches = require "spec.fuzz.batches"

local SANITIZED = (os.getenv "MOMO_SANITIZE" or "") ~= ""

describe("a random program with threads", function()
  for _, runner in ipairs { "luajit", "momo" } do
    it("loses nothing and leaves nothing behind, under " .. runner, function()
      batches.run("thread", runner, SANITIZED and 4 or 10)
    end)
  end
end)
