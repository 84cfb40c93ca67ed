/* SPDX-License-Identifier: MIT
 *
 * The text of momo.h, embedded.
 */
#include "ffi/header.h"

__asm__(".section .rodata\n"
        ".global momo_header\n"
        ".hidden momo_header\n"
        "momo_header:\n"
        ".incbin \"" MOMO_HEADER_PATH "\"\n"
        ".byte 0\n"
        ".previous\n");
