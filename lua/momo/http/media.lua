---Media types: of files by their names, and fields such as Content-Type with their parameters.

local percent = require "momo.http.percent"
local each = require "momo.internal.each"

local M = {}

-- Text is said to be UTF-8, as it nearly always is.
local TYPES = [[
text/html; charset=utf-8: html htm
text/css; charset=utf-8: css
text/javascript; charset=utf-8: js mjs cjs
text/plain; charset=utf-8: txt text log conf ini lua c h cpp hpp go rs py rb sh sql toml
text/markdown; charset=utf-8: md markdown
text/csv; charset=utf-8: csv
text/tab-separated-values; charset=utf-8: tsv
text/calendar; charset=utf-8: ics
text/vcard; charset=utf-8: vcf
text/vtt; charset=utf-8: vtt
text/xml; charset=utf-8: xml xsl xsd
text/yaml; charset=utf-8: yaml yml
application/json: json map
application/ld+json: jsonld
application/geo+json: geojson
application/manifest+json: webmanifest
application/xhtml+xml; charset=utf-8: xhtml
application/atom+xml; charset=utf-8: atom
application/rss+xml; charset=utf-8: rss
application/wasm: wasm
application/pdf: pdf
application/rtf: rtf
application/epub+zip: epub
application/zip: zip
application/gzip: gz tgz
application/zstd: zst
application/x-bzip2: bz2
application/x-xz: xz
application/x-7z-compressed: 7z
application/x-tar: tar
application/vnd.rar: rar
application/java-archive: jar
application/vnd.android.package-archive: apk
application/vnd.debian.binary-package: deb
application/x-rpm: rpm
application/msword: doc
application/vnd.openxmlformats-officedocument.wordprocessingml.document: docx
application/vnd.ms-excel: xls
application/vnd.openxmlformats-officedocument.spreadsheetml.sheet: xlsx
application/vnd.ms-powerpoint: ppt
application/vnd.openxmlformats-officedocument.presentationml.presentation: pptx
application/vnd.oasis.opendocument.text: odt
application/vnd.oasis.opendocument.spreadsheet: ods
application/vnd.oasis.opendocument.presentation: odp
application/vnd.apple.mpegurl: m3u8
application/dash+xml: mpd
image/png: png
image/jpeg: jpg jpeg
image/gif: gif
image/webp: webp
image/avif: avif
image/heic: heic
image/svg+xml: svg
image/x-icon: ico
image/bmp: bmp
image/tiff: tif tiff
image/jxl: jxl
font/woff2: woff2
font/woff: woff
font/ttf: ttf
font/otf: otf
audio/mpeg: mp3
audio/mp4: m4a
audio/aac: aac
audio/ogg: ogg oga opus
audio/flac: flac
audio/wav: wav
audio/midi: mid midi
audio/webm: weba
video/mp4: mp4 m4v
video/webm: webm
video/ogg: ogv
video/quicktime: mov
video/x-msvideo: avi
video/x-matroska: mkv
video/mpeg: mpeg mpg
video/mp2t: ts
]]

local by_extension = {}
for name, extensions in TYPES:gmatch "([^\n]-): ([%w ]+)\n" do
  for extension in extensions:gmatch "%w+" do
    by_extension[extension] = name
  end
end

local OTHER = "application/octet-stream"

---@param path string
---@return string type by the name's ending; application/octet-stream for those that are not known
function M.type_of(path)
  local extension = path:match "%.([%w]+)$"
  return extension and by_extension[extension:lower()] or OTHER
end

local is_known_text = {}

---@param media_type string? such as "text/html; charset=utf-8"
---@return boolean whether compression makes it smaller
function M.is_text(media_type)
  local known = media_type and is_known_text[media_type]
  if known ~= nil then
    return known
  end
  local name = (media_type or ""):match("^%s*([^%s;]*)"):lower()
  return name:find "^text/" ~= nil or name:find "[/+]json$" ~= nil or name:find "[/+]xml$" ~= nil
    or name == "application/javascript" or name == "application/wasm" or name == "image/bmp" or name == "image/x-icon"
    or name == "font/ttf" or name == "font/otf" or name == "application/vnd.apple.mpegurl"
end

for _, name in each(by_extension) do
  is_known_text[name] = M.is_text(name)
end

-- A quoted string; a backslash stands for itself but before a quote or another one, since browsers send file names of
-- Windows as they are.
local function read_quoted(text, at)
  local from = at
  while true do
    local stop = text:find('["\\]', from)
    if not stop then
      return nil
    elseif text:sub(stop, stop) == '"' then
      return text:sub(at, stop - 1):gsub('\\(["\\])', "%1"), stop + 1
    end
    from = text:find('^["\\]', stop + 1) and stop + 2 or stop + 1
  end
end

-- RFC 8187: filename*=UTF-8''na%C3%AFve.txt comes before filename, which stays where the former can't be read.
local function take_extended(parameters)
  local found = {}
  for key, value in each(parameters) do
    found[key:match "^(.+)%*$" or ""] = value
  end
  found[""] = nil
  for key, value in each(found) do
    local code = value:match "^[uU][tT][fF]%-8'[^']*'([^']*)$"
    parameters[key], parameters[key .. "*"] = code and percent.decode(code) or parameters[key], nil
  end
end

---A field of a name and parameters, such as Content-Type and Content-Disposition.
---@param text string
---@return string? name in lower case; nil: it is malformed
---@return table<string, string> parameters by name in lower case; the extended form comes first
function M.parse(text)
  local name, at = text:match "^%s*([%w!#$%%&'*+.^_`|~/-]+)%s*()"
  local parameters = {}
  while name and at <= #text do
    local key, next_at = text:match("^;%s*([%w!#$%%&'*+.^_`|~-]+)=()", at)
    if key then
      local value
      if text:sub(next_at, next_at) == '"' then
        value, next_at = read_quoted(text, next_at + 1)
      else
        value, next_at = text:match("^([^%s;\"]*)()", next_at)
      end
      key = key:lower()
      if not value or parameters[key] then
        return nil, {}
      end
      parameters[key] = value
    else
      next_at = text:match("^;%s*()", at) -- an empty parameter
      if not next_at then
        return nil, {}
      end
    end
    at = text:match("^%s*()", next_at)
  end
  take_extended(parameters)
  return name and name:lower(), parameters
end

return M
