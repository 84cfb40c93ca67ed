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

/* "momo/net/stream.lua" -> "momo.net.stream" */
static void make_name(char *path) {
    path[strlen(path) - strlen(".lua")] = '\0';
    for (char *slash; (slash = strchr(path, '/'));) {
        *slash = '.';
    }
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
static int compile(lua_State *L, code *index, code *entries, const char *folder, char *path) {
    code c = {NULL, 0};
    lua_pushfstring(L, "%s/%s", folder, path);
    size_t rest = 0;
    if (luaL_loadfile(L, lua_tostring(L, -1)) == 0 && lua_dump(L, append, &c) == 0) {
        rest = find_rest(&c);
    }
    int status = 1;
    if (rest) {
        make_name(path);
        embedded_entry e = {embedded_hash(path), (uint32_t)entries->size, (uint32_t)(c.size - rest)};
        status = append(L, &e, sizeof e, index) || append(L, path, strlen(path) + 1, entries) ||
                 append(L, c.bytes, BYTECODE_HEAD, entries) || append(L, c.bytes + rest, e.size, entries);
    } else {
        fprintf(stderr, "embed: %s is no bytecode that is known: %s\n", path, lua_tostring(L, -1));
    }
    free(c.bytes);
    lua_settop(L, 0);
    return status;
}

int main(int argc, char **argv) {
    lua_State *L = luaL_newstate();
    FILE *out = argc > 2 ? fopen(argv[1], "wb") : NULL;
    if (!L || !out) {
        perror("embed");
        return 1;
    }
    code index = {NULL, 0}, entries = {NULL, 0};
    int status = 0;
    for (int i = 3; i < argc && status == 0; i++) {
        status = compile(L, &index, &entries, argv[2], argv[i]);
    }
    uint32_t count = (uint32_t)(index.size / sizeof(embedded_entry));
    fwrite(&count, sizeof count, 1, out);
    fwrite(index.bytes, 1, index.size, out);
    fwrite(entries.bytes, 1, entries.size, out);
    free(index.bytes);
    free(entries.bytes);
    lua_close(L);
    return fclose(out) == 0 ? status : 1;
}
