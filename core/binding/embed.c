/* SPDX-License-Identifier: MIT
 *
 * A step of the build: compiles Momo's Lua modules, for embedded.c. embed OUTPUT FOLDER FILE...; the files are below the
 * folder, and their paths are the modules' names.
 */
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "binding/embedded.h"

typedef struct code {
    char *bytes;
    size_t size;
} code;

static int append(lua_State *L, const void *bytes, size_t size, void *user) {
    (void)L;
    code *c = user;
    char *grown = realloc(c->bytes, c->size + size);
    if (!grown) {
        return 1;
    }
    memcpy(grown + c->size, bytes, size);
    c->bytes = grown;
    c->size += size;
    return 0;
}

static void write_name(FILE *out, const char *path) {
    size_t length = strlen(path) - strlen(".lua");
    for (size_t i = 0; i < length; i++) {
        putc(path[i] == '/' ? '.' : path[i], out);
    }
    putc('\0', out);
}

/* Where the chunk's name ends, which stands behind the head as its length, seven bits a byte, and its bytes; or 0. */
static size_t find_rest(const code *c) {
    size_t length = 0, at = BYTECODE_HEAD;
    if (c->size <= at || (unsigned char)c->bytes[at - 1] > 0x7f) {
        return 0;
    }
    for (unsigned shift = 0, more = 1; more && at < c->size; shift += 7) {
        unsigned byte = (unsigned char)c->bytes[at++];
        length |= (size_t)(byte & 0x7f) << shift;
        more = byte & 0x80;
    }
    return at + length < c->size ? at + length : 0;
}

/* Without the chunk's name, which depends on where the module is found. */
static int compile(lua_State *L, FILE *out, const char *folder, const char *path) {
    code c = {NULL, 0};
    lua_pushfstring(L, "%s/%s", folder, path);
    size_t rest = 0;
    if (luaL_loadfile(L, lua_tostring(L, -1)) == 0 && lua_dump(L, append, &c) == 0) {
        rest = find_rest(&c);
    }
    if (rest) {
        uint32_t size = (uint32_t)(c.size - rest);
        write_name(out, path);
        fwrite(&size, sizeof size, 1, out);
        fwrite(c.bytes, 1, BYTECODE_HEAD, out);
        fwrite(c.bytes + rest, 1, size, out);
    } else {
        fprintf(stderr, "embed: %s is no bytecode that is known: %s\n", path, lua_tostring(L, -1));
    }
    free(c.bytes);
    lua_settop(L, 0);
    return !rest;
}

int main(int argc, char **argv) {
    lua_State *L = luaL_newstate();
    FILE *out = argc > 2 ? fopen(argv[1], "wb") : NULL;
    if (!L || !out) {
        perror("embed");
        return 1;
    }
    int status = 0;
    for (int i = 3; i < argc && status == 0; i++) {
        status = compile(L, out, argv[2], argv[i]);
    }
    lua_close(L);
    return fclose(out) == 0 ? status : 1;
}
