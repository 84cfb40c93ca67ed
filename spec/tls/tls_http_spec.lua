-- HTTP over TLS, where an answer does not go out at once.

local ffi = require "ffi"

local certs = require "spec.support.certs"
local momo = require "momo"
local tcp = require "spec.support.tcp"
local tls = require "spec.support.tls"

local ANSWER = 50000 -- bytes; several fill what the kernel holds
local SMALL = 16000 -- bytes of an answer that is one write with its head
local FIONREAD = 0x541B

ffi.cdef "int ioctl(int, unsigned long, ...);"

describe("HTTP over TLS", function()
  after_each(tcp.check_nothing_left)

  -- n requests at once, the last of which ends the connection, before one byte of an answer is read: the last answers
  -- have to wait, each at another place of what the kernel and the layer hold.
  for n = 1, 12 do
    it(("sends all of %d answers that wait for their reader, and then the end"):format(n), function()
      tcp.run(function()
        local begun, sent = 0, 0
        local listener = tcp.listen()
        assert(listener:set_option("so_sndbuf", 4096))
        local server = tcp.waiting(momo.http.serve, listener, function(request, response)
          begun = begun + 1
          local ok = response:send(200, request.path:sub(2):rep(ANSWER))
          sent = sent + (ok and 1 or 0)
        end, { tls = tls.server() })
        local plain = assert(momo.net.TcpStream.connect(listener:local_addr()))
        assert(plain:set_option("so_rcvbuf", 65536))
        local stream = assert(tls.client():wrap(plain, "localhost", 10))
        stream:set_timeout(10)
        local requests = {}
        for i = 1, n do
          requests[i] = ("GET /%s HTTP/1.1\r\nHost: a\r\n%s\r\n"):format(string.char(96 + i),
            i == n and "Connection: close\r\n" or "")
        end
        stream:write(requests)
        tcp.wait_for(function() return begun > sent or sent == n end)
        assert.is_true(sent < 8, "what nobody has read was told to be sent")
        for i = 1, n do
          local head = stream:read_until "\r\n\r\n"
          assert.equal(ANSWER, tonumber(head:lower():match "content%-length: (%d+)"))
          assert.is_true(stream:read_exact(ANSWER) == string.char(96 + i):rep(ANSWER))
        end
        tcp.assert_failed("EOF", stream:read())
        stream:close()
        tcp.wait_for(function() return sent == n end)
        listener:close()
        assert(server:join())
      end)
    end)
  end

  -- What a Unix socket holds is counted at its other end.
  it("has sent what the kernel has all of", function()
    tcp.run(function()
      local path = os.tmpname()
      os.remove(path)
      local begun, sent = 0, 0
      local listener = assert(momo.net.UnixListener.bind(path))
      local server = tcp.waiting(momo.http.serve, listener, function(_, response)
        begun = begun + 1
        response:send(200, ("x"):rep(SMALL))
        sent = sent + 1
      end, { tls = tls.server() })
      local plain = assert(momo.net.UnixStream.connect(path))
      local fd = plain:fd() -- whoever asks for it has nothing received ahead
      local stream = assert(tls.client():wrap(plain, "localhost", 10))
      stream:set_timeout(10)
      while sent == begun do
        stream:write "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        local before = begun
        tcp.wait_for(function() return begun > before end)
      end
      local held = ffi.new "int[1]"
      assert.equal(0, ffi.C.ioctl(fd, FIONREAD, held))
      assert.is_true(held[0] >= sent * SMALL, ("%d answers are sent, and %d bytes"):format(sent, held[0]))
      for _ = 1, begun do
        stream:read_until "\r\n\r\n"
        assert.equal(SMALL, #stream:read_exact(SMALL))
      end
      tcp.wait_for(function() return sent == begun end)
      stream:close()
      listener:close()
      assert(server:join())
    end)
  end)

  it("staples what an authority has said of the certificate, anew after a reload", function()
    tcp.run(function()
      local host, root = certs.localhost(), certs.root()
      local function response(hours)
        local path = certs.path "ocsp.der"
        local serial = assert(momo.process.run { "openssl", "x509", "-in", host.cert_path, "-noout", "-serial" }).stdout
        local index = certs.write("ocsp.index", ("V\t301231235959Z\t\t%s\tunknown\t/O=Specs/CN=localhost\n"):format(
          serial:match "=(%x+)"))
        local command = ([[
          openssl ocsp -issuer ROOT -cert HOST -no_nonce -reqout DER.req &&
          openssl ocsp -index INDEX -CA ROOT -rsigner ROOT -rkey KEY -reqin DER.req -respout DER -nmin MINUTES
        ]]):gsub("%u%u+", { ROOT = root.cert_path, HOST = host.cert_path, DER = path, INDEX = index,
          KEY = root.key_path, MINUTES = hours * 60, CA = false })
        assert.equal(0, assert(momo.process.run { "sh", "-c", command }).status)
        return path
      end
      local server = tls.server { ocsp = response(1) }
      local address, serving, listener = tls.serve(function() end, server)
      local function stapled()
        local result = assert(momo.process.run { "openssl", "s_client", "-connect", address, "-status", "-CAfile",
          root.cert_path, stdin = "null" })
        assert.matches("OCSP Response Status: successful", result.stdout, 1, true)
        assert.matches("Cert Status: good", result.stdout, 1, true)
        return result.stdout:match "This Update: ([^\n]*)", result.stdout:match "Next Update: ([^\n]*)"
      end
      local _, before = stapled()
      response(48)
      assert(server:reload())
      local _, after = stapled()
      assert.are_not.equal(before, after)
      listener:close()
      assert(serving:join())
    end)
  end)
end)
