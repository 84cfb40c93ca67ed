-- The last bytes of a stream that speaks TLS, and its close_notify, where the socket is full.

local momo = require "momo"
local tcp = require "spec.support.tcp"
local tls = require "spec.support.tls"

local RECORD = ("0123456789"):rep(50)

local function narrow(one, other)
  assert(one:set_option("so_sndbuf", 4096) and other:set_option("so_rcvbuf", 4096))
  return one, other
end

local pairs_of = {
  TCP = function() return narrow(tcp.pair()) end,
  Unix = function() return narrow(momo.net.UnixStream.pair()) end,
}

-- Calls fn(one, other, records) for pairs to which so many records were written without waiting, one more each time,
-- for as long as the kernel takes them: in one of them it is just full.
local function with_more_and_more(pair, version, fn)
  local records, full = 0, false
  while not full do
    local one, other = tls.pair { pair = pair, server = { max_version = version, tickets = 0 } }
    for i = 1, records do
      full = not one:write(RECORD, i < records and 10 or 0)
    end
    if not full then
      fn(one, other, records)
    end
    one:close()
    other:close()
    records = records + 1
  end
  assert.is_true(records > 4)
end

for kind, pair in pairs(pairs_of) do
  for _, version in ipairs { "1.2", "1.3" } do
    describe(("close of a full %s socket that speaks TLS %s"):format(kind, version), function()
      after_each(tcp.check_nothing_left)

      for _, shuts in ipairs { false, true } do
        it("sends close_notify behind what was written" .. (shuts and ", also behind a shutdown" or ""), function()
          tcp.run(function()
            with_more_and_more(pair, version, function(one, other, records)
              assert(not shuts or one:shutdown())
              one:close()
              assert.is_true(records == 0 or other:read_exact(records * #RECORD) == RECORD:rep(records))
              tcp.assert_failed("EOF", other:read())
            end)
          end)
        end)
      end

      it("has nothing against a copy that has no bytes for it, while the close_notify of its shutdown waits", function()
        tcp.run(function()
          local ended, other_end = momo.net.UnixStream.pair()
          other_end:close()
          with_more_and_more(pair, version, function(one)
            assert(one:shutdown())
            assert.are.equal(0, (assert(momo.io.copy(ended, one))))
            assert.are.equal(0, (assert(momo.io.copy(ended, one))))
          end)
          ended:close()
        end)
      end)

      it("sends close_notify behind one write, of which a socket may take much more than it has room for", function()
        tcp.run(function()
          local taken = 0
          for size = 1000, 66000, 1000 do
            local one, other = tls.pair { pair = pair, server = { max_version = version, tickets = 0 } }
            if one:write(("x"):rep(size), 0) then
              taken = taken + 1
              one:close()
              assert.equal(size, #other:read_exact(size))
              tcp.assert_failed("EOF", other:read())
            end
            one:close()
            other:close()
          end
          assert.is_true(taken > 4)
        end)
      end)
    end)
  end
end
