/* SPDX-License-Identifier: MIT
 *
 * The CAs that are trusted. The system's are looked up one by one in its folder, by the hash of their names: to read all
 * of them takes 37 ms and 860 KB, and one 0.01 ms. That store is the process's, and OpenSSL locks it.
 */
#include "tls/internal.h"

#include <dirent.h>
#include <limits.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const FOLDERS[] = {"/etc/ssl/certs", "/etc/pki/tls/certs", "/system/etc/security/cacerts"};
static const char *const BUNDLES[] = {
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
};

/* Whether the folder has a certificate under its name's hash, as c_rehash makes them: 8 digits, a dot, a number. */
static bool is_hashed(const char *path) {
    DIR *folder = opendir(path);
    bool found = false;
    for (struct dirent *entry; folder && !found && (entry = readdir(folder));) {
        found = strspn(entry->d_name, "0123456789abcdef") == 8 && entry->d_name[8] == '.';
    }
    if (folder) {
        closedir(folder);
    }
    return found;
}

/* The same for one of several folders, between colons. */
static bool is_one_hashed(const char *paths) {
    char path[PATH_MAX];
    for (size_t n; *paths; paths += n + (paths[n] == ':')) {
        n = strcspn(paths, ":");
        if (n < sizeof path) {
            memcpy(path, paths, n);
            path[n] = '\0';
            if (is_hashed(path)) {
                return true;
            }
        }
    }
    return false;
}

/* Adds what the system trusts; false: it has nothing, or there is no memory. */
static bool add_system(X509_STORE *store) {
    const char *file = secure_getenv("SSL_CERT_FILE"), *folder = secure_getenv("SSL_CERT_DIR");
    if ((file && *file) || (folder && *folder)) {
        bool some = file && *file && X509_STORE_load_file(store, file) == 1;
        return (folder && is_one_hashed(folder) && X509_STORE_load_path(store, folder) == 1) || some;
    }
    if (is_hashed(X509_get_default_cert_dir())) {
        return X509_STORE_load_path(store, X509_get_default_cert_dir()) == 1;
    }
    for (size_t i = 0; i < sizeof FOLDERS / sizeof *FOLDERS; i++) {
        if (is_hashed(FOLDERS[i])) {
            return X509_STORE_load_path(store, FOLDERS[i]) == 1;
        }
    }
    for (size_t i = 0; i < sizeof BUNDLES / sizeof *BUNDLES; i++) {
        if (access(BUNDLES[i], R_OK) == 0 && X509_STORE_load_file(store, BUNDLES[i]) == 1) {
            return true;
        }
    }
    return false;
}

static X509_STORE *system_store; /* NULL: not looked for yet, or there was none */
static CRYPTO_RWLOCK *lock;
static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;

static void make_lock(void) {
    lock = CRYPTO_THREAD_lock_new();
}

static void explain_none(tls_problem *problem) {
    const char *file = secure_getenv("SSL_CERT_FILE"), *folder = secure_getenv("SSL_CERT_DIR");
    ERR_clear_error();
    if ((file && *file) || (folder && *folder)) {
        problem_set(problem, TLS_FAILURE,
                    "no-ca: there are no certificates of CAs where SSL_CERT_FILE (%s) and SSL_CERT_DIR (%s) say",
                    file ? file : "", folder ? folder : "");
    } else {
        problem_set(problem, TLS_FAILURE,
                    "no-ca: the system has no certificates of CAs: looked in %s, %s, %s; install ca-certificates or "
                    "pass {ca = ...}",
                    X509_get_default_cert_dir(), FOLDERS[0], BUNDLES[1]);
    }
}

/* The system's store, held for the caller. */
static X509_STORE *system_hold(tls_problem *problem) {
    X509_STORE *store = NULL;
    if (CRYPTO_THREAD_run_once(&once, make_lock) && lock && CRYPTO_THREAD_write_lock(lock)) {
        if (!system_store) {
            store = X509_STORE_new();
            if (store && add_system(store)) {
                system_store = store;
            } else {
                X509_STORE_free(store);
            }
        }
        store = system_store;
        if (store) {
            X509_STORE_up_ref(store);
        }
        CRYPTO_THREAD_unlock(lock);
    }
    if (!store) {
        explain_none(problem);
    }
    ERR_clear_error();
    return store;
}

static bool is_system(const tls_bytes *source) {
    return source->size == 6 && memcmp(source->data, "system", 6) == 0;
}

static bool add_source(X509_STORE *store, const tls_bytes *source, tls_problem *problem) {
    if (is_system(source)) {
        if (!add_system(store)) {
            explain_none(problem);
        }
        return problem->code == 0;
    }
    STACK_OF(X509) *all = pem_certificates(source, problem);
    for (int i = 0; i < sk_X509_num(all); i++) {
        if (!X509_STORE_add_cert(store, sk_X509_value(all, i))) {
            problem_set_openssl(problem, "bad-certificate: can't take a CA's certificate");
        }
    }
    sk_X509_pop_free(all, X509_free);
    return problem->code == 0;
}

X509_STORE *store_new(const tls_bytes *sources, size_t count, tls_problem *problem) {
    if (count == 1 && is_system(sources)) {
        return system_hold(problem);
    }
    X509_STORE *store = X509_STORE_new();
    if (!store) {
        problem_set_openssl(problem, "bad-certificate: can't keep certificates of CAs");
        return NULL;
    }
    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN); /* whom the user names is trusted, a root or not */
    for (size_t i = 0; i < count; i++) {
        if (!add_source(store, &sources[i], problem)) {
            X509_STORE_free(store);
            return NULL;
        }
    }
    return store;
}
