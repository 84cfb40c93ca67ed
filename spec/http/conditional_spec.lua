local conditional = require "momo.http.conditional"

local MODIFIED = 784111777.25
local AT, BEFORE, AFTER = "Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:36 GMT",
  "Sun, 06 Nov 1994 08:49:38 GMT"

local function evaluate(method, etag, fields, modified)
  local request = { method = method, header = function(_, name) return fields[name] end }
  return conditional.evaluate(request, etag, modified)
end

describe("a conditional request", function()
  for _, row in ipairs {
    -- field, value, our tag, GET, PUT
    { "if-none-match", '"a"', '"a"', 304, 412 },
    { "if-none-match", '"b"', '"a"', nil, nil },
    { "if-none-match", 'W/"a"', '"a"', 304, 412 },
    { "if-none-match", '"a"', 'W/"a"', 304, 412 },
    { "if-none-match", 'W/"a"', 'W/"a"', 304, 412 },
    { "if-none-match", '"b", "a"', '"a"', 304, 412 },
    { "if-none-match", '"b","c" , W/"a"', '"a"', 304, 412 },
    { "if-none-match", ', "a"', '"a"', 304, 412 },
    { "if-none-match", '"b,a", "a"', '"a"', 304, 412 },
    { "if-none-match", '"x, "a"', '"a"', nil, nil }, -- malformed: it ends there
    { "if-none-match", 'a', '"a"', nil, nil },
    { "if-none-match", 'w/"a"', '"a"', nil, nil },
    { "if-none-match", '/"a"', '"a"', nil, nil },
    { "if-none-match", '"b" "a"', '"a"', 304, 412 },
    { "if-none-match", '', '"a"', nil, nil },
    { "if-none-match", '""', '""', 304, 412 },
    { "if-none-match", '*', '"a"', 304, 412 },
    { "if-none-match", ' * ', '"a"', 304, 412 },
    { "if-none-match", '*', nil, 304, 412 },
    { "if-none-match", '"a"', nil, nil, nil },
    { "if-match", '"a"', '"a"', nil, nil },
    { "if-match", '"b"', '"a"', 412, 412 },
    { "if-match", '"b", "a"', '"a"', nil, nil },
    { "if-match", 'W/"a"', '"a"', 412, 412 }, -- the comparison is the strong one
    { "if-match", '"a"', 'W/"a"', 412, 412 },
    { "if-match", 'W/"a"', 'W/"a"', 412, 412 },
    { "if-match", '*', 'W/"a"', nil, nil },
    { "if-match", '"a"', nil, 412, 412 },
    { "if-match", '', '"a"', 412, 412 },
    { "if-modified-since", AT, nil, 304, nil },
    { "if-modified-since", AFTER, nil, 304, nil },
    { "if-modified-since", BEFORE, nil, nil, nil },
    { "if-modified-since", "yesterday", nil, nil, nil },
    { "if-unmodified-since", AT, nil, nil, nil },
    { "if-unmodified-since", AFTER, nil, nil, nil },
    { "if-unmodified-since", BEFORE, nil, 412, 412 },
    { "if-unmodified-since", "yesterday", nil, nil, nil },
  } do
    it(("%s: %s of %s"):format(row[1], row[2], tostring(row[3])), function()
      local fields = { [row[1]] = row[2] }
      assert.equal(row[4], evaluate("GET", row[3], fields, MODIFIED))
      assert.equal(row[4], evaluate("HEAD", row[3], fields, MODIFIED))
      assert.equal(row[5], evaluate("PUT", row[3], fields, MODIFIED))
    end)
  end

  it("that names tags has no use for dates", function()
    assert.is_nil(evaluate("GET", '"a"', { ["if-none-match"] = '"b"', ["if-modified-since"] = AT }, MODIFIED))
    assert.is_nil(evaluate("GET", '"a"', { ["if-match"] = '"a"', ["if-unmodified-since"] = BEFORE }, MODIFIED))
  end)

  it("fails before it is told that nothing has changed", function()
    assert.equal(412, evaluate("GET", '"a"', { ["if-match"] = '"b"', ["if-none-match"] = '"a"' }, MODIFIED))
    assert.equal(304, evaluate("GET", '"a"', { ["if-match"] = '"a"', ["if-none-match"] = '"a"' }, MODIFIED))
  end)

  it("is none where no date is known, or nothing is asked", function()
    assert.is_nil(evaluate("GET", nil, { ["if-modified-since"] = AT, ["if-unmodified-since"] = BEFORE }, nil))
    assert.is_nil(evaluate("GET", '"a"', {}, MODIFIED))
  end)
end)
