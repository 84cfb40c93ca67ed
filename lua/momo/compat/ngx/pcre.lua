---Regular expressions of PCRE2, which is loaded with this: compiled once, and matched without a copy of the subject.

local ffi = require "ffi"

local M = {}

ffi.cdef [[
void *pcre2_compile_8(const char *pattern, size_t n, uint32_t options, int *problem, size_t *at, void *context);
void pcre2_code_free_8(void *code);
int pcre2_jit_compile_8(void *code, uint32_t options);
int pcre2_pattern_info_8(const void *code, uint32_t what, void *where);
void *pcre2_match_data_create_from_pattern_8(const void *code, void *context);
void pcre2_match_data_free_8(void *data);
size_t *pcre2_get_ovector_pointer_8(void *data);
int pcre2_match_8(const void *code, const char *subject, size_t n, size_t start, uint32_t options, void *data,
                  void *context);
int pcre2_dfa_match_8(const void *code, const char *subject, size_t n, size_t start, uint32_t options, void *data,
                      void *context, int *workspace, size_t workspace_n);
int pcre2_get_error_message_8(int problem, char *text, size_t n);
void *dlopen(const char *path, int mode);
]]

local NOW = 2 -- a mode of dlopen

local NO_UTF_CHECK, UTF = 0x40000000, 0x00080000
local CASELESS, DOTALL, DUPNAMES, EXTENDED, MULTILINE, ANCHORED = 0x08, 0x20, 0x40, 0x80, 0x400, 0x80000000
local JAVASCRIPT = 0x01 + 0x02 + 0x200 -- empty classes, \u and \x, references to groups that did not match
local CAPTURE_COUNT, NAME_COUNT, NAME_ENTRY_SIZE, NAME_TABLE = 4, 17, 18, 19
local NO_MATCH = -1
local CACHE_MAX = 1024 -- expressions
local WORKSPACE = 4096 -- ints

local function load()
  for _, name in ipairs { "libpcre2-8.so.0", "pcre2-8" } do
    local ok, library = pcall(ffi.load, name)
    if ok then
      ffi.C.dlopen(name, NOW) -- for ever: expressions may be finalized after what ffi.load has made
      return library
    end
  end
  error("ngx.re needs PCRE2: install libpcre2-8 (Debian: libpcre2-8-0)", 0)
end

local pcre = load()
local number, size, text = ffi.new "int[1]", ffi.new "size_t[1]", ffi.new "char[256]"
local info, table_of_names = ffi.new "uint32_t[1]", ffi.new "const unsigned char *[1]"
local workspace

-- What each letter of the options adds.
local OPTIONS = {
  a = ANCHORED, i = CASELESS, m = MULTILINE, s = DOTALL, x = EXTENDED, u = UTF, U = UTF + NO_UTF_CHECK, D = DUPNAMES,
  J = JAVASCRIPT, d = 0, j = 0, o = 0,
}

---@class momo.compat.ngx.Regex
---@field private code ffi.cdata*
---@field private data ffi.cdata*
---@field offsets ffi.cdata* two of each group, from 0; the first that is no match is -1 as a size_t
---@field groups integer
---@field names {[1]: string, [2]: integer}[] of groups, with their numbers
---@field doubled boolean whether a name may be that of several groups
---@field utf boolean
---@field private dfa boolean
local Regex = {}
Regex.__index = Regex

local function message(problem)
  local n = pcre.pcre2_get_error_message_8(problem, text, 256)
  return n > 0 and ffi.string(text, n) or ("error %d"):format(problem)
end

local function fact(code, what)
  pcre.pcre2_pattern_info_8(code, what, info)
  return info[0]
end

local function names_of(code)
  local names, bytes = {}, fact(code, NAME_ENTRY_SIZE)
  pcre.pcre2_pattern_info_8(code, NAME_TABLE, table_of_names)
  for i = 0, fact(code, NAME_COUNT) - 1 do
    local entry = table_of_names[0] + i * bytes
    names[i + 1] = { ffi.string(entry + 2), entry[0] * 256 + entry[1] }
  end
  return names
end

local function flags_of(options)
  local flags = 0
  for letter in options:gmatch "." do
    local flag = OPTIONS[letter] or error(("unknown flag \"%s\" (flags \"%s\")"):format(letter, options), 0)
    flags = flags + flag
  end
  return flags
end

local function make(pattern, options)
  local flags = flags_of(options)
  local code = pcre.pcre2_compile_8(pattern, #pattern, flags, number, size, nil)
  if code == nil then
    return nil, ("pcre2_compile() failed: %s in \"%s\" at \"%s\""):format(message(number[0]), pattern,
      pattern:sub(tonumber(size[0]) + 1))
  end
  code = ffi.gc(code, pcre.pcre2_code_free_8)
  local dfa = options:find "d" ~= nil
  if not dfa then
    pcre.pcre2_jit_compile_8(code, 1) -- where it can't, the interpreter matches
  end
  local data = ffi.gc(pcre.pcre2_match_data_create_from_pattern_8(code, nil), pcre.pcre2_match_data_free_8)
  return setmetatable({
    code = code, data = data, offsets = pcre.pcre2_get_ovector_pointer_8(data), groups = fact(code, CAPTURE_COUNT),
    names = names_of(code), doubled = options:find "D" ~= nil, utf = options:find "[uU]" ~= nil, dfa = dfa,
  }, Regex)
end

local cache, cached = {}, 0

---@param pattern string
---@param options string? letters
---@return momo.compat.ngx.Regex? regex
---@return string? err
function M.compile(pattern, options)
  options = options or ""
  local of_options = cache[options]
  local regex = of_options and of_options[pattern]
  if regex then
    return regex
  end
  local err
  regex, err = make(pattern, options)
  if not regex then
    return nil, err
  end
  if cached >= CACHE_MAX then
    cache, cached = {}, 0
  end
  cached = cached + 1
  cache[options] = cache[options] or {}
  cache[options][pattern] = regex
  return regex
end

---Looks for a match; the offsets are those of the last call.
---@param subject string
---@param start integer from 0
---@return integer? groups how many have offsets, the whole match included; nil: there is no match, or an error
---@return string? err
function Regex:match(subject, start)
  if start > #subject then
    return nil
  end
  local n
  if self.dfa then
    workspace = workspace or ffi.new("int[?]", WORKSPACE)
    n = pcre.pcre2_dfa_match_8(self.code, subject, #subject, start, 0, self.data, nil, workspace, WORKSPACE)
    n = n > 1 and 1 or n == 0 and 1 or n
  else
    n = pcre.pcre2_match_8(self.code, subject, #subject, start, 0, self.data, nil)
  end
  if n > 0 then
    return n
  end
  return nil, n ~= NO_MATCH and ("pcre2_match() failed: %s"):format(message(n)) or nil
end

---Where to look on after an empty match.
---@param subject string
---@param at integer from 0
---@return integer
function Regex:behind(subject, at)
  at = at + 1
  while self.utf and at < #subject and subject:byte(at + 1) >= 0x80 and subject:byte(at + 1) < 0xc0 do
    at = at + 1
  end
  return at
end

return M
