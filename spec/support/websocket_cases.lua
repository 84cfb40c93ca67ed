---What an echo is sent, and what it answers: cases by the sections of RFC 6455 and of what Autobahn asks, in bytes of
---either side.

local M = {}

local CLOSE, TEXT, BINARY, PING, PONG = 8, 1, 2, 9, 10
local KILO = ("x"):rep(1024)

-- UTF-8 at its edges, and what is no character but may be sent.
local GOOD = {
  "\0", "\127", "\194\128", "\223\191", "\224\160\128", "\237\159\191", "\238\128\128", "\239\191\189",
  "\239\191\191", "\239\183\144", "\240\144\128\128", "\244\143\191\191", "\240\159\191\190",
  "\206\186\225\189\185\207\131\206\188\206\181",
}

-- Bytes that are wrong wherever they stand: alone, too long, surrogates, beyond the last character.
local BAD = {
  "\128", "\191", "\128\191", "\192\128", "\192\175", "\193\191", "\224\128\175", "\224\159\191", "\240\128\128\175",
  "\240\143\191\191", "\248\136\128\128\128", "\252\132\128\128\128\128", "\237\160\128", "\237\175\191",
  "\237\191\191",
  "\237\160\128\237\176\128", "\244\144\128\128", "\245\128\128\128", "\247\191\191\191", "\254", "\255", "\194 ",
  "\224\160 ", "\240\144\128 ",
}

-- The beginnings of characters.
local CUT = {
  "\194", "\223", "\224\160", "\224", "\239\191", "\240\144\128", "\240\144", "\240", "\244\143\191", "ok\206",
}

---@param frame fun(opcode: integer, data: string, parts: table?): string of spec.support.frames, for either side
---@return table<string, {[1]: string, [2]: string}[]> cases by section: what is answered, as `frames.show` has it, to
---these bytes
function M.of(frame)
  local function close(code, reason)
    return frame(CLOSE, string.char(math.floor(code / 256), code % 256) .. (reason or ""))
  end
  local function fragments(opcode, text, size)
    local list = { frame(opcode, text:sub(1, size), { more = true }) }
    for at = size + 1, #text, size do
      list[#list + 1] = frame(0, text:sub(at, at + size - 1), { more = true })
    end
    return table.concat(list) .. frame(0, "")
  end
  local cases = {
    ["1 messages of all sizes"] = {
      { "1: 8:1000", frame(TEXT, "") .. close(1000) },
      { "2: 8:1000", frame(BINARY, "") .. close(1000) },
      { "1:hello 8:1000", frame(TEXT, "hello") .. close(1000) },
      { "2:\0\255 8:1000", frame(BINARY, "\0\255") .. close(1000) },
      { "1:125 bytes 1:126 bytes 1:127 bytes 8:1000", frame(TEXT, ("*"):rep(125)) .. frame(TEXT, ("*"):rep(126)) ..
        frame(TEXT, ("*"):rep(127)) .. close(1000) },
    },
    ["2 pings and pongs"] = {
      { "10: 8:1000", frame(PING, "") .. close(1000) },
      { "10:hello 8:1000", frame(PING, "hello") .. close(1000) },
      { "10:125 bytes 8:1000", frame(PING, ("\254"):rep(125)) .. close(1000) },
      { "8:1002", frame(PING, ("x"):rep(126)) },
      { "8:1000", frame(PONG, "") .. close(1000) },
      { "8:1000", frame(PONG, "unasked") .. close(1000) },
      { "10:a 10:b 10:c 8:1000", frame(PING, "a") .. frame(PING, "b") .. frame(PONG, "x") .. frame(PING, "c") ..
        close(1000) },
    },
    ["3 reserved bits"] = {
      { "8:1002", frame(TEXT, "x", { rsv = 64 }) },
      { "1:a 8:1002", frame(TEXT, "a") .. frame(TEXT, "x", { rsv = 32 }) .. frame(PING, "") },
      { "8:1002", frame(PING, "", { rsv = 16 }) },
      { "8:1002", frame(8, "", { rsv = 112 }) },
    },
    ["4 reserved opcodes"] = {
      { "8:1002", frame(3, "") }, { "8:1002", frame(7, "x") }, { "8:1002", frame(11, "") },
      { "8:1002", frame(15, "x") },
      { "1:a 8:1002", frame(TEXT, "a") .. frame(5, "") .. frame(PING, "") },
    },
    ["5 fragments"] = {
      { "8:1002", frame(PING, "a", { more = true }) .. frame(0, "b") },
      { "8:1002", frame(PONG, "a", { more = true }) },
      { "1:ab 8:1000", frame(TEXT, "a", { more = true }) .. frame(0, "b") .. close(1000) },
      { "1: 8:1000", frame(TEXT, "", { more = true }) .. frame(0, "", { more = true }) .. frame(0, "") .. close(1000) },
      { "10:p 2:abc 8:1000", frame(BINARY, "a", { more = true }) .. frame(0, "b", { more = true }) ..
        frame(PING, "p") ..
        frame(0, "c") .. close(1000) },
      { "8:1002", frame(0, "a") },
      { "8:1002", frame(0, "a", { more = true }) .. frame(TEXT, "b") },
      { "8:1002", frame(TEXT, "a", { more = true }) .. frame(TEXT, "b") },
      { "1:ab 8:1002", frame(TEXT, "a", { more = true }) .. frame(0, "b") .. frame(0, "c") },
    },
    ["6 UTF-8"] = {
      { "1:\206\186\225\189\185\207\131 8:1000", frame(TEXT, "\206\186\225\189\185\207\131") .. close(1000) },
      { "1:\206\186 8:1000", frame(TEXT, "\206", { more = true }) .. frame(0, "\186") .. close(1000) },
      { "10: 1:\244\143\191\191 8:1000", frame(TEXT, "\244\143", { more = true }) .. frame(PING, "") ..
        frame(0, "\191\191") .. close(1000) },
      { "8:1007", frame(TEXT, "\206") },
      { "8:1007", frame(TEXT, "a\255") },
      { "8:1007", frame(TEXT, "\237\160\128") },
      { "8:1007", frame(TEXT, "\192\175") },
      { "8:1007", frame(TEXT, "\244\144\128\128") },
      { "8:1007", frame(TEXT, "a", { more = true }) .. frame(0, "\254", { more = true }) .. frame(0, "") },
      { "8:1007", frame(TEXT, "\206", { more = true }) .. frame(0, "") },
      { "2:\255 8:1000", frame(BINARY, "\255") .. close(1000) },
    },
    ["7 closes"] = {
      { "8:", frame(8, "") },
      { "8:1000", close(1000) .. frame(TEXT, "late") .. frame(PING, "late") },
      { "8:1002", frame(8, "\3") },
      { "8:1000", close(1000, "bye") },
      { "8:1000", close(1000, ("*"):rep(123)) },
      { "8:1002", frame(8, "\3\232" .. ("*"):rep(124)) },
      { "8:1007", close(1000, "\206") },
      { "8:1001", close(1001) }, { "8:1003", close(1003) }, { "8:1011", close(1011) }, { "8:3000", close(3000) },
      { "8:4999", close(4999) },
      { "8:1002", close(0) }, { "8:1002", close(999) }, { "8:1002", close(1004) }, { "8:1002", close(1005) },
      { "8:1002", close(1006) }, { "8:1002", close(1015) }, { "8:1002", close(1016) }, { "8:1002", close(2999) },
      { "8:1002", close(5000) }, { "8:1002", close(65535) },
    },
    ["lengths and masks"] = {
      { "8:1002", frame(TEXT, "x", { wide = 2 }) },
      { "8:1002", frame(TEXT, ("x"):rep(125), { wide = 2 }) },
      { "8:1002", frame(TEXT, ("x"):rep(126), { wide = 8 }) },
      { "8:1002", frame(TEXT, "", { length = 2 ^ 63, wide = 8 }) },
      { "8:1009", frame(BINARY, "", { length = 1024 * 1024 + 1 }) },
      { "8:1009", frame(BINARY, KILO, { more = true }) .. frame(0, "", { length = 1024 * 1024 - 1023 }) },
    },
  }
  cases["9 much, and 10 fragments of one size"] = {
    { "1:65536 bytes 8:1000", frame(TEXT, ("*"):rep(65536)) .. close(1000) },
    { "2:65535 bytes 8:1000", frame(BINARY, ("\255"):rep(65535)) .. close(1000) },
    { "2:262144 bytes 8:1000", frame(BINARY, ("\0"):rep(262144)) .. close(1000) },
    { "1:65536 bytes 8:1000", fragments(TEXT, ("*"):rep(65536), 1300) .. close(1000) },
    { "2:65536 bytes 8:1000", fragments(BINARY, ("\255"):rep(65536), 64) .. close(1000) },
    { "1:65536 bytes 8:1000", fragments(TEXT, ("\206\186"):rep(32768), 333) .. close(1000) },
  }

  local utf8 = cases["6 UTF-8"]
  for _, text in ipairs(GOOD) do
    utf8[#utf8 + 1] = { "1:" .. text .. " 8:1000", frame(TEXT, text) .. close(1000) }
    local each = { frame(TEXT, "", { more = true }) } -- a byte in each frame
    for byte in text:gmatch "." do
      each[#each + 1] = frame(0, byte, { more = true })
    end
    utf8[#utf8 + 1] = { "1:" .. text .. " 8:1000", table.concat(each) .. frame(0, "") .. close(1000) }
  end
  for _, text in ipairs(BAD) do
    utf8[#utf8 + 1] = { "8:1007", frame(TEXT, "ok" .. text .. "ok") .. close(1000) }
    utf8[#utf8 + 1] = { "8:1007", frame(TEXT, "ok", { more = true }) .. frame(0, text) .. close(1000) }
    utf8[#utf8 + 1] = { "8:1007", close(1000, text) }
  end
  for _, text in ipairs(CUT) do
    utf8[#utf8 + 1] = { "8:1007", frame(TEXT, text) .. close(1000) }
    utf8[#utf8 + 1] = { "8:1007", frame(TEXT, text, { more = true }) .. frame(0, "") .. close(1000) }
    utf8[#utf8 + 1] = { "8:1007", frame(TEXT, text, { more = true }) .. frame(0, "ok") .. close(1000) }
    utf8[#utf8 + 1] = { "8:1007", close(1000, text) }
  end
  local closes = cases["7 closes"]
  for _, code in ipairs { 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000,
    4999 } do
    closes[#closes + 1] = { "8:" .. code, close(code) }
    closes[#closes + 1] = { "8:" .. code, close(code, "why") }
  end
  for _, code in ipairs { 0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535 } do
    closes[#closes + 1] = { "8:1002", close(code) }
    closes[#closes + 1] = { "8:1002", close(code, "why") }
  end
  return cases
end

return M
