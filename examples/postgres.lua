-- Awaits PostgreSQL through its own library, libpq: while three connections wait for answers, a task goes on ticking.
-- Whatever library has a socket to wait for can be awaited so, by momo.io.poll.
--
--    ./dev run examples/postgres.lua "host=/var/run/postgresql dbname=postgres"      (Debian: postgresql, libpq5)

local ffi = require "ffi"
local momo = require "momo"

ffi.cdef [[
  typedef struct pg_conn PGconn;
  typedef struct pg_result PGresult;
  PGconn *PQconnectStart(const char *conninfo);
  int PQconnectPoll(PGconn *conn);
  int PQstatus(const PGconn *conn);
  int PQsocket(const PGconn *conn);
  int PQsetnonblocking(PGconn *conn, int on);
  char *PQerrorMessage(const PGconn *conn);
  void PQfinish(PGconn *conn);
  int PQsendQueryParams(PGconn *conn, const char *sql, int n, const unsigned *types, const char *const *values,
                        const int *lengths, const int *formats, int format);
  int PQflush(PGconn *conn);
  int PQconsumeInput(PGconn *conn);
  int PQisBusy(PGconn *conn);
  PGresult *PQgetResult(PGconn *conn);
  char *PQresultErrorMessage(const PGresult *result);
  int PQntuples(const PGresult *result);
  int PQnfields(const PGresult *result);
  char *PQfname(const PGresult *result, int column);
  int PQgetisnull(const PGresult *result, int row, int column);
  char *PQgetvalue(const PGresult *result, int row, int column);
  void PQclear(PGresult *result);
]]
local pq = ffi.load "libpq.so.5"
local BAD, FAILED, READING, WRITING, CONNECTED = 1, 0, 1, 2, 3

local function problem(connection)
  return ffi.string(pq.PQerrorMessage(connection)):gsub("%s+$", "")
end

---@async
local function connect(conninfo)
  local connection = ffi.gc(pq.PQconnectStart(conninfo), pq.PQfinish)
  local state = pq.PQstatus(connection) == BAD and FAILED or WRITING
  while state == READING or state == WRITING do
    assert(momo.io.poll(pq.PQsocket(connection), state == READING and "r" or "w"))
    state = pq.PQconnectPoll(connection)
  end
  assert(state == CONNECTED and pq.PQsetnonblocking(connection, 1) == 0, problem(connection))
  return connection
end

-- The rows of a result: tables of texts by the columns' names.
local function rows_of(result)
  local rows = {}
  for i = 0, pq.PQntuples(result) - 1 do
    local row = {}
    for column = 0, pq.PQnfields(result) - 1 do
      if pq.PQgetisnull(result, i, column) == 0 then
        row[ffi.string(pq.PQfname(result, column))] = ffi.string(pq.PQgetvalue(result, i, column))
      end
    end
    rows[i + 1] = row
  end
  return rows
end

---Runs one command, whose $1, $2 ... stand for the further arguments.
---@async
local function query(connection, sql, ...)
  local n, socket = select("#", ...), pq.PQsocket(connection)
  local values = ffi.new("const char *[?]", n, { ... })
  local ok = pq.PQsendQueryParams(connection, sql, n, nil, values, nil, nil, 0) == 1
  while ok and pq.PQflush(connection) == 1 do
    if momo.io.poll(socket, "rw") ~= "w" then -- it may have to read before it can write more
      ok = pq.PQconsumeInput(connection) == 1
    end
  end
  while ok and pq.PQisBusy(connection) == 1 do
    assert(momo.io.poll(socket, "r"))
    ok = pq.PQconsumeInput(connection) == 1
  end
  assert(ok, problem(connection))
  local rows, err = {}, ""
  local result = pq.PQgetResult(connection)
  while result ~= nil do
    rows, err = rows_of(result), ffi.string(pq.PQresultErrorMessage(result))
    pq.PQclear(result)
    result = pq.PQgetResult(connection)
  end
  assert(err == "", err)
  return rows
end

local conninfo = arg[1] or "dbname=postgres"
local ticks, start = 0, momo.time.now()
local ticker = momo.spawn(function()
  while true do
    momo.time.sleep(0.01)
    ticks = ticks + 1
  end
end)
momo.scope(function(scope)
  for _, name in ipairs { "Ada", "Bob", "Eve" } do
    scope:spawn(function()
      local connection = connect(conninfo)
      local rows = query(connection, "select 'Hello, ' || $1 as greeting, pg_sleep(0.5)", name)
      print(rows[1].greeting)
      pq.PQfinish(ffi.gc(connection, nil))
    end)
  end
end)
ticker:cancel()
print(("3 queries of half a second took %.2f s, with %d ticks meanwhile"):format(momo.time.now() - start, ticks))
print(momo.pcall(query, connect(conninfo), "select 1 / 0"))
