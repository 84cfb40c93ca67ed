/* SPDX-License-Identifier: MIT
 *
 * Pipes, and the standard streams of the process.
 */
#pragma once
#include "net/stream.h"

int pipe_open(executor *, io **reader, io **writer);
/* Descriptor 0, 1 or 2 as a stream, which has a descriptor of its own. Whoever shares the other one finds it as it was:
 * it does not become non-blocking. */
int pipe_open_standard(executor *, int number, io **);
