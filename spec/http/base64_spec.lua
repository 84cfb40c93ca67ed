local base64 = require "momo.http.base64"
local support = require "spec.support"

describe("base64", function()
  for bytes, text in pairs { -- RFC 4648, section 10
    [""] = "", f = "Zg==", fo = "Zm8=", foo = "Zm9v", foob = "Zm9vYg==", fooba = "Zm9vYmE=", foobar = "Zm9vYmFy",
  } do
    it(("of %q is %s"):format(bytes, text), function()
      assert.equal(text, base64.encode(bytes))
    end)
  end

  it("is what its command says of every byte", function()
    local bytes = {}
    for value = 0, 255 do
      bytes[#bytes + 1] = string.char(value) .. "\n"
    end
    local whole = table.concat(bytes)
    local status, output = support.shell("base64 -w0", { stdin = whole })
    assert.equal(0, status)
    assert.equal(output, base64.encode(whole))
  end)
end)
