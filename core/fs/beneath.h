/* SPDX-License-Identifier: MIT
 *
 * Opening files for strangers: what lies beneath a folder, wherever their paths and the links on them lead.
 */
#pragma once
#include <stdbool.h>
#include <sys/stat.h>

/* Opens a regular file for reading: its descriptor, or UV_EISDIR, UV_ENOENT (also for what is no file: a pipe, a device),
 * UV_EXDEV (it lies elsewhere), or what the system says. root: NULL: wherever it lies. It waits for a disk, and for
 * nothing else; at_once: not even for that, UV_EAGAIN: it would have to. */
int beneath_open(const char *root, const char *path, bool at_once, struct stat *);
