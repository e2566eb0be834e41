#include "tls/rs256.h"

#include <string.h>

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>

static enum ag_err
no_key(void)
{
    return err_why(AG_EINVAL,
                   "not an RSA private key of %d to %d bits, as PEM without a "
                   "passphrase",
                   RS256_BITS_LEAST, RS256_BITS_MOST);
}

static gnutls_datum_t
datum_of(struct span bytes)
{
    /* GnuTLS has no const there; it only reads. */
    return (gnutls_datum_t){(unsigned char *)(uintptr_t)bytes.ptr,
                            (unsigned)bytes.len};
}

static enum ag_err
read_key(gnutls_privkey_t key, struct span pem)
{
    const gnutls_datum_t text = datum_of(pem);
    unsigned bits = 0;
    int code = gnutls_privkey_import_x509_raw(key, &text, GNUTLS_X509_FMT_PEM,
                                              NULL, GNUTLS_PKCS_PLAIN);

    if (code == GNUTLS_E_MEMORY_ERROR) {
        return AG_ENOMEM;
    }
    if (code != 0 ||
        gnutls_privkey_get_pk_algorithm(key, &bits) != GNUTLS_PK_RSA ||
        bits < RS256_BITS_LEAST || bits > RS256_BITS_MOST) {
        return no_key();
    }
    return AG_OK;
}

static enum ag_err
sign(gnutls_privkey_t key, struct span data, uint8_t out[RS256_MAX_BYTES],
     size_t *ret_len)
{
    const gnutls_datum_t text = datum_of(data);
    gnutls_datum_t made = {NULL, 0};
    int code =
        gnutls_privkey_sign_data2(key, GNUTLS_SIGN_RSA_SHA256, 0, &text, &made);

    if (code != 0) {
        return code == GNUTLS_E_MEMORY_ERROR ? AG_ENOMEM : AG_EINTERNAL;
    }
    AG_ASSERT(made.size <= RS256_MAX_BYTES);
    memcpy(out, made.data, made.size);
    *ret_len = made.size;
    gnutls_free(made.data);
    return AG_OK;
}

enum ag_err
rs256_sign(struct span pem, struct span data, uint8_t out[RS256_MAX_BYTES],
           size_t *ret_len)
{
    gnutls_privkey_t key = NULL;
    enum ag_err err = AG_OK;

    if (gnutls_privkey_init(&key) != 0) {
        return AG_ENOMEM;
    }
    err = read_key(key, pem);
    if (err == AG_OK) {
        err = sign(key, data, out, ret_len);
    }
    gnutls_privkey_deinit(key);
    return err;
}
