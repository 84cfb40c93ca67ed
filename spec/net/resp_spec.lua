---examples/resp_server.lua with Redis's own clients, and examples/resp_client.lua with the real redis-server.

local momo = require "momo"
local process = require "spec.support.process"
local support = require "spec.support"

local examples = assert(os.getenv "MOMO_SOURCE_DIR") .. "/examples/"

describe("examples/resp_server.lua", function()
  local server, address, port

  before_each(function()
    server, address = process.serve "resp_server"
    port = address:match "%d+$"
  end)

  after_each(process.stop_all)

  ---What redis-cli prints for a command.
  local function redis_cli(command, options)
    local status, out, err = support.shell("redis-cli -p " .. port .. " " .. command, options)
    assert.same({ 0, "" }, { status, err })
    return out
  end

  ---@async
  local function dial()
    local stream = assert(momo.net.TcpStream.connect(address))
    stream:set_timeout(process.LIMIT_SECONDS)
    return stream
  end

  it("answers redis-cli", function()
    for _, case in ipairs {
      { "PING", "PONG" },
      { "ping hello", "\"hello\"" },
      { "ECHO 'two words'", "\"two words\"" },
      { "GET missing", "(nil)" },
      { "SET key 'a value'", "OK" },
      { "GET key", "\"a value\"" },
      { "SET key ''", "OK" },
      { "GET key", "\"\"" },
      { "INCR count", "(integer) 1" },
      { "INCR count", "(integer) 2" },
      { "GET count", "\"2\"" },
      { "INCR key", "(error) ERR value is not an integer or out of range" },
      { "DEL key count missing", "(integer) 2" },
      { "GET key", "(nil)" },
      { "COMMAND DOCS", "(empty array)" },
      { "CONFIG GET save", "1) \"save\"\n2) \"\"" },
      { "NOSUCH thing", "(error) ERR unknown command 'NOSUCH'" },
      { "GET", "(error) ERR wrong number of arguments for 'get' command" },
      { "SET a b c d", "(error) ERR wrong number of arguments for 'set' command" },
    } do
      assert.equal(case[2], redis_cli("--no-raw " .. case[1]):gsub("\n+$", ""), case[1])
    end
    assert.equal("status 0\n", process.stop(server))
  end)

  it("keeps any bytes, a megabyte of them too", function()
    local value = ("\0\r\n$5\r\n\255"):rep(128 * 1024)
    assert.equal("OK\n", redis_cli("-x SET bytes", { stdin = value }))
    assert.is_true(value .. "\n" == redis_cli "GET bytes")
  end)

  it("takes what redis-cli --pipe sends without waiting for a reply", function()
    local commands = {}
    for i = 1, 20000 do
      commands[i] = ("*3\r\n$3\r\nSET\r\n$%d\r\nkey%d\r\n$5\r\nvalue\r\n"):format(#("key" .. i), i)
    end
    local out = redis_cli("--pipe", { stdin = table.concat(commands) })
    assert.matches("errors: 0, replies: 20000\n", out, 1, true)
    assert.equal("value\n", redis_cli "GET key20000")
  end)

  for _, pipelined in ipairs { 1, 16 } do
    it(("serves redis-benchmark, %d commands at a time"):format(pipelined), function()
      local status, out, err = support.shell(
        ("redis-benchmark -p %s -t ping,set,get -c 50 -n 5000 -P %d -q"):format(port, pipelined))
      assert.same({ 0, "" }, { status, err })
      for _, test in ipairs { "PING_INLINE", "PING_MBULK", "SET", "GET" } do
        assert.matches(test .. ": [%d.]+ requests per second", out)
      end
      assert.equal("xxx\n", (redis_cli("GET key:__rand_int__"):gsub("%w", "x")))
    end)
  end

  it("answers requests that come in pieces, or typed by hand", function()
    momo.run(function()
      local stream = dial()
      for piece in ("*2\r\n$4\r\nECHO\r\n$12\r\nhello\r\nworld\r\n"):gmatch "." do
        assert(stream:write(piece))
      end
      assert.equal("$12\r\nhello\r\nworld\r\n", stream:read_exact(19))
      assert(stream:write "\r\n  set  a 1\r\nget a\r\n")
      assert.equal("+OK\r\n$1\r\n1\r\n", stream:read_exact(12))
      stream:close()
    end)
  end)

  it("answers what came before the end, and before a request that is none", function()
    momo.run(function()
      local one = dial()
      assert(one:write "PING\r\nPING\r\n*2\r\n$3\r\nGET")
      assert(one:shutdown())
      assert.equal("+PONG\r\n+PONG\r\n", one:read_exact(14))
      assert.same({ nil, "EOF: end of file", "EOF" }, { one:read() })
      for _, wrong in ipairs { "*1\r\n:5", "*-5", "*1025", "*1\r\n$1.5", "*1\r\n$99999999999", "*x" } do
        local stream = dial()
        assert(stream:write("PING\r\n" .. wrong .. "\r\n"))
        assert.equal("+PONG\r\n", stream:read_exact(7))
        assert.equal("-ERR Protocol error: invalid length\r\n", stream:read_until "\r\n", wrong)
        assert.same({ nil, "EOF: end of file", "EOF" }, { stream:read() })
      end
    end)
    assert.equal("PONG\n", redis_cli "PING")
  end)
end)

describe("examples/resp_client.lua", function()
  local port

  ---A redis-server of our own. Debian's package of that name starts a service, so its program is taken from
  ---redis-tools, where it bears another name: what it is called decides what it does.
  before_each(function()
    local server
    repeat -- another program may have taken the port meanwhile
      if server then
        process.stop(server)
      end
      local listener = assert(momo.net.TcpListener.bind "127.0.0.1:0")
      port = listener:local_addr():match "%d+$"
      listener:close()
      server = process.start("bash", "-c", "exec -a redis-server redis-check-rdb \"$@\"", "redis-server",
        "--port", port, "--bind", "127.0.0.1", "--save", "")
    until process.wait_for_line(server, "Ready to accept connections")
  end)

  after_each(process.stop_all)

  local function client(...)
    local status, out, err = support.momo(examples .. "resp_client.lua", "127.0.0.1:" .. port, ...)
    assert.same({ 0, "" }, { status, err })
    return out
  end

  it("shows every kind of reply of redis-server", function()
    assert.equal([[
SET greeting hello: "OK"
GET greeting: "hello"
GET nobody: (nil)
INCR visits: (integer) 1
INCR greeting: (error) ERR value is not an integer or out of range
RPUSH list a b: (integer) 2
LRANGE list 0 -1: 1) "a"
   2) "b"
LRANGE none 0 -1: (empty array)
EVAL return{1,{2,{}},false} 0: 1) (integer) 1
   2) 1) (integer) 2
      2) (empty array)
   3) (nil)
]], client("SET greeting hello; GET greeting", "GET nobody; INCR visits", "INCR greeting",
      "RPUSH list a b; LRANGE list 0 -1; LRANGE none 0 -1; EVAL return{1,{2,{}},false} 0"))
  end)

  it("gives each of many tasks its own replies", function()
    local arguments, expected = {}, {}
    for i = 1, 200 do
      arguments[i] = ("SET key%d %d; GET key%d"):format(i, i, i)
      expected[i] = ("SET key%d %d: \"OK\"\nGET key%d: \"%d\"\n"):format(i, i, i, i)
    end
    assert.equal(table.concat(expected), client(unpack(arguments)))
  end)

  it("talks to resp_server.lua as well", function()
    local _, address = process.serve "resp_server"
    port = address:match "%d+$"
    assert.equal("SET a 1: \"OK\"\nGET a: \"1\"\nNOSUCH: (error) ERR unknown command 'NOSUCH'\n",
      client("SET a 1; GET a", "NOSUCH"))
  end)

  it("fails when the server goes, or is not there", function()
    local status, out, err = support.momo(examples .. "resp_client.lua", "127.0.0.1:" .. port,
      "SHUTDOWN NOSAVE; GET key")
    assert.same({ 1, "" }, { status, out })
    assert.matches("EOF: end of file", err, 1, true)
    status, out, err = support.momo(examples .. "resp_client.lua", "127.0.0.1:" .. port, "PING")
    assert.same({ 1, "" }, { status, out })
    assert.matches("is Redis running? ECONNREFUSED: connection refused", err, 1, true)
  end)
end)
