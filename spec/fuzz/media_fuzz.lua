---Fields with parameters, such as Content-Type, and Accept-Encoding.

local accept = require "momo.http.accept"
local media = require "momo.http.media"
local multipart = require "momo.http.multipart"

local OFFERED = { "br", "zstd", "gzip" }

return function(text)
  local name, parameters = media.parse(text)
  assert(name == nil or (name ~= "" and name == name:lower()), name)
  for key, value in pairs(parameters) do
    assert(name and key == key:lower() and type(value) == "string", key)
  end
  local boundary, err, code = multipart.boundary(text)
  assert(boundary and #boundary <= 70 or (err and code == "EPROTO"))
  local coding = accept.encoding(text, OFFERED)
  assert(coding == nil or coding == "br" or coding == "zstd" or coding == "gzip", coding)
  assert(type(media.is_text(text)) == "boolean" and type(media.type_of(text)) == "string")
end
