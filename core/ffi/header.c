/* SPDX-License-Identifier: MIT
 *
 * The text of momo.h, embedded.
 */
#include "ffi/header.h"

#define EMBEDDED(name, part)                          \
    __asm__(".section .rodata\n"                      \
            ".global " #name "\n"                     \
            ".hidden " #name "\n" #name ":\n"         \
            ".incbin \"" MOMO_HEADER_PATH part "\"\n" \
            ".byte 0\n"                               \
            ".previous\n")

EMBEDDED(momo_header_first, "/first");
EMBEDDED(momo_header_later, "/later");
