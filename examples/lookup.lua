-- Looks names up, all at the same time, and connects to none: a name that hangs keeps the others from nothing.
--
--    ./dev run examples/lookup.lua [NAME...]      this machine's own names if none is given

local momo = require "momo"

local SECONDS = 5 -- for each name

io.stdout:setvbuf "line"
momo.scope(function(scope)
  for _, name in ipairs(#arg > 0 and arg or { "localhost", "ip6-localhost" }) do
    scope:spawn(function()
      local addresses, err = momo.time.timeout(SECONDS, momo.net.lookup_host, name)
      print(name, addresses and table.concat(addresses, " ") or err)
    end)
  end
end)
