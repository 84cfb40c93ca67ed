/* SPDX-License-Identifier: MIT
 *
 * What is told from outside of a state: see inside.c.
 */
#pragma once
#include "binding/runtime.h"

void inside_init(runtime *);
