/*
 * quick - Argon2id at its smallest cost, whatever was asked for.
 *
 *   LD_PRELOAD=e2e_quick.so auth-guardd
 *
 * For the scenarios that start a broker some hundred times and are not about
 * the passphrase: a second of each start is its derivation. What it makes opens
 * only with it: a vault of such a broker is opened by such a broker.
 */
#include <stddef.h>

#include <dlfcn.h>
#include <sodium.h>

typedef int (*derive_fn)(unsigned char *, unsigned long long, const char *,
                         unsigned long long, const unsigned char *,
                         unsigned long long, size_t, int);

int // NOLINTNEXTLINE(readability-function-size): libsodium's own
crypto_pwhash_argon2id(unsigned char *const out, unsigned long long out_len,
                       const char *const secret, unsigned long long secret_len,
                       const unsigned char *const salt,
                       unsigned long long passes, size_t memory_bytes, int kind)
{
    derive_fn derive = NULL;

    (void)passes;
    (void)memory_bytes;
    *(void **)&derive = dlsym(RTLD_NEXT, "crypto_pwhash_argon2id");
    return derive == NULL ? -1
                          : derive(out, out_len, secret, secret_len, salt,
                                   crypto_pwhash_argon2id_OPSLIMIT_MIN,
                                   crypto_pwhash_argon2id_MEMLIMIT_MIN, kind);
}
