/* SPDX-License-Identifier: MIT
 *
 * Threads of the process's own: see background.h.
 */
#include "loop/background.h"

#include <pthread.h>
#include <signal.h>
#include <uv.h>

int background_start(void *(*run)(void *), size_t stack_bytes) {
    sigset_t all, before;
    pthread_attr_t attributes;
    pthread_t thread;
    sigfillset(&all);
    int error = pthread_attr_init(&attributes);
    if (error == 0) {
        pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        pthread_attr_setstacksize(&attributes, stack_bytes);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        error = pthread_create(&thread, &attributes, run, NULL);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        pthread_attr_destroy(&attributes);
    }
    return uv_translate_sys_error(error);
}
