---A log on stderr that never holds the loop up: a thread of the process writes the lines, from a queue with a limit.
---What comes while nobody reads them is dropped, and counted.

local check = require "momo.internal.check"
local json = require "momo.internal.json_text"
local native = require("momo.internal.core").native
local each = require "momo.internal.each"
local names = require "momo.internal.names"
local report = require "momo.internal.report"
local show = require "momo.internal.show"
local wall = require("momo.time").wall

---What a sink gets. Do not keep it: it is the log's own, and so are its fields.
---@class momo.log.Record
---@field time number seconds since 1970
---@field level "debug"|"info"|"warn"|"error"
---@field message string
---@field fields table<string, any> those of the call, and beneath them the locals of the task
---@field task integer? id of the task that has logged
---@field task_name string?
---@field thread string

local M = {}

local LEVELS = { debug = 1, info = 2, warn = 3, error = 4, off = 5 }
local FORMATS = { text = true, json = true }
local SHOWN = { debug = "DEBUG", info = "INFO ", warn = "WARN ", error = "ERROR" }
local TAKEN = { time = true, level = true, message = true, task = true, task_name = true, thread = true }
local NONE = {}

local from = LEVELS[os.getenv "MOMO_LOG" or "info"] or LEVELS.info
local format = FORMATS[os.getenv "MOMO_LOG_FORMAT"] and os.getenv "MOMO_LOG_FORMAT" or "text"
local sink
local sinking = setmetatable({}, { __mode = "k" }) -- the tasks that are in it, and OUTSIDE, when that is none
local OUTSIDE = {}
local thread = select(2, native.thread_current()) or "main"

-- Text

local escape, json_string = json.escape, json.string

---@param value any
---@return string text in quotes if it is not one plain word
local function as_text(value)
  local text = show.text(value)
  if text == "" or text:find "[%c%s\"=\\]" then
    return '"' .. text:gsub('[%c"\\]', escape) .. '"'
  end
  return text
end

local function stamp(time)
  return os.date("!%Y-%m-%dT%H:%M:%S", math.floor(time)) .. (".%03dZ"):format(math.floor(time * 1000) % 1000)
end

local function sorted_keys(fields)
  local keys = {}
  for key in each(fields) do
    keys[#keys + 1] = key
  end
  table.sort(keys)
  return keys
end

local function text_line(record)
  local parts = { stamp(record.time), SHOWN[record.level], (record.message:gsub("%c", escape)) }
  for _, key in ipairs(sorted_keys(record.fields)) do
    parts[#parts + 1] = key .. "=" .. as_text(record.fields[key])
  end
  if record.task then
    parts[#parts + 1] = ("task=%d"):format(record.task) .. (record.task_name and ":" .. as_text(record.task_name) or "")
  end
  if record.thread ~= "main" then
    parts[#parts + 1] = "thread=" .. as_text(record.thread)
  end
  return table.concat(parts, " ") .. "\n"
end

-- JSON

local function json_value(value)
  local kind = type(value)
  if kind == "boolean" or kind == "number" and value == value and math.abs(value) < math.huge then
    return kind == "number" and ("%.17g"):format(value) or tostring(value)
  end
  return json_string(show.text(value))
end

local function json_line(record)
  local parts = {
    ('{"time":"%s","level":"%s","message":%s'):format(stamp(record.time), record.level, json_string(record.message)),
  }
  for _, key in ipairs(sorted_keys(record.fields)) do
    local name = TAKEN[key] and "field." .. key or key
    parts[#parts + 1] = json_string(name) .. ":" .. json_value(record.fields[key])
  end
  if record.task then
    parts[#parts + 1] = '"task":' .. record.task
  end
  if record.task_name then
    parts[#parts + 1] = '"task_name":' .. json_string(record.task_name)
  end
  parts[#parts + 1] = '"thread":' .. json_string(record.thread) .. "}\n"
  return table.concat(parts, ",")
end

-- Records

---The fields of the call, and beneath them the locals of the task whose names are text.
local function all_fields(fields, locals)
  local all = {}
  for key, value in each(locals or NONE) do
    if type(key) == "string" then
      all[key] = value
    end
  end
  for key, value in each(fields or NONE) do
    all[type(key) == "string" and key or tostring(key)] = value
  end
  return all
end

local function write(record)
  local line = format == "json" and json_line(record) or text_line(record)
  native.log_push(line, format == "json")
end

---What a sink raises is told, and its record written as without it.
local function give_to_sink(record)
  local who = native.current() or OUTSIDE
  sinking[who] = true
  local ok, err = pcall(sink, record)
  sinking[who] = nil
  if not ok then
    write { time = record.time, level = "error", message = "the sink of the log failed", thread = record.thread,
      fields = { error = err } }
    write(record)
  end
end

---For Momo's own reports, too, of a task that may have ended.
local function add(level, message, fields, task)
  if LEVELS[level] < from then
    return
  end
  local own = task and native.fields(task) or NONE
  local record = {
    time = wall(),
    level = level,
    message = message,
    fields = all_fields(fields, own.locals),
    task = task and native.id(task),
    task_name = own.name,
    thread = thread,
  }
  if sink and not sinking[native.current() or OUTSIDE] then
    give_to_sink(record)
  else
    write(record)
  end
end

---Whether reports are to come as records, since somebody reads them who is no person.
local function takes_reports()
  return sink ~= nil or format == "json"
end

report.log = { add = add, takes_reports = takes_reports }

local function log(level, message, fields)
  if LEVELS[level] < from then
    return
  end
  check.argument(type(message) == "string", ("log.%s: argument 1 must be a string"):format(level), message)
  check.argument(fields == nil or type(fields) == "table",
    ("log.%s: argument 2 must be a table of fields"):format(level), fields)
  add(level, message, fields, native.current())
end

---Logs at the lowest level, which is not written unless one asks for it.
---@param message string
---@param fields table<string, any>?
function M.debug(message, fields)
  log("debug", message, fields)
end

---Logs what is as it should be.
---@param message string
---@param fields table<string, any>? such as { user = 12 }
function M.info(message, fields)
  log("info", message, fields)
end

---Logs what somebody should look at.
---@param message string
---@param fields table<string, any>?
function M.warn(message, fields)
  log("warn", message, fields)
end

---Logs what has failed.
---@param message string
---@param fields table<string, any>?
function M.error(message, fields)
  log("error", message, fields)
end

---@class momo.log.Options
---@field level "debug"|"info"|"warn"|"error"|"off"|nil the lowest that is logged; that of MOMO_LOG, or "info"
---@field format "text"|"json"|nil that of MOMO_LOG_FORMAT, or "text"
---@field sink fun(record: momo.log.Record)|false|nil gets the records in place of stderr, may suspend; false: none does

---Changes how this thread logs; what is not given stays as it is. With a sink or as JSON, Momo's reports of failed
---tasks are records, too.
---@param options momo.log.Options
function M.configure(options)
  check.argument(type(options) == "table", "log.configure: argument 1 must be a table of options", options)
  check.options(options, { level = "string", format = "string", sink = "any" }, "log.configure")
  check.argument(options.level == nil or LEVELS[options.level],
    'log.configure: option level must be "debug", "info", "warn", "error" or "off"', options.level)
  check.argument(options.format == nil or FORMATS[options.format],
    'log.configure: option format must be "text" or "json"', options.format)
  check.argument(not options.sink or type(options.sink) == "function",
    "log.configure: option sink must be a function, or false", options.sink)
  from = options.level and LEVELS[options.level] or from
  format = options.format or format
  if options.sink ~= nil then
    sink = options.sink or nil
  end
end

---How many lines this process has dropped, as nobody has read those before.
---@return integer lines
function M.dropped()
  return native.log_dropped()
end

return names.module(M, "momo.log")
