---What the core tells of a connection, of its peer's certificate, and of a client's wishes, as tables.

local native = require("momo.internal.core").native

local M = {}

local CONNECTION, PEER, HELLO = 0, 1, 2 -- enum tls_facts

---What a certificate says.
---@class momo.tls.Peer
---@field subject string "CN=example.org,O=Example"
---@field issuer string
---@field names string[] hosts that it is for
---@field ips string[]
---@field emails string[]
---@field uris string[]
---@field not_before integer seconds since 1970
---@field not_after integer
---@field sha256 string of the certificate, in hexadecimal digits
---@field pem string

---What a client asks for.
---@class momo.tls.Hello
---@field name string? of the server
---@field alpn string[] protocols, in its order
---@field versions string[] "1.3", "1.2"

---What a stream that speaks TLS is about.
---@class momo.tls.Facts
---@field version string "TLSv1.3"
---@field cipher string
---@field alpn string? the protocol that was agreed on
---@field name string? of the server, that the client asked for (SNI): addresses are not sent
---@field resumed boolean the certificates were exchanged in an earlier connection
---@field layers integer 1, or more for TLS in TLS
---@field verified boolean the peer has shown a certificate, which is good
---@field peer momo.tls.Peer? its certificate, read when it is asked for

local LISTS = { name = "names", ip = "ips", email = "emails", uri = "uris" }

local function peer_of(text)
  local peer = { names = {}, ips = {}, emails = {}, uris = {} }
  for key, value in text:gmatch "(%Z+)%z(%Z*)%z" do
    local list = peer[LISTS[key]]
    if list then
      list[#list + 1] = value
    else
      peer[key] = value
    end
  end
  peer.not_before, peer.not_after = tonumber(peer.not_before), tonumber(peer.not_after)
  return peer
end

---@param stream momo.Stream
---@param handshake userdata? of the stream, while it lasts
---@return momo.tls.Peer? peer
function M.peer(stream, handshake)
  local text = native.tls_describe(stream, PEER, handshake)
  return text and text ~= "" and peer_of(text) or nil
end

---@param stream momo.Stream
---@param handshake userdata
---@return momo.tls.Hello hello
function M.hello(stream, handshake)
  local hello = { alpn = {}, versions = {} }
  for key, value in (native.tls_describe(stream, HELLO, handshake) or ""):gmatch "(%Z+)%z(%Z*)%z" do
    local list = key == "alpn" and hello.alpn or key == "version" and hello.versions
    if list then
      list[#list + 1] = value
    else
      hello[key] = value
    end
  end
  return hello
end

---@param stream momo.Stream
---@return momo.tls.Facts? facts nil: it is a plain stream
---@return string? err
---@return string? code
function M.connection(stream)
  local text, layers, code = native.tls_describe(stream, CONNECTION)
  if not text then
    if not code then
      return nil
    end
    return nil, layers, code
  end
  local facts = { layers = layers }
  for key, value in text:gmatch "(%Z+)%z(%Z*)%z" do
    facts[key] = value
  end
  facts.resumed, facts.verified = facts.resumed == "1", facts.verified == "1"
  return setmetatable(facts, { __index = function(self, key)
    if key == "peer" then
      local peer = M.peer(stream)
      rawset(self, key, peer)
      return peer
    end
  end })
end

return M
