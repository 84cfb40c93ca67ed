/* SPDX-License-Identifier: MIT
 *
 * Content codings, such as gzip, as Lua modules: momo.coding.gzip, and so on. Each is a shared object of its own, so that
 * a program needs a library only when it uses the coding.
 *
 * A coding is its two directions. Neither holds more than the library's own state: input lies in the caller's string, and
 * output goes where the caller says.
 */
#pragma once
#include <lauxlib.h>
#include <stddef.h>
#include <stdint.h>

typedef struct pieces {
    const uint8_t *in;
    size_t in_left;
    uint8_t *out;
    size_t out_left;
} pieces;

enum operation { OPERATION_PROCESS, OPERATION_FLUSH, OPERATION_FINISH };
enum progress {
    PROGRESS_FAILED = -1,
    PROGRESS_MORE, /* call again, with room for output, or with input */
    PROGRESS_DONE, /* encoder: the operation is complete; decoder: the coded data has ended */
};

typedef struct coding {
    const char *encoder, *decoder;   /* names of metatables */
    void *(*encoder_new)(int level); /* NULL: no memory */
    int (*encode)(void *, pieces *, enum operation);
    void (*encoder_free)(void *);
    void *(*decoder_new)(void);
    int (*decode)(void *, pieces *);
    void (*decoder_free)(void *);
    int level; /* unless said otherwise */
} coding;

/* The module's luaopen function: pushes { encoder = ..., decoder = ... }. */
int coding_open(lua_State *, const coding *);

#define CODING_EXPORT __attribute__((visibility("default")))
