/* SPDX-License-Identifier: MIT
 *
 * Watchers of files as Lua sees them: a userdata that is a queue, in which those that wait for changes wait.
 */
#include "fs/notify.h"

#include <string.h>
#include <sys/inotify.h>

#include "loop/queue.h"
#include "binding/runtime.h"

typedef struct handle {
    queue changes;  /* first: Lua's park and select take it for one */
    notify *notify; /* NULL: closed */
} handle;

/* __gc, and close */
static int collect(lua_State *L) {
    handle *h = lua_touserdata(L, 1);
    if (h->notify && !runtime_of(L)->executor.closed) {
        notify_close(h->notify);
        task_wake_all(&h->changes.waiters, WAKE_NONE);
    }
    h->notify = NULL;
    return 0;
}

static const metatable notify_metatable = {.name = "momo.notify", .collect = collect};

static void on_change(notify *n) {
    task_wake_all(&((handle *)n->user)->changes.waiters, WAKE_NONE);
}

/* notify_open() -> watcher | nil, err, code */
static int open_watcher(lua_State *L) {
    handle *h = push_object(L, sizeof *h, &notify_metatable);
    list_init(&h->changes.waiters);
    h->changes.operation = "recv";
    h->changes.keepalive = true;
    int status = notify_open(open_executor(L), &h->notify);
    if (status < 0) {
        return push_failure(L, status);
    }
    h->notify->on_change = on_change;
    h->notify->user = h;
    return 1;
}

/* notify_add(watcher, path) -> number | nil, err, code */
static int add_path(lua_State *L) {
    const handle *h = lua_touserdata(L, 1);
    int number = h->notify ? notify_add(h->notify, lua_tostring(L, 2)) : UV_EBADF;
    if (number < 0) {
        return push_failure(L, number);
    }
    lua_pushinteger(L, number);
    return 1;
}

static const char *kind_of(uint32_t mask) {
    return mask & IN_Q_OVERFLOW                     ? "overflow"
           : mask & (IN_CREATE | IN_MOVED_TO)       ? "create"
           : mask & (IN_DELETE | IN_MOVED_FROM)     ? "remove"
           : mask & (IN_DELETE_SELF | IN_MOVE_SELF) ? "gone"
           : mask & IN_MODIFY                       ? "modify"
           : mask & IN_ATTRIB                       ? "attributes"
                                                    : "ignored";
}

/* notify_read(watcher, list, n) -> n: how many values the list has now: number, kind, name or false, whether it's a folder, of
 * each event | nil, err, code: EAGAIN where there are none */
static int read_events(lua_State *L) {
    const handle *h = lua_touserdata(L, 1);
    int n = (int)lua_tointeger(L, 3);
    char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    ssize_t size = h->notify ? notify_read(h->notify, events, sizeof events) : UV_EBADF;
    if (size < 0) {
        return push_failure(L, (int)size);
    }
    for (const char *at = events; at < events + size;) {
        const struct inotify_event *event = (const struct inotify_event *)at;
        lua_pushinteger(L, event->wd);
        lua_rawseti(L, 2, ++n);
        lua_pushstring(L, kind_of(event->mask));
        lua_rawseti(L, 2, ++n);
        if (event->len) {
            lua_pushstring(L, event->name);
        } else {
            lua_pushboolean(L, 0);
        }
        lua_rawseti(L, 2, ++n);
        lua_pushboolean(L, (event->mask & IN_ISDIR) != 0);
        lua_rawseti(L, 2, ++n);
        at += sizeof *event + event->len;
    }
    lua_pushinteger(L, n);
    return 1;
}

static const metatable *const metatables[] = {&notify_metatable, NULL};
static const function functions[] = {
    {"notify_open", open_watcher},
    {"notify_add", add_path},
    {"notify_read", read_events},
    {"notify_close", collect},
    {NULL, NULL},
};
const module notify_module = {.functions = functions, .metatables = metatables};
