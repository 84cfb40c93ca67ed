-- What connections that speak TLS keep while nothing comes.

local ffi = require "ffi"
local tcp = require "spec.support.tcp"
local tls = require "spec.support.tls"

ffi.cdef [[
  struct mallinfo2 { size_t arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost; };
  struct mallinfo2 mallinfo2(void);
]]

local SANITIZED = (os.getenv "MOMO_SANITIZE" or "") ~= ""
local PAIRS = 50
local MOST = 20 * 1024 -- bytes of an end; 16 KiB and more in each direction are OpenSSL's buffers

describe("an idle connection that speaks TLS", function()
  after_each(tcp.check_nothing_left)

  for _, version in ipairs { "1.2", "1.3" } do
    it("gives its buffers back, in TLS " .. version, function()
      if SANITIZED then return pending "a sanitizer has another malloc" end
      tcp.run(function()
        local client, server = tls.client { sessions = 0 }, tls.server { max_version = version }
        local ends, tasks = {}, {}
        local function open()
          local one, other = tcp.pair()
          assert(tls.shake(client, one, server, other)[1])
          for _, stream in ipairs { one, other } do
            table.insert(ends, stream)
            table.insert(tasks, tcp.waiting(function()
              assert.equal("hello", stream:read_exact(5))
              assert.equal("and more", other == stream and stream:read_exact(8) or "and more")
              return stream:read()
            end))
          end
          one:write "hello"
          other:write "hello"
          tcp.settle()
          one:write "and more" -- while the other end's reader waits
          tcp.settle()
        end
        open()
        collectgarbage()
        local before = ffi.C.mallinfo2().uordblks
        for _ = 1, PAIRS do open() end
        collectgarbage()
        local each = tonumber(ffi.C.mallinfo2().uordblks - before) / (2 * PAIRS)
        for _, stream in ipairs(ends) do stream:shutdown() end
        for _, task in ipairs(tasks) do task:join() end
        for _, stream in ipairs(ends) do stream:close() end
        assert.is_true(each < MOST, each .. " bytes")
      end)
    end)
  end
end)
