---Forms, queries and percent coding: what was decoded is encoded so that it is decoded as the same.

local form = require "momo.http.form"
local percent = require "momo.http.percent"

local function check_list(key, list)
  local again = form.decode(form.encode { [key] = list })[key:match "%[%]$" and key or key .. "[]"]
  assert(#again == #list and #list > 0, key)
  for i, value in ipairs(list) do
    assert(again[i] == value, key)
  end
end

local function contains(list, value)
  for _, each in ipairs(list) do
    if each == value then
      return true
    end
  end
  return false
end

return function(text)
  assert(percent.decode(percent.encode(text)) == text)
  local decoded = percent.decode(text)
  assert((decoded ~= nil) == percent.is_valid(text))
  assert(not decoded or decoded == percent.decode_leniently(text))
  for key, value in pairs(form.decode(text)) do
    if type(value) == "table" then
      assert(key:sub(-2) == "[]", key)
      check_list(key:sub(1, -3), value)
    else
      assert(contains(form.decode(text)[key .. "[]"], value), key)
    end
  end
end
