---Go's tables: what its tests try on ranges, cookies and multipart bodies, and where Momo differs, and why. The
---same cases are tried on Go, so that what it makes of them is no hearsay.

local cookie = require "momo.http.cookie"
local folder = require "spec.support.folder"
local multipart = require "momo.http.multipart"
local range = require "momo.http.range"
local tables = require "spec.support.go_tables"

local SOURCE = os.getenv "MOMO_SOURCE_DIR" .. "/spec/support/go_tables.go"

-- By kind: what is made of an input, as text.
local answers = {}

-- first-last, the whole, or none of it, which is status 416; the input begins with the file's size.
function answers.range(input)
  local size, header = input:match "^(%d+) (.*)$"
  local first, last = range.parse(header, tonumber(size))
  return first and first .. "-" .. last or first == nil and "whole" or "none"
end

function answers.cookies(input)
  local list = {}
  for name, values in pairs(cookie.parse(input)) do
    for _, value in ipairs(type(values) == "table" and values or {}) do
      list[#list + 1] = name:sub(1, -3) .. "=" .. value -- the name ends in []
    end
  end
  table.sort(list)
  return table.concat(list, "\n")
end

-- name, value, path, domain and SameSite, a line each
function answers.set_cookie(input)
  local name, value, path, domain, same_site = input:match "^(.-)\n(.-)\n(.-)\n(.-)\n(.-)$"
  local ok, text = pcall(cookie.format, name, value, { path = path, domain = domain ~= "" and domain or nil,
    same_site = same_site ~= "" and same_site })
  return ok and text or "refused"
end

-- name|filename|body of each part, a line each
function answers.multipart(input)
  local pieces, list = { input ~= "" and input or nil }, {}
  local parts = multipart.parts(function()
    local piece = table.remove(pieces)
    if piece then
      return piece
    end
    return nil, "EOF: end of file", "EOF"
  end, "b")
  while true do
    local part, err = parts:next()
    local body = part and part:body()
    if err or part and not body then
      return "malformed"
    elseif not part then
      return table.concat(list, "\n")
    end
    list[#list + 1] = ("%s|%s|%s"):format(part.name or "", part.filename or "", body)
  end
end

function answers.boundary(input)
  return multipart.boundary(input) or "malformed"
end

-- All cases in one order: { kind, row, why }.
local function cases()
  local list = {}
  for kind, groups in pairs(tables) do
    for why, rows in pairs(groups) do
      for _, row in ipairs(rows) do
        list[#list + 1] = { kind, row, why }
      end
    end
  end
  return list
end

local function to_hex(text)
  return (text:gsub(".", function(byte) return ("%02x"):format(byte:byte()) end))
end

local function from_hex(digits)
  return (digits:gsub("%x%x", function(two) return string.char(tonumber(two, 16)) end))
end

describe("what Go tries", function()
  for kind, groups in pairs(tables) do
    for why, rows in pairs(groups) do
      it(("on %s: %s"):format(kind, why), function()
        for _, row in ipairs(rows) do
          assert.equal(row[2], answers[kind](row[1]), ("%q"):format(row[1]))
          assert.is_true(why ~= "both agree" or row[3] == nil)
          assert.is_true(why == "both agree" or row[3] ~= nil and row[3] ~= row[2])
        end
      end)
    end
  end

  it("has the answers of Go that are written here", function()
    local version = io.popen "go env GOVERSION 2>/dev/null"
    local name = version:read "*a"
    version:close()
    if not name:find "^go1%.19" then
      return pending("go: the answers are those of 1.19, not of " .. (name:match "%S+" or "none"))
    end
    local lines, list = {}, cases()
    for i, case in ipairs(list) do
      lines[i] = case[1] .. " " .. to_hex(case[2][1]) .. "\n"
    end
    local root = folder.make { input = table.concat(lines) }
    local go = io.popen(("cd %s && GO111MODULE=off go run %s <input 2>log"):format(root, SOURCE))
    for _, case in ipairs(list) do
      local kind, row = case[1], case[2]
      local line = assert(go:read "*l", "Go has ended: see " .. root .. "/log")
      local answer = (kind == "range" or line == "malformed") and line or from_hex(line)
      assert.equal(row[3] or row[2], answer, ("%s: %q"):format(kind, row[1]))
    end
    go:close()
    assert.is_true(#list > 190, #list)
  end)
end)
