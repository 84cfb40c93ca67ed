---The example that follows a file, as a user would run it.

local momo = require "momo"
local process = require "spec.support.process"

local examples = assert(os.getenv "MOMO_SOURCE_DIR") .. "/examples/"

describe("examples", function()
  after_each(process.stop_all)

  it("tail.lua sends what is added, also after a rotation and after a cut", function()
    momo.run(function()
      local fs = momo.fs
      local folder = assert(fs.tempdir())
      local path = folder .. "/log"
      fs.write(path, "before\n")
      local listener = assert(momo.net.TcpListener.bind "127.0.0.1:0")
      process.start_momo(examples .. "tail.lua", path, listener:local_addr())
      local stream = assert(listener:accept(process.LIMIT_SECONDS))
      stream:set_timeout(process.LIMIT_SECONDS)
      repeat -- until it is at the end of the file
        fs.append(path, "added\n")
        stream:set_timeout(0.1)
        local line = stream:read_until "\n"
      until line
      stream:set_timeout(process.LIMIT_SECONDS)
      for i = 1, 20 do -- all at once: what was added last must not be lost, whenever it looks
        assert(fs.append(path, "last of the old\n"))
        assert(fs.rename(path, path .. "." .. i))
        assert(fs.append(path, "first of the new\n"))
        local line
        repeat line = assert(stream:read_until "\n") until line ~= "added\n"
        assert.equal("last of the old\n", line)
        assert.equal("first of the new\n", stream:read_until "\n")
      end
      local file = assert(fs.open(path, "r+"))
      file:truncate(0)
      file:write "cut\n"
      file:close()
      assert.equal("cut\n", stream:read_until "\n")
      stream:close()
      listener:close()
      fs.remove(folder, { recursive = true })
    end)
  end)
end)
