/* SPDX-License-Identifier: MIT
 *
 * The options of sockets, in a table of their names, which are those of the manual pages. What an option's value is, its kind
 * says (enum momo_option_kind).
 */
#pragma once
#include "loop/io.h"

/* The i-th option, from 0; NULL: there are no more. */
const char *option_name(int i, int *kind);
/* The value is a number, or for MOMO_TEXT a text. */
int option_set(io *, int i, double value, const char *text);
/* A text's length, or 0; or negative. */
int option_get(const io *, int i, double *value, char *text, size_t size);
