/* SPDX-License-Identifier: MIT
 *
 * A regular file beneath a stream: read from an offset of its own, and only what is in memory.
 *
 *   read, splice --RWF_NOWAIT--> it is in memory: taken
 *                         '----> UV_EAGAIN; a thread of the files' pool reads ahead --mail--> wakes who waits
 *
 * So a disk that is slow holds up who reads it, and nobody else.
 */
#pragma once
#include "fs/file.h"
#include "net/stream.h"

/* A stream that reads the file from `offset` on; it keeps the file open by itself. It can't be written. */
int disk_open(executor *, file *, int64_t offset, io **);
