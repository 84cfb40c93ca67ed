local pattern = require "momo.http.pattern"
local random = require "spec.support.random"

-- As short as it can be shown: literals as they are, * for one segment, ** for the rest, / for {$}.
local function show(parsed)
  local words = { parsed.method or "-", parsed.host or "-" }
  for _, segment in ipairs(parsed.segments) do
    words[#words + 1] = segment.is_wild and "*" .. segment.text or segment.is_rest and "**" .. segment.text
      or segment.text
  end
  return table.concat(words, " ")
end

describe("a pattern", function()
  for text, shown in pairs {
    ["/"] = "- - **",
    ["/a"] = "- - a",
    ["/a/"] = "- - a **",
    ["/a/b/c"] = "- - a b c",
    ["/{x}/b/{y}"] = "- - *x b *y",
    ["/{x}/b/{y}/"] = "- - *x b *y **",
    ["example.com/"] = "- example.com **",
    ["Example.COM/a"] = "- example.com a",
    ["[::1]/a"] = "- [::1] a",
    ["GET /"] = "GET - **",
    ["POST example.com/a/{w}"] = "POST example.com a *w",
    ["POST \t example.com/a"] = "POST example.com a",
    ["M-SEARCH /"] = "M-SEARCH - **",
    ["/{$}"] = "- - /",
    ["DELETE example.com/a/{foo12}/{$}"] = "DELETE example.com a *foo12 /",
    ["/{a}/b/{rest...}"] = "- - *a b **rest",
    ["/{_x}"] = "- - *_x",
    ["/%61%62/%7bx%7D"] = "- - ab {x}",
    ["/a%2fb"] = "- - a/b",
    ["/a.b/...x"] = "- - a.b ...x",
    ["/ü"] = "- - ü",
  } do
    it("is read: " .. text, function()
      assert.equal(shown, show(pattern.parse(text)))
    end)
  end

  for _, row in ipairs {
    { "", "has no slash" }, { "a", "has no slash" }, { "GET", "has no slash" }, { "GET a", "has no slash" },
    { "A=B /", 'begins with "A=B", which is no method' }, { " /", 'begins with "", which is no method' },
    { "get /", 'begins with "get": methods are in upper case' },
    { "GET|POST /", 'begins with "GET|POST": each method has a pattern of its own' },
    { "GET POST /", 'has the host "POST ": ' },
    { "/{w}x", 'has "{w}x": a wildcard is a whole segment' }, { "/x{w}", 'has "x{w}"' }, { "/{wx", 'has "{wx"' },
    { "/wx}", 'has "wx}"' }, { "/a/{/}/c", 'has "{"' }, { "/a/{%61}/c", 'has "{%61}"' }, { "/{a$}", 'has "{a$}"' },
    { "/{1a}", 'has "{1a}"' }, { "/{a-b}", 'has "{a-b}"' }, { "/{a..}", 'has "{a..}"' }, { "/{a....}",
      'has "{a....}"' },
    { "/{$...}", 'has "{$...}"' }, { "/{{a}}", 'has "{{a}}"' },
    { "/{}", "a wildcard without a name" }, { "/{...}", "a wildcard without a name" },
    { "/{$}/", "{$} before its end" }, { "/{$}/x", "{$} before its end" },
    { "/{a...}/", "{a...} before its end" }, { "/{a...}/x", "{a...} before its end" },
    { "{a}/b", 'has the host "{a}"' }, { "a.com:80/", 'has the host "a.com:80"' },
    { "/{x}/b/{x}", "two wildcards of the name x" }, { "/a/{x}/b/{x...}", "two wildcards of the name x" },
    { "//", "an empty segment" }, { "/a//b", "an empty segment" }, { "/./a", "an empty segment" },
    { "/a/..", "an empty segment" }, { "/%2e%2E/a", "an empty segment" }, { "/a%2f..%2fb", "an empty segment" },
    { "/%zz", 'has "%zz", which no request can have' }, { "/a%00", 'has "a%00"' }, { "/a?b=c", "has a query" },
  } do
    it(("is not %q"):format(row[1]), function()
      local ok, err = pcall(pattern.parse, row[1])
      assert.is_false(ok)
      assert.matches(("handle: the pattern %q "):format(row[1]), err, 1, true)
      assert.matches(row[2], err, 1, true)
    end)
  end

  it("is a string", function()
    assert.error_matches(function() pattern.parse(nil) end, "argument 1 must be a pattern such as .* got nil")
  end)
end)

describe("two patterns", function()
  for _, row in ipairs {
    { "/a", "/a", "equal" }, { "/a", "/b", "disjoint" }, { "/a", "/ab", "disjoint" }, { "/a/b", "/a", "disjoint" },
    { "/", "/{x...}", "equal" }, { "/", "/a", "wider" }, { "/", "/{$}", "wider" }, { "/", "/a/", "wider" },
    { "/{x}", "/{y}", "equal" }, { "/{x}", "/a", "wider" }, { "/{x}", "/a/", "disjoint" }, { "/{x}", "/{$}",
      "disjoint" },
    { "/{x}/{y}", "/a/{x}", "wider" }, { "/{x}/b", "/a/{y}", "overlapping" }, { "/{x}/b", "/a/{y}/c", "disjoint" },
    { "/{x}/{y}", "/{x}/a/b", "disjoint" }, { "/{x}/{y}", "/{x}/a/", "disjoint" }, { "/a/{$}", "/a/", "narrower" },
    { "/a/{$}", "/{x}/{y}", "disjoint" }, { "/a/{$}", "/{x}/{$}", "narrower" }, { "/{x}/", "/a/b", "wider" },
    { "/{x}/b/", "/a/", "overlapping" }, { "/{x}/b", "/a/", "overlapping" }, { "/a/b", "/a/", "narrower" },
    { "/", "GET /", "wider" }, { "GET /", "HEAD /", "wider" }, { "HEAD /a", "GET /a", "narrower" },
    { "GET /", "POST /", "disjoint" }, { "GET /", "/a", "overlapping" }, { "/", "GET /a", "wider" },
    { "GET /a", "HEAD /", "overlapping" }, { "HEAD /", "/", "narrower" }, { "GET /a", "POST /", "disjoint" },
    { "/a/{x}", "/{y}/b", "overlapping" }, { "/a%2fb", "/a/b", "disjoint" }, { "/%61", "/a", "equal" },
    { "/%2f", "/{$}", "disjoint" },
  } do
    it(("%s is %s to %s"):format(row[1], row[3], row[2]), function()
      local one, other = pattern.parse(row[1]), pattern.parse(row[2])
      local inverse = { narrower = "wider", wider = "narrower" }
      assert.equal(row[3], pattern.compare(one, other))
      assert.equal(inverse[row[3]] or row[3], pattern.compare(other, one))
      local conflict = row[3] == "equal" or row[3] == "overlapping"
      assert.equal(conflict, pattern.conflict(one, other))
      assert.equal(conflict, pattern.conflict(other, one))
    end)
  end

  it("with different hosts never conflict", function()
    local one, other = pattern.parse "a.com/", pattern.parse "b.com/"
    assert.is_false(pattern.conflict(one, other))
    assert.is_false(pattern.conflict(one, pattern.parse "/"))
    assert.is_true(pattern.conflict(one, pattern.parse "A.com/"))
  end)

  it("are told by a request that both match", function()
    for _, row in ipairs {
      { "/{x}/b", "/a/{y}", "GET /a/b" }, { "GET /", "/a", "GET /a" }, { "GET /a", "HEAD /", "HEAD /a" },
      { "h.com/{x}", "h.com/{y}", "GET h.com/x" }, { "POST /{x}/{$}", "POST /{y}/{$}", "POST /x/" },
      { "/{x}/b/", "/a/", "GET /a/b/" }, { "/", "/{x...}", "GET /" },
    } do
      assert.equal(row[3], pattern.common(pattern.parse(row[1]), pattern.parse(row[2])))
    end
  end)

  -- All paths of up to four segments out of three, of which two stand in patterns, with and without a slash.
  local paths = { { slash = true } }
  local from = 1
  for _ = 1, 4 do
    local to = #paths
    for i = from, to do
      if paths[i].slash then
        for _, word in ipairs { "a", "b", "z" } do
          local longer = { unpack(paths[i]) }
          longer[#longer + 1] = word
          paths[#paths + 1] = { unpack(longer) }
          longer.slash = true
          paths[#paths + 1] = longer
        end
      end
    end
    from = to + 1
  end

  -- Whether a path matches, by what the words of the pattern mean.
  local function matches(parsed, path)
    for i, segment in ipairs(parsed.segments) do
      if segment.is_rest then
        return path[i] ~= nil or (i == #path + 1 and path.slash == true)
      elseif segment.is_end then
        return i == #path + 1 and path.slash == true
      elseif not path[i] or not (segment.is_wild or segment.text == path[i]) then
        return false
      end
    end
    return #path == #parsed.segments and not path.slash
  end

  it("lie to each other as the sets of requests that they match", function()
    local next_random, seen = random.of(12), {}
    local function draw()
      local words = { random.pick(next_random, { "", "GET ", "HEAD ", "POST " }) }
      for i = 1, next_random(4) do
        words[#words + 1] = "/" .. random.pick(next_random, { "a", "b", "{x" .. i .. "}" })
      end
      words[#words + 1] = random.pick(next_random, #words > 1 and { "", "", "/", "/{$}", "/{r...}" } or { "/", "/{$}" })
      return pattern.parse(table.concat(words))
    end
    local function methods(parsed)
      return parsed.method == "GET" and { GET = true, HEAD = true } or parsed.method and { [parsed.method] = true }
        or { GET = true, HEAD = true, POST = true, PUT = true }
    end
    for _ = 1, 2000 do
      local one, other = draw(), draw()
      local both, only_one, only_other = false, false, false
      local of_one, of_other = methods(one), methods(other)
      for _, method in ipairs { "GET", "HEAD", "POST", "PUT" } do
        for _, path in ipairs(paths) do
          local a, b = of_one[method] and matches(one, path), of_other[method] and matches(other, path)
          both, only_one, only_other = both or (a and b), only_one or (a and not b), only_other or (b and not a)
        end
      end
      local expected = not both and "disjoint" or only_one and only_other and "overlapping" or only_one and "wider"
        or only_other and "narrower" or "equal"
      seen[expected] = true
      assert.equal(expected, pattern.compare(one, other), one.text .. " to " .. other.text)
    end
    assert.same({ disjoint = true, overlapping = true, wider = true, narrower = true, equal = true }, seen)
  end)
end)
