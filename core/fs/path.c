/* SPDX-License-Identifier: MIT
 *
 * Calls on paths: see file.h.
 */
#include "fs/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fs/beneath.h"

enum { DEPTH_MAX = 512 /* folders within folders that remove goes into */ };

/* openat2(2); -1 and ENOSYS where the kernel or a sandbox has it not. */
static int open_how(int folder, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve) {
    struct open_how how = {.flags = flags, .mode = mode, .resolve = resolve};
    return (int)syscall(SYS_openat2, folder, path, &how, sizeof how);
}

/* ---- opening ---- */

static ssize_t run_open(file_call *c) {
    int fd = open(c->path, c->flags | O_CLOEXEC, c->mode);
    return fd < 0 ? file_error() : fd;
}

/* Beneath the folder `path`, `other`: no link and no dots lead out of it. */
static ssize_t run_beneath(file_call *c) {
    int folder = open(c->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) {
        return file_error();
    }
    uint64_t mode = c->flags & O_CREAT ? c->mode : 0;
    int fd =
        open_how(folder, c->other, (uint64_t)(c->flags | O_CLOEXEC), mode, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);
    ssize_t result = fd < 0 ? file_error() : fd;
    close(folder);
    return result;
}

/* The same, of a regular file that is to be read; path: NULL: wherever it lies. */
static ssize_t run_regular(file_call *c) {
    return beneath_open(c->path, c->other, false, &c->status);
}

/* A temporary file or folder at `path`, which ends in XXXXXX; its name is then in bytes. flags: a folder. */
static ssize_t run_temporary(file_call *c) {
    c->bytes = strdup(c->path);
    if (!c->bytes) {
        return UV_ENOMEM;
    }
    c->size = strlen(c->bytes);
    if (c->flags) {
        return mkdtemp(c->bytes) ? 0 : file_error();
    }
    int fd = mkostemp(c->bytes, O_CLOEXEC);
    return fd < 0 ? file_error() : fd;
}

/* ---- what lies there ---- */

static ssize_t run_stat(file_call *c) {
    return file_status(c->flags ? lstat(c->path, &c->status) : stat(c->path, &c->status));
}

/* Only where the path is in the kernel's cache: a descriptor, UV_EAGAIN, or how it fails. */
static int open_cached(const char *path, int flags) {
    int fd = open_how(AT_FDCWD, path, (uint64_t)(flags | O_CLOEXEC), 0, RESOLVE_CACHED);
    if (fd >= 0) {
        return fd;
    }
    return errno == ENOENT || errno == ENOTDIR || errno == EACCES || errno == ELOOP ? (int)file_error() : UV_EAGAIN;
}

int file_open_now(const char *path) {
    return open_cached(path, O_RDONLY | O_NOCTTY | O_NONBLOCK);
}

ssize_t file_stat_now(file_call *c) {
    int fd = open_cached(c->path, O_PATH | (c->flags ? O_NOFOLLOW : 0));
    if (fd < 0) {
        return fd;
    }
    ssize_t result = file_status(fstat(fd, &c->status));
    close(fd);
    return result;
}

static char kind_of(const struct dirent *entry) {
    switch (entry->d_type) {
    case DT_REG: return 'f';
    case DT_DIR: return 'd';
    case DT_LNK: return 'l';
    case DT_FIFO: return 'p';
    case DT_SOCK: return 's';
    case DT_CHR: return 'c';
    case DT_BLK: return 'b';
    default: return '?';
    }
}

static char kind_at(int folder, const char *name) {
    struct stat status;
    struct dirent entry = {.d_type = DT_UNKNOWN};
    if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0) {
        entry.d_type = (unsigned char)IFTODT(status.st_mode);
    }
    return kind_of(&entry);
}

static bool is_dots(const char *name) {
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Each entry as its kind, its name and a zero byte. */
static ssize_t run_list(file_call *c) {
    DIR *folder = opendir(c->path);
    if (!folder) {
        return file_error();
    }
    size_t capacity = 0;
    ssize_t result = 0;
    struct dirent *entry;
    while (errno = 0, result == 0 && (entry = readdir(folder))) {
        size_t length = strlen(entry->d_name) + 2;
        if (is_dots(entry->d_name)) {
            continue;
        }
        if (c->size + length > capacity) {
            capacity = 2 * capacity + 4096;
            result = file_call_reserve(c, capacity);
        }
        if (result == 0) {
            char kind = kind_of(entry);
            c->bytes[c->size] = kind == '?' ? kind_at(dirfd(folder), entry->d_name) : kind;
            memcpy(c->bytes + c->size + 1, entry->d_name, length - 1);
            c->size += length;
        }
    }
    if (result == 0 && errno) {
        result = file_error();
    }
    closedir(folder);
    return result;
}

static ssize_t run_readlink(file_call *c) {
    ssize_t n = file_call_reserve(c, PATH_MAX);
    if (n == 0) {
        n = readlink(c->path, c->bytes, PATH_MAX);
        c->size = n > 0 ? (size_t)n : 0;
    }
    return n < 0 ? file_error() : n;
}

static ssize_t run_realpath(file_call *c) {
    c->bytes = realpath(c->path, NULL);
    if (!c->bytes) {
        return file_error();
    }
    c->size = strlen(c->bytes);
    return 0;
}

/* ---- changing it ---- */

static ssize_t make_folder(const char *path, mode_t mode, bool may_exist) {
    struct stat status;
    if (mkdir(path, mode) == 0) {
        return 0;
    }
    int error = errno;
    bool is_there = may_exist && error == EEXIST && stat(path, &status) == 0 && S_ISDIR(status.st_mode);
    return is_there ? 0 : uv_translate_sys_error(error);
}

/* flags: with its parents. */
static ssize_t run_mkdir(file_call *c) {
    for (char *slash = c->path + 1; c->flags && (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        ssize_t status = make_folder(c->path, 0777, true);
        *slash = '/';
        if (status < 0 && status != UV_EEXIST) {
            return status;
        }
    }
    return make_folder(c->path, c->mode, c->flags);
}

/* By descriptors, so that a link that takes a folder's place meanwhile leads nowhere. */
static ssize_t remove_at(int parent, const char *name, int depth) {
    if (unlinkat(parent, name, 0) == 0) {
        return 0;
    }
    if (errno != EISDIR && errno != EPERM) {
        return file_error();
    }
    int fd = depth < DEPTH_MAX ? openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    if (!folder) {
        ssize_t error = depth < DEPTH_MAX ? file_error() : UV_ENAMETOOLONG;
        if (fd >= 0) {
            close(fd);
        }
        return error;
    }
    ssize_t result = 0;
    struct dirent *entry;
    while (errno = 0, result == 0 && (entry = readdir(folder))) {
        if (!is_dots(entry->d_name)) {
            ssize_t status = remove_at(fd, entry->d_name, depth + 1);
            result = status == UV_ENOENT ? 0 : status; /* somebody else has removed it meanwhile */
        }
    }
    closedir(folder);
    return result < 0 ? result : file_status(unlinkat(parent, name, AT_REMOVEDIR));
}

/* flags: with what is in it. */
static ssize_t run_remove(file_call *c) {
    return c->flags ? remove_at(AT_FDCWD, c->path, 0) : file_status(remove(c->path));
}

static ssize_t run_rename(file_call *c) {
    return file_status(rename(c->path, c->other));
}

/* flags: a symbolic one. */
static ssize_t run_link(file_call *c) {
    return file_status(c->flags ? symlink(c->path, c->other) : link(c->path, c->other));
}

static ssize_t run_chmod(file_call *c) {
    return file_status(chmod(c->path, c->mode));
}

static struct timespec timespec_of(double seconds) {
    int64_t whole = (int64_t)seconds - (seconds < (double)(int64_t)seconds);
    return (struct timespec){.tv_sec = whole, .tv_nsec = (long)((seconds - (double)whole) * 1e9)};
}

static ssize_t run_utimes(file_call *c) {
    const struct timespec times[2] = {timespec_of(c->times[0]), timespec_of(c->times[1])};
    return file_status(utimensat(AT_FDCWD, c->path, times, 0));
}

const file_operation path_operations[] = {
    {"open", FILE_OPENED, run_open, NULL},        {"beneath", FILE_OPENED, run_beneath, NULL},
    {"regular", FILE_REGULAR, run_regular, NULL}, {"tempfile", FILE_OPENED, run_temporary, NULL},
    {"tempdir", FILE_BYTES, run_temporary, NULL}, {"stat", FILE_STATUS, run_stat, file_stat_now},
    {"list", FILE_BYTES, run_list, NULL},         {"readlink", FILE_BYTES, run_readlink, NULL},
    {"realpath", FILE_BYTES, run_realpath, NULL}, {"mkdir", FILE_DONE, run_mkdir, NULL},
    {"remove", FILE_DONE, run_remove, NULL},      {"rename", FILE_DONE, run_rename, NULL},
    {"link", FILE_DONE, run_link, NULL},          {"chmod", FILE_DONE, run_chmod, NULL},
    {"utimes", FILE_DONE, run_utimes, NULL},      {NULL, FILE_DONE, NULL, NULL},
};
