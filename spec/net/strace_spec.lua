-- Every system call that a session of echo makes fails, with each errno that its manual page names, at the 1st, 2nd and
-- 10th call: from the start of the process, and from the start of the session (spec/support/strace_session.lua).

local support = require "spec.support"

if (os.getenv "MOMO_SANITIZE" or "") ~= "" then -- which strace would disturb
  return
end

local AT_ONCE = 4
local ALL = 16 -- connections of a session
local NOISE_BYTES = 64 -- what malloc counts now more, now less

local SESSION = os.getenv "MOMO_SOURCE_DIR" .. "/spec/support/strace_session.lua"

-- What the manual pages (section 2) name. A call that is not here is a failure of this spec.
local ERRNOS = {
  accept4 = [[EAGAIN EBADF ECONNABORTED EFAULT EINTR EINVAL EMFILE ENFILE ENOBUFS ENOMEM ENOTSOCK EOPNOTSUPP EPERM
    EPROTO ENOSR ESOCKTNOSUPPORT EPROTONOSUPPORT ETIMEDOUT]],
  access = "EACCES EBADF EFAULT EINVAL EIO ELOOP ENAMETOOLONG ENOENT ENOMEM ENOTDIR EPERM EROFS ETXTBSY",
  arch_prctl = "EFAULT EINVAL ENODEV EPERM",
  bind = [[EACCES EADDRINUSE EBADF EINVAL ENOTSOCK EADDRNOTAVAIL EFAULT ELOOP ENAMETOOLONG ENOENT ENOMEM ENOTDIR
    EROFS]],
  brk = "ENOMEM",
  clone3 = "EAGAIN EINVAL ENOMEM EPERM",
  close = "EBADF EINTR EIO ENOSPC EDQUOT",
  connect = [[EACCES EPERM EADDRINUSE EADDRNOTAVAIL EAFNOSUPPORT EAGAIN EALREADY EBADF ECONNREFUSED EFAULT EINPROGRESS
    EINTR EISCONN ENETUNREACH ENOTSOCK EPROTOTYPE ETIMEDOUT]],
  epoll_create1 = "EINVAL EMFILE ENFILE ENOMEM",
  epoll_ctl = "EBADF EEXIST EINVAL ELOOP ENOENT ENOMEM ENOSPC EPERM",
  epoll_wait = "EBADF EFAULT EINTR EINVAL",
  eventfd2 = "EINVAL EMFILE ENFILE ENODEV ENOMEM",
  fcntl = "EACCES EAGAIN EBADF EBUSY EDEADLK EFAULT EINTR EINVAL EMFILE ENOLCK ENOTDIR EPERM",
  futex = "EACCES EAGAIN EDEADLK EFAULT EINTR EINVAL ENFILE ENOMEM ENOSYS EPERM ESRCH ETIMEDOUT",
  getrandom = "EAGAIN EFAULT EINTR EINVAL ENOSYS",
  getsockname = "EBADF EFAULT EINVAL ENOBUFS ENOTSOCK",
  getsockopt = "EBADF EFAULT EINVAL ENOPROTOOPT ENOTSOCK",
  io_uring_enter = "EAGAIN EBADF EBUSY EEXIST EFAULT EINTR EINVAL ENXIO EOPNOTSUPP",
  io_uring_register = "EBADF EEXIST EFAULT EINVAL ENOMEM EOPNOTSUPP",
  io_uring_setup = "EFAULT EINVAL EMFILE ENFILE ENOMEM ENOSYS EPERM",
  listen = "EADDRINUSE EBADF ENOTSOCK EOPNOTSUPP",
  madvise = "EACCES EAGAIN EBADF EINVAL EIO ENOMEM EPERM",
  mmap = "EACCES EAGAIN EBADF EEXIST EINVAL ENFILE ENODEV ENOMEM EOVERFLOW EPERM ETXTBSY",
  mprotect = "EACCES EINVAL ENOMEM",
  munmap = "EINVAL ENOMEM",
  newfstatat = "EACCES EBADF EFAULT EINVAL ELOOP ENAMETOOLONG ENOENT ENOMEM ENOTDIR EOVERFLOW",
  openat = [[EACCES EBADF EBUSY EDQUOT EEXIST EFAULT EFBIG EINTR EINVAL EISDIR ELOOP EMFILE ENAMETOOLONG ENFILE ENODEV
    ENOENT ENOMEM ENOSPC ENOTDIR ENXIO EOPNOTSUPP EOVERFLOW EPERM EROFS ETXTBSY EAGAIN]],
  pipe2 = "EFAULT EINVAL EMFILE ENFILE ENOPKG",
  poll = "EFAULT EINTR EINVAL ENOMEM",
  pread64 = "EAGAIN EBADF EFAULT EINTR EINVAL EIO EISDIR ENXIO EOVERFLOW ESPIPE",
  prctl = "EFAULT EINVAL",
  prlimit64 = "EFAULT EINVAL EPERM ESRCH",
  read = "EAGAIN EBADF EFAULT EINTR EINVAL EIO EISDIR",
  readlink = "EACCES EFAULT EINVAL EIO ELOOP ENAMETOOLONG ENOENT ENOMEM ENOTDIR",
  recvfrom = "EAGAIN EBADF ECONNREFUSED EFAULT EINTR EINVAL ENOMEM ENOTCONN ENOTSOCK",
  rseq = "EINVAL",
  rt_sigaction = "EFAULT EINVAL",
  rt_sigprocmask = "EFAULT EINVAL",
  sched_getaffinity = "EFAULT EINVAL ESRCH",
  sendto = [[EACCES EAGAIN EALREADY EBADF ECONNRESET EDESTADDRREQ EFAULT EINTR EINVAL EISCONN EMSGSIZE ENOBUFS ENOMEM
    ENOTCONN ENOTSOCK EOPNOTSUPP EPIPE]],
  set_robust_list = "EINVAL",
  setsockopt = "EBADF EFAULT EINVAL ENOPROTOOPT ENOTSOCK",
  socket = "EACCES EAFNOSUPPORT EINVAL EMFILE ENFILE ENOBUFS ENOMEM EPROTONOSUPPORT",
  write = "EAGAIN EBADF EDESTADDRREQ EDQUOT EFAULT EFBIG EINTR EINVAL EIO ENOSPC EPERM EPIPE",
}

-- What can't fail, by its manual page.
local NEVER_FAIL = {
  execve = true, exit_group = true, getpid = true, getppid = true, gettid = true, set_tid_address = true,
}

-- Where others end the process without saying why, or at all: the status, and the reason.
local EXCEPTIONS = {
  ["start epoll_wait"] = { 134, "libuv aborts" },
  ["start futex"] = { 134, "glibc aborts" },
  ["start mmap"] = { 139, "the dynamic loader crashes" },
  ["start read"] = { 134, "libuv aborts, since it can't lock its table of signals" },
  ["start rt_sigprocmask"] = { 134, "libuv aborts" },
  ["start write"] = { 134, "libuv aborts, since it can't lock its table of signals" },
  ["session mprotect"] = { 1, "LuaJIT ends the process when it may not make code executable" },
}

-- How often each system call is made: before the session, the part of it before the program, and in the session.
local function count_calls()
  local log = support.tmpfile ""
  local status, _, err = support.shell(("exec strace -f -o %s %s %s"):format(log, support.quote(os.getenv "MOMO_BIN"),
    SESSION))
  assert.same({ 0, "" }, { status, err })
  local before, start, session = {}, nil, {}
  local counts = before
  for line in io.lines(log) do
    local call = line:match "^%d+ +([%w_]+)%("
    if call ~= "getppid" then
      counts[call or ""] = (counts[call or ""] or 0) + 1
    elseif not start then
      start = {}
      for name, count in pairs(before) do
        start[name] = count
      end
    elseif counts == session then
      break
    else
      counts = session
    end
  end
  before[""], start[""], session[""] = nil, nil, nil -- signals and ends
  return before, start, session
end

-- Appends the cases of one stage; `when` counts from the beginning of the process.
local function add_cases(cases, stage, counts, before)
  for call, count in pairs(counts) do
    if not NEVER_FAIL[call] then
      for errno in assert(ERRNOS[call], call .. " is not in the table"):gmatch "%S+" do
        for _, n in ipairs { 1, 2, 10 } do
          if n <= count then
            cases[#cases + 1] = { stage = stage, call = call, errno = errno, n = n, when = n + (before[call] or 0) }
          end
        end
      end
    end
  end
end

-- Runs them, several at a time; each gets its status and what it wrote.
local function run_all(cases)
  local folder = os.tmpname()
  os.remove(folder)
  local jobs = {}
  for i, case in ipairs(cases) do
    jobs[i] = ("%d %s %s %d\n"):format(i, case.call, case.errno, case.when)
  end
  local script = support.tmpfile(([[
    cd %s
    timeout -s KILL 60 strace -f --seccomp-bpf -o /dev/null -e trace=$2 -e inject=$2:error=$3:when=$4 %s %s \
      >$1.out 2>$1.err </dev/null
    echo $? >$1.status
  ]]):format(folder, support.quote(os.getenv "MOMO_BIN"), support.quote(SESSION)))
  local status, _, err = support.shell(("mkdir %s && xargs -P %d -L 1 sh %s 2>&1 <%s"):format(folder, AT_ONCE, script,
    support.tmpfile(table.concat(jobs))))
  assert.same({ 0, "" }, { status, err })
  for i, case in ipairs(cases) do
    for _, what in ipairs { "out", "err", "status" } do
      local path = ("%s/%d.%s"):format(folder, i, what)
      local file = assert(io.open(path))
      case[what] = file:read "*a"
      file:close()
      os.remove(path)
    end
    case.status = tonumber(case.status)
  end
  os.remove(folder)
end

-- What is wrong with what came of a case, if anything.
local function problem_of(case)
  case.err = case.err:gsub("VM handler failed: not enough memory\n", "") -- LuaJIT can't say what it has compiled
  case.err = case.err:gsub("momo: the system refuses the poller ring, so it is epoll: [^\n]*\n", "")
  local exception = EXCEPTIONS[case.stage .. " " .. case.call]
  if exception and case.status == exception[1] then
    return nil
  elseif case.call == "epoll_wait" and case.status == 134 and case.out ~= "" then
    return nil -- the session made fewer calls this time, and the one that fails is libuv's, which aborts, at the end
  elseif case.stage == "start" and case.status ~= 0 then
    return (case.status >= 128 or case.err == "") and "no clear end" or nil
  elseif case.status ~= 0 or case.err ~= "" then
    return "it has ended"
  end
  local served, descriptors, bytes = case.out:match "^(%d+)\t(%-?%d+)\t(%-?%d+)\n$"
  local passes = case.stage == "start" or case.errno == "EINTR" and case.call ~= "connect"
    or case.errno == "EAGAIN" and case.call ~= "connect" and case.call ~= "recvfrom" -- which may have had the bytes
  if not served or tonumber(served) < (passes and ALL or ALL - 1) then
    return "connections were not served"
  elseif tonumber(descriptors) ~= (case.stage == "session" and case.call == "close" and 1 or 0) then -- not even tried
    return "descriptors are left"
  elseif tonumber(bytes) > NOISE_BYTES then
    return "memory is left"
  end
end

describe("system calls that fail", function()
  it("leave the process alive, end one connection at most, and leave nothing; at the start they may end it", function()
    local before, start, session = count_calls()
    local cases, problems = {}, {}
    add_cases(cases, "start", start, {})
    add_cases(cases, "session", session, before)
    run_all(cases)
    for _, case in ipairs(cases) do
      local problem = problem_of(case)
      if problem then
        problems[#problems + 1] = ("%s %s %s at call %d: %s: status %d, %s%s"):format(case.stage, case.call, case.errno,
          case.n, problem, case.status, case.out, case.err)
      end
    end
    assert.equal("", table.concat(problems, "\n"))
  end)

  it("for want of descriptors at the start are told", function()
    local status
    for limit = 3, 20 do
      local _, err
      status, _, err = support.shell(("ulimit -n %d; exec %s -e 'os.exit(0)'"):format(limit,
        support.quote(os.getenv "MOMO_BIN")))
      assert.is_true(status == 0 or (status < 128 and err ~= ""), limit .. ": " .. status)
    end
    assert.equal(0, status)
  end)
end)
