local coding = require "momo.http.coding"
local random = require "spec.support.random"
local support = require "spec.support"

local COMMANDS = { gzip = "gzip", br = "brotli", zstd = "zstd" }

local function source_of(pieces)
  local i = 0
  return function()
    i = i + 1
    if pieces[i] then
      return pieces[i]
    end
    return nil, "EOF: end of file", "EOF"
  end
end

-- All that is decoded, or nil, err, code.
local function decoded(names, pieces, max)
  local decoder, list = coding.decoder(source_of(pieces), names), {}
  while true do
    local bytes, err, code = decoder:read(max)
    if bytes then
      assert(#bytes >= 1 and #bytes <= (max or 65536))
      list[#list + 1] = bytes
    else
      decoder:close()
      if code == "EOF" then
        return table.concat(list)
      end
      return nil, err, code
    end
  end
end

local function encoded(name, text)
  local encoder = coding.encoder(name)
  local bytes = encoder:encode(text, "finish")
  encoder:close()
  return bytes
end

local function split(text, size)
  local pieces = {}
  for at = 1, #text, size do
    pieces[#pieces + 1] = text:sub(at, at + size - 1)
  end
  return pieces
end

-- Neither too easy nor impossible to compress.
local function text_of(seed, size)
  local next_random = random.of(seed)
  local words = {}
  while size > 0 do
    local word = random.text(next_random, { "a", "b", "hello ", "\0", "\r\n", tostring(next_random(1e6)) }, 20)
    words[#words + 1] = word
    size = size - #word
  end
  return table.concat(words)
end

local available = coding.available()

describe("content codings", function()
  it("are all there where their libraries are", function()
    assert.same({ "br", "zstd", "gzip" }, available)
  end)

  for _, name in ipairs(available) do
    describe(name, function()
      it("decodes what it has encoded, however it is cut", function()
        for _, size in ipairs { 0, 1, 2, 1000, 70000, 300000 } do
          local text = text_of(size, size)
          local bytes = encoded(name, text)
          for _, step in ipairs { 1, 7, 1000, 1e9 } do
            if step > 1 or #bytes < 5000 then
              for _, max in ipairs { 1, 100, 65536 } do
                if max > 1 or size < 5000 then
                  assert.is_true(text == decoded({ name }, split(bytes, step), max))
                end
              end
            end
          end
        end
      end)

      it("is what its command understands, and understands it", function()
        local text = text_of(2, 100000)
        local status, output = support.shell(COMMANDS[name] .. " -dc", { stdin = encoded(name, text) })
        assert.equal(0, status)
        assert.is_true(text == output)
        status, output = support.shell(COMMANDS[name] .. " -c", { stdin = text })
        assert.equal(0, status)
        assert.is_true(text == decoded({ name }, split(output, 1000)))
      end)

      it("gives with each flush all that went in", function()
        local encoder, next_random, pieces = coding.encoder(name), random.of(3), {}
        local decoder = coding.decoder(source_of(pieces), { name })
        for i = 1, 50 do
          local text = text_of(i, 1 + next_random(i < 45 and 300 or 100000))
          pieces[i] = encoder:encode(text, "flush")
          local got = ""
          while #got < #text do
            got = got .. assert(decoder:read())
          end
          assert.is_true(text == got)
        end
        pieces[51] = encoder:encode("", "finish")
        assert.equal("EOF", (select(3, decoder:read())))
      end)

      it("may hold back what no flush asks for", function()
        local encoder, pieces = coding.encoder(name), {}
        local text = text_of(4, 200000)
        for i, piece in ipairs(split(text, 1000)) do
          pieces[i] = encoder:encode(piece)
        end
        pieces[#pieces + 1] = encoder:encode("", "finish")
        local whole = table.concat(pieces)
        assert.is_true(#whole < 0.9 * #text)
        assert.is_true(text == decoded({ name }, { whole }))
      end)

      it("that is cut is malformed, wherever", function()
        local bytes = encoded(name, text_of(5, 300))
        for size = 1, #bytes - 1 do
          local text, err, code = decoded({ name }, { bytes:sub(1, size) })
          assert.is_nil(text)
          assert.equal("EPROTO", code)
          assert.matches("ends too early", err)
        end
      end)

      it("that is followed by something else, or is something else, is malformed", function()
        local bytes = encoded(name, "hello")
        for _, text in ipairs { bytes .. "x", bytes .. "\0\0\0\0\0\0\0\0", "hello, hello, hello", ("\255"):rep(100) } do
          for _, step in ipairs { 1, 1e9 } do
            local _, _, code = decoded({ name }, split(text, step))
            assert.equal("EPROTO", code)
          end
        end
      end)

      it("with a wrong byte ends in an error, or in other bytes", function()
        local next_random, text = random.of(6), text_of(6, 2000)
        local bytes, failed = encoded(name, text), 0
        for _ = 1, 500 do
          local at = 1 + next_random(#bytes)
          local wrong = bytes:sub(1, at - 1) .. string.char(next_random(256)) .. bytes:sub(at + 1)
          local got, _, code = decoded({ name }, { wrong })
          assert.is_true(got ~= nil or code == "EPROTO")
          failed = failed + (got and 0 or 1)
        end
        assert.is_true(failed > 100, failed .. " failed")
      end)

      it("of nothing is nothing", function()
        assert.equal("", decoded({ name }, {}))
        assert.equal("", decoded({ name }, { encoded(name, "") }))
      end)

      it("gives a bomb in pieces", function()
        local bytes = encoded(name, ("\0"):rep(20 * 1024 * 1024))
        assert.is_true(#bytes < 30000)
        local decoder = coding.decoder(source_of { bytes }, { name })
        for _ = 1, 10 do
          assert.equal(65536, #decoder:read())
        end
        decoder:close()
      end)

      it("passes on what its source failed with, and goes on", function()
        local bytes, step = encoded(name, "hello"), 0
        local decoder = coding.decoder(function()
          step = step + 1
          if step == 2 then
            return nil, "ETIMEDOUT: operation timed out", "ETIMEDOUT"
          end
          return step == 1 and bytes:sub(1, 5) or bytes:sub(6)
        end, { name })
        local text, got, code = ""
        repeat
          text = text .. (got or "")
          got, _, code = decoder:read()
        until not got
        assert.equal("ETIMEDOUT", code)
        repeat text = text .. assert(decoder:read()) until text == "hello"
      end)

      it("that is closed is of no use any more", function()
        local encoder = coding.encoder(name)
        encoder:close()
        encoder:close()
        assert.error_matches(function() encoder:encode "x" end, "it is closed")
      end)
    end)
  end

  for _, name in ipairs { "gzip", "zstd" } do
    it("of " .. name .. " may be several, one behind the other", function()
      local bytes = encoded(name, "hello, ") .. encoded(name, "") .. encoded(name, "world")
      for _, step in ipairs { 1, 3, 1e9 } do
        for _, max in ipairs { 1, 7, 65536 } do
          assert.equal("hello, world", decoded({ name }, split(bytes, step), max))
        end
      end
    end)
  end

  it("of zstd that want much memory are refused", function()
    local status, output = support.shell("zstd -c --ultra --long=27 -1 --no-content-size -", { stdin = text_of(7,
      1000) })
    assert.equal(0, status)
    local _, _, code = decoded({ "zstd" }, { output })
    assert.equal("EPROTO", code)
  end)

  it("lie in each other", function()
    assert.same({ "br", "gzip" }, coding.parse "gzip, br")
    local bytes = encoded("br", encoded("gzip", "hello"))
    assert.equal("hello", decoded(coding.parse "gzip, br", split(bytes, 1)))
  end)

  for header, names in pairs {
    [""] = {}, ["identity"] = {}, ["GZIP"] = { "gzip" }, ["x-gzip"] = { "gzip" }, ["gzip,identity"] = { "gzip" },
    [" br , "] = { "br" },
  } do
    it(("are read from the field %q"):format(header), function()
      assert.same(names, coding.parse(header))
    end)
  end

  it("that are not known, or too many, are left as they are", function()
    for _, header in ipairs { "deflate", "gzip, deflate", "gzip, gzip, gzip, gzip", "gzip;q=1", "../gzip" } do
      assert.is_nil(coding.parse(header))
    end
    assert.same({}, coding.parse(nil))
  end)

  it("say what to install", function()
    assert.error_matches(function() coding.encoder "deflate" end, 'there is no content coding "deflate"')
    local status, output, stderr = support.luajit [[
      package.cpath = package.cpath:gsub("/lib/%?%.so", "/none/?.so")
      package.loaded["momo.internal.check"] = { fail = error, show = tostring }
      local coding = require "momo.http.coding"
      print(#coding.available(), coding.parse "gzip" == nil)
      print(pcall(coding.encoder, "gzip"))
    ]]
    assert.equal(0, status, stderr)
    assert.matches("^0\ttrue\nfalse\t", output)
    assert.matches("the content coding gzip needs zlib (Debian: zlib1g-dev), and Momo built with it", output, 1, true)
  end)
end)
