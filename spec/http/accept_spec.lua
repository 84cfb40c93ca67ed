local accept = require "momo.http.accept"

describe("Accept-Encoding", function()
  for _, row in ipairs {
    { nil, nil }, { "", nil }, { "identity", nil }, { "deflate", nil },
    { "gzip", "gzip" }, { "GZIP", "gzip" }, { "x-gzip", "gzip" }, { "gzip, deflate, br", "br" },
    { "gzip;q=1.0, br;q=0.5", "gzip" }, { "gzip;q=0.5,br;q=0.500", "br" }, { "br ; q=0.1, gzip ;q=0.2", "gzip" },
    { "gzip; Q=1", "gzip" },
    { "gzip;q=0", nil }, { "gzip;q=0.000, *", "br" }, { "*", "br" }, { "*;q=0", nil }, { "br;q=0, *;q=0.1", "gzip" },
    { "identity;q=0", nil }, { "gzip;q=0.5, identity", nil }, { "gzip;q=0.5, identity;q=0.5", "gzip" },
    { "identity;q=0.5, *;q=0.1", nil },
    { "gzip;q=2", nil }, { "gzip;q=-1", nil }, { "gzip;q=1.001", nil }, { "gzip;q=0.0001", nil }, { "gzip;q", nil },
    { "gzip;q=", nil }, { "gzip;x=1", nil }, { "gzip br", nil }, { "gzip;q=a, br", "br" }, { ",, gzip,", "gzip" },
  } do
    it(("%s lets us send %s"):format(tostring(row[1]), tostring(row[2])), function()
      assert.equal(row[2], accept.encoding(row[1], { "br", "gzip" }))
    end)
  end

  it("can't ask for what is not offered", function()
    assert.is_nil(accept.encoding("br", { "gzip" }))
    assert.is_nil(accept.encoding("*", {}))
  end)
end)
