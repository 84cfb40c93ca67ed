/* SPDX-License-Identifier: MIT
 *
 * The statuses of HTTP, as RFC 9110 and its registry name them.
 */
#pragma once

/* "" for one that has no name. */
const char *http_status_reason(int status);
