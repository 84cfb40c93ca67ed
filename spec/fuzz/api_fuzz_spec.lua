-- Random programs that use all of Momo at once: see spec/fuzz/batches.lua, also for how to repeat one.

local batches = require "spec.fuzz.batches"

local SANITIZED = (os.getenv "MOMO_SANITIZE" or "") ~= ""

describe("a random program", function()
  for _, runner in ipairs { "luajit", "momo" } do
    it("loses nothing and leaves nothing behind, under " .. runner, function()
      batches.run("api", runner, SANITIZED and 8 or 15)
    end)
  end
end)
