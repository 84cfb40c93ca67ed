rockspec_format = "3.0"
package = "momo"
version = "scm-1"
source = { url = "git+file://." } -- `luarocks make` builds the checkout that it stands in
description = {
    summary = "An asynchronous runtime for LuaJIT with a C core on libuv",
    detailed = "Network services in plain sequential Lua: thousands of tasks on a thread, one pinned executor a core.",
    license = "MIT",
}
supported_platforms = { "linux" }
dependencies = { "lua == 5.1" } -- LuaJIT counts as 5.1; momo itself checks that it runs on LuaJIT
external_dependencies = { UV = { header = "uv.h", library = "uv" } }
build = {
    type = "cmake",
    copy_directories = { "examples" },
    variables = {
        CMAKE_BUILD_TYPE = "Release",
        LUADIR = "$(LUADIR)",
        LIBDIR = "$(LIBDIR)",
        BINDIR = "$(BINDIR)",
        MANDIR = "$(PREFIX)/../../../../../share/man", -- the tree's, where man looks beside bin
        LUA_INCDIR = "$(LUA_INCDIR)",
        LUA_LIBDIR = "$(LUA_LIBDIR)",
        UV_INCDIR = "$(UV_INCDIR)",
        UV_LIBDIR = "$(UV_LIBDIR)",
    },
}
