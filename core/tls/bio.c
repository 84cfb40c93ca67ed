/* SPDX-License-Identifier: MIT
 *
 * The engine's end of OpenSSL's record layer: it reads what was handed in, and appends to the output.
 *
 * OpenSSL reads a record's header, then its body (it does not read ahead), so that bytes can be followed from record to
 * record without a copy of the protocol here.
 */
#include "tls/internal.h"

#include <openssl/crypto.h>
#include <string.h>

enum { OUTPUT_LEAST = 4096 };

bool output_append(tls_output *output, const char *bytes, size_t n) {
    if (n > output->capacity - output->size) {
        size_t capacity = output->capacity ? output->capacity : OUTPUT_LEAST;
        while (capacity - output->size < n) {
            capacity *= 2;
        }
        char *data = OPENSSL_realloc(output->data, capacity);
        if (!data) {
            return false;
        }
        output->data = data;
        output->capacity = capacity;
    }
    memcpy(output->data + output->size, bytes, n);
    output->size += n;
    return true;
}

void output_free(tls_output *output) {
    OPENSSL_free(output->data);
    *output = (tls_output){0};
}

static void follow(engine *e, const char *bytes, size_t n) {
    for (size_t i = 0; i < n;) {
        if (e->header_size < HEADER) {
            e->header[e->header_size++] = (unsigned char)bytes[i++];
            e->body_left = (uint16_t)(e->header_size == HEADER ? e->header[3] << 8 | e->header[4] : 0);
        } else {
            size_t part = n - i < e->body_left ? n - i : e->body_left;
            e->body_left = (uint16_t)(e->body_left - part);
            i += part;
        }
        if (e->header_size == HEADER && e->body_left == 0) {
            e->header_size = 0;
            e->record_at = e->taken + i;
        }
    }
    e->taken += n;
    e->head.held = (size_t)(e->taken - e->record_at);
}

static int take(BIO *bio, char *into, size_t room, size_t *taken) {
    engine *e = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    size_t n = e->in_size < room ? e->in_size : room;
    if (n == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    memcpy(into, e->in, n);
    follow(e, into, n);
    e->in += n;
    e->in_size -= n;
    *taken = n;
    return 1;
}

static int append(BIO *bio, const char *bytes, size_t n, size_t *taken) {
    engine *e = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (!output_append(e->output, bytes, n)) {
        e->no_memory = true;
        return 0;
    }
    *taken = n;
    return 1;
}

static long control(BIO *bio, int command, long number, void *pointer) {
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *method;
static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;

static void make_method(void) {
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "momo");
    if (method && !(BIO_meth_set_read_ex(method, take) && BIO_meth_set_write_ex(method, append) &&
                    BIO_meth_set_ctrl(method, control))) {
        BIO_meth_free(method);
        method = NULL;
    }
}

BIO *bio_new(engine *e) {
    if (!CRYPTO_THREAD_run_once(&once, make_method) || !method) {
        return NULL;
    }
    BIO *bio = BIO_new(method);
    if (bio) {
        BIO_set_data(bio, e);
        BIO_set_init(bio, 1);
    }
    return bio;
}
