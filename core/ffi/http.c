/* SPDX-License-Identifier: MIT
 *
 * The FFI API of HTTP: see base/http_field.h.
 */
#include "base/http_field.h"
#include "include/momo.h"

int momo_http_field(const char *head, size_t size, size_t fields, const char *name, size_t length, int span[2]) {
    uint32_t at = fields ? (uint32_t)fields : http_fields_begin(head, size), end = (uint32_t)size - 2;
    http_field found, further;
    if (!http_field_find(head, end, &at, name, length, &found)) {
        return 0;
    }
    span[0] = (int)found.value.at + 1;
    span[1] = (int)(found.value.at + found.value.length);
    return http_field_find(head, end, &at, name, length, &further) ? 2 : 1;
}
