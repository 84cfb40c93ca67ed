/* SPDX-License-Identifier: MIT
 *
 * The declarations of momo.h, as LuaJIT's ffi.cdef reads them: what every program needs, and what is declared where it is first
 * asked for.
 */
#pragma once

extern const char momo_header_first[] __attribute__((visibility("hidden")));
extern const char momo_header_later[] __attribute__((visibility("hidden")));
