-- Each code with which a function may fail, as its annotation says, is named by a spec that calls the function; those
-- that no other spec has are brought about here.

local SOURCE = os.getenv "MOMO_SOURCE_DIR"
package.path = SOURCE .. "/?.lua;" .. package.path

local folder = require "spec.support.folder"
local momo = require "momo"
local public = require "docs.tool.public"
local tcp = require "spec.support.tcp"

local fs, io, net, assert_failed = momo.fs, momo.io, momo.net, tcp.assert_failed

-- What no spec brings about: as root hardly anything is forbidden, and no file system is filled.
local NOT_SEEN = {}
for line in ([[
  momo.Child:kill EPERM
  momo.Child:wait ECHILD
  momo.Socket:set_option EPERM
  momo.fs.chmod EPERM
  momo.fs.copy EACCES
  momo.fs.list EACCES
  momo.fs.realpath EACCES
  momo.fs.rename EACCES
  momo.fs.tempdir EACCES
  momo.fs.tempfile EACCES
  momo.fs.tempfile ENOSPC
  momo.fs.utimes EPERM
  momo.fs.watch EACCES
  momo.fs.watch ENOSPC
  momo.http.Response:finish ECANCELED
  momo.http.Response:interim ECANCELED
  momo.http.Response:json ECANCELED
  momo.http.Response:redirect ECANCELED
  momo.http.Response:upgrade ECANCELED
  momo.http.serve EACCES
  momo.http.websocket EPROTONOSUPPORT
  momo.measure ENOMEM
  momo.nats.Consumer:fetch ECONNABORTED
  momo.nats.JetStream:api EAGAIN
  momo.nats.JetStream:api ENOENT
  momo.nats.JetStream:api EREMOTEIO
  momo.nats.JetStream:api ESTALE
  momo.net.UdpSocket:send ENETUNREACH
  momo.net.UdpSocket:send_to ENETUNREACH
  momo.signal.recv EMFILE
]]):gmatch "%s*([^\n]+)\n" do
  NOT_SEEN[line] = true
end

describe("a code that a function may fail with", function()
  it("is of files", function()
    tcp.run(function()
      local here = folder.make { file = "text" }
      assert(fs.symlink("loop", here .. "/loop"))
      assert_failed("ELOOP", fs.stat(here .. "/loop"))
      assert_failed("ELOOP", fs.realpath(here .. "/loop"))
      assert_failed("ENOTDIR", fs.list(here .. "/file"))
      assert_failed("EPERM", fs.link(here, here .. "/hard"))
      local file = assert(fs.open(here .. "/file", "r+"))
      assert_failed("EFBIG", file:truncate(2 ^ 52))
      assert_failed("EPERM", io.watch(file:fd(), "r"))
      file:close()
    end)
  end)

  it("is of streams that are not TCP's", function()
    tcp.run(function()
      local pipe, unix = io.pipe(), net.UnixStream.pair()
      for code, stream in pairs { ENOTSOCK = pipe, ENOTSUP = unix } do
        assert_failed(code, stream:set_nodelay(true))
        assert_failed(code, stream:set_keepalive(1))
      end
    end)
  end)

  it("is of arguments that are too many for the system", function()
    tcp.run(function() assert_failed("E2BIG", momo.process.spawn { "true", ("x"):rep(3000000) }) end)
  end)

  it("is of a receiver that is closed while it waits for many", function()
    tcp.run(function()
      for _, channel in ipairs { momo.sync.channel, momo.thread.channel } do
        local _, rx = channel(1)
        local task = tcp.waiting(function() return rx:recv_many(2) end)
        rx:close()
        assert_failed("ECANCELED", select(2, task:join()))
      end
    end)
  end)

  it("is named by a spec that calls the function", function()
    local words, problems, seen = {}, {}, 0
    local pipe = assert(_G.io.popen("ls spec/*/*_spec.lua spec/support/*.lua"))
    for path in pipe:lines() do
      local file, own = assert(_G.io.open(path)), {}
      for word in file:read("*a"):gsub("NOT_SEEN = {}.-%]%]", ""):gmatch "[%w_]+" do
        own[word] = true
      end
      words[#words + 1] = own
      file:close()
    end
    pipe:close()
    local function is_named(name, code)
      for _, own in ipairs(words) do
        if own[name] and own[code] then return true end
      end
      return false
    end
    for _, page in ipairs(public.collect(SOURCE .. "/lua")) do
      for _, item in ipairs(page.items) do
        for _, entry in ipairs(item.codes or {}) do
          for _, code in ipairs(entry.codes) do
            local case = item.path .. " " .. code
            seen = seen + 1
            if not NOT_SEEN[case] and not is_named(item.name, code) then
              problems[#problems + 1] = case
            end
          end
        end
      end
    end
    table.sort(problems)
    assert(#problems == 0, "no spec names:\n" .. table.concat(problems, "\n"))
    assert.is_true(seen > 400, seen .. " codes were found")
  end)
end)
