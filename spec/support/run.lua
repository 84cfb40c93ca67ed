-- Runs busted on the spec files given, under the luajit that runs this file; ctest calls it for one file at a time.

-- A sanitizer's library was preloaded for this process. The programs that a spec starts (sh, nc) do without it.
local ffi = require "ffi"
ffi.cdef "int unsetenv(const char *name);"
ffi.C.unsetenv("LD_PRELOAD")

table.insert(arg, 1, "--ignore-lua") -- .busted names luajit, and busted would start another one
require "busted.runner" { standalone = false }
