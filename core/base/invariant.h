/* SPDX-License-Identifier: MIT
 *
 * What must always hold, in a function that verifies it: it returns 0, or the line of the condition that does not.
 */
#pragma once

#define INVARIANT(condition) \
    do {                     \
        if (!(condition)) {  \
            return __LINE__; \
        }                    \
    } while (0)
