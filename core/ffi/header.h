/* SPDX-License-Identifier: MIT
 *
 * The text of momo.h, as LuaJIT's ffi.cdef reads it.
 */
#pragma once

extern const char momo_header[] __attribute__((visibility("hidden")));
