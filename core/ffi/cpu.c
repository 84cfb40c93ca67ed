/* SPDX-License-Identifier: MIT
 *
 * The FFI API of the CPUs that the process may use.
 */
#include <pthread.h>

#include "loop/executor.h"

int momo_usable_cpu(const momo_executor *ex, int i) {
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &ex->cpus) && i-- == 0) {
            return cpu;
        }
    }
    return UV_EINVAL;
}

int momo_parallelism(const momo_executor *ex) {
    return CPU_COUNT(&ex->cpus);
}

int momo_pin(int cpu) {
    cpu_set_t cpus;
    if (cpu < 0 || cpu >= CPU_SETSIZE) {
        return UV_EINVAL;
    }
    CPU_ZERO(&cpus);
    CPU_SET(cpu, &cpus);
    return uv_translate_sys_error(pthread_setaffinity_np(pthread_self(), sizeof cpus, &cpus));
}
