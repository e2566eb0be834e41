#include "tls/authority.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <arpa/inet.h>
#include <gnutls/x509.h>
#include <sodium.h>

enum {
    MS_PER_S = 1000,
    SERIAL_BYTES = 16,
    V4_BYTES = 4,
    V6_BYTES = 16,
    HOST_BYTES = 320,
};

struct leaf {
    atomic_int refs;
    char host[HOST_BYTES];
    gnutls_certificate_credentials_t credentials;
};

struct authority_keys {
    gnutls_x509_privkey_t root;
    gnutls_x509_privkey_t leaf;
};

struct authority {
    gnutls_x509_privkey_t key;
    gnutls_x509_privkey_t leaf_key;
    gnutls_x509_crt_t crt;
    gnutls_datum_t pem;
    time_t from;
    time_t until;
    pthread_mutex_t lock; /* over the leaves */
    struct leaf *leaves[AUTHORITY_LEAVES_MAX_COUNT];
    size_t leaf_count;
};

static enum ag_err
said(int code)
{
    if (code == GNUTLS_E_SUCCESS) {
        return AG_OK;
    }
    return code == GNUTLS_E_MEMORY_ERROR
               ? AG_ENOMEM
               : err_why(AG_EINTERNAL, "GnuTLS: %s", gnutls_strerror(code));
}

/* ---- hosts ---- */

/* Its bytes, if it is an address: 4 or 16, else 0. */
static size_t
address_of(const char *host, uint8_t out[V6_BYTES])
{
    char inner[HOST_BYTES];
    size_t len = strlen(host);

    if (inet_pton(AF_INET, host, out) == 1) {
        return V4_BYTES;
    }
    if (len < 2 || len >= sizeof(inner) || host[0] != '[' ||
        host[len - 1] != ']') {
        return 0;
    }
    memcpy(inner, host + 1, len - 2);
    inner[len - 2] = '\0';
    return inet_pton(AF_INET6, inner, out) == 1 ? V6_BYTES : 0;
}

static int
permit_address(gnutls_x509_name_constraints_t names, const uint8_t *address,
               size_t len)
{
    uint8_t masked[2 * V6_BYTES];
    const gnutls_datum_t datum = {masked, (unsigned)(2 * len)};

    memcpy(masked, address, len);
    memset(masked + len, 0xff, len);
    return gnutls_x509_name_constraints_add_permitted(
        names, GNUTLS_SAN_IPADDRESS, &datum);
}

static int
permit_name(gnutls_x509_name_constraints_t names, const char *host)
{
    char copy[HOST_BYTES];
    const gnutls_datum_t datum = {(uint8_t *)copy, (unsigned)strlen(host)};

    memcpy(copy, host, strlen(host) + 1);
    return gnutls_x509_name_constraints_add_permitted(names, GNUTLS_SAN_DNSNAME,
                                                      &datum);
}

/* A kind of name is only bounded by what is said of that kind: where no address
 * is permitted all are excluded, and where no name is, one that nobody has. */
static int
exclude_addresses(gnutls_x509_name_constraints_t names)
{
    uint8_t nothing[2 * V6_BYTES] = {0};
    const gnutls_datum_t four = {nothing, 2 * V4_BYTES};
    const gnutls_datum_t six = {nothing, 2 * V6_BYTES};
    int code = gnutls_x509_name_constraints_add_excluded(
        names, GNUTLS_SAN_IPADDRESS, &four);

    return code < 0 ? code
                    : gnutls_x509_name_constraints_add_excluded(
                          names, GNUTLS_SAN_IPADDRESS, &six);
}

static enum ag_err
add_hosts(gnutls_x509_name_constraints_t names, const char *const *hosts,
          size_t count)
{
    bool has_name = false;
    bool has_address = false;
    int code = 0;

    for (size_t i = 0; i < count && code >= 0; i++) {
        const char *host =
            strncmp(hosts[i], "*.", 2) == 0 ? hosts[i] + 2 : hosts[i];
        uint8_t address[V6_BYTES];
        size_t len = address_of(host, address);

        if (host[0] == '\0' || strlen(host) >= HOST_BYTES) {
            return err_why(AG_EINVAL, "no such host");
        }
        code = len > 0 ? permit_address(names, address, len)
                       : permit_name(names, host);
        has_address = has_address || len > 0;
        has_name = has_name || len == 0;
    }
    if (code >= 0 && !has_address) {
        code = exclude_addresses(names);
    }
    if (code >= 0 && !has_name) {
        code = permit_name(names, "invalid"); /* RFC 2606 */
    }
    return code < 0 ? said(code) : AG_OK;
}

static enum ag_err
set_constraints(gnutls_x509_crt_t crt, const char *const *hosts, size_t count)
{
    gnutls_x509_name_constraints_t names = NULL;
    enum ag_err err = said(gnutls_x509_name_constraints_init(&names));

    if (err != AG_OK) {
        return err;
    }
    err = add_hosts(names, hosts, count);
    if (err == AG_OK) {
        err = said(gnutls_x509_crt_set_name_constraints(crt, names, 1));
    }
    gnutls_x509_name_constraints_deinit(names);
    return err;
}

/* ---- certificates ---- */

/* What both kinds have. No common name: some take it for a host's. */
static enum ag_err
fill(const struct authority *a, const char *name, gnutls_x509_privkey_t key,
     gnutls_x509_crt_t crt)
{
    uint8_t serial[SERIAL_BYTES];
    uint8_t id[32];
    size_t id_len = sizeof(id);
    int code = gnutls_x509_crt_set_version(crt, 3);

    randombytes_buf(serial, sizeof(serial));
    serial[0] = (uint8_t)((serial[0] & 0x7fU) | 0x40U); /* positive, 16 bytes */
    if (code == 0) {
        code = gnutls_x509_crt_set_serial(crt, serial, sizeof(serial));
    }
    if (code == 0) {
        code = gnutls_x509_crt_set_dn_by_oid(crt,
                                             GNUTLS_OID_X520_ORGANIZATION_NAME,
                                             0, name, (unsigned)strlen(name));
    }
    if (code == 0) {
        code = gnutls_x509_crt_set_activation_time(crt, a->from);
    }
    if (code == 0) {
        code = gnutls_x509_crt_set_expiration_time(crt, a->until);
    }
    if (code == 0) {
        code = gnutls_x509_crt_set_key(crt, key);
    }
    if (code == 0) {
        code = gnutls_x509_crt_get_key_id(crt, 0, id, &id_len);
    }
    if (code == 0) {
        code = gnutls_x509_crt_set_subject_key_id(crt, id, id_len);
    }
    return said(code);
}

static enum ag_err
sign_root(struct authority *a, const char *name, const char *const *hosts,
          size_t count)
{
    enum ag_err err = fill(a, name, a->key, a->crt);

    if (err == AG_OK) {
        err = said(gnutls_x509_crt_set_basic_constraints(a->crt, 1, 0));
    }
    if (err == AG_OK) {
        err = said(
            gnutls_x509_crt_set_key_usage(a->crt, GNUTLS_KEY_KEY_CERT_SIGN));
    }
    if (err == AG_OK) {
        err = set_constraints(a->crt, hosts, count);
    }
    if (err == AG_OK) {
        err = said(gnutls_x509_crt_sign2(a->crt, a->crt, a->key,
                                         GNUTLS_DIG_SHA256, 0));
    }
    return err == AG_OK ? said(gnutls_x509_crt_export2(
                              a->crt, GNUTLS_X509_FMT_PEM, &a->pem))
                        : err;
}

static int
set_host(gnutls_x509_crt_t crt, const char *host)
{
    uint8_t address[V6_BYTES];
    size_t len = address_of(host, address);

    return len > 0
               ? gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS,
                                                      address, (unsigned)len,
                                                      GNUTLS_FSAN_SET)
               : gnutls_x509_crt_set_subject_alt_name(
                     crt, GNUTLS_SAN_DNSNAME, host, (unsigned)strlen(host),
                     GNUTLS_FSAN_SET);
}

static enum ag_err
sign_leaf(const struct authority *a, const char *host, gnutls_x509_crt_t crt)
{
    uint8_t id[32];
    size_t id_len = sizeof(id);
    enum ag_err err = fill(a, "auth-guard", a->leaf_key, crt);
    int code = 0;

    if (err != AG_OK) {
        return err;
    }
    code = set_host(crt, host);
    if (code == 0) {
        code = gnutls_x509_crt_set_basic_constraints(crt, 0, -1);
    }
    if (code == 0) {
        code = gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_DIGITAL_SIGNATURE);
    }
    if (code == 0) {
        code = gnutls_x509_crt_set_key_purpose_oid(crt,
                                                   GNUTLS_KP_TLS_WWW_SERVER, 0);
    }
    if (code == 0) {
        code = gnutls_x509_crt_get_subject_key_id(a->crt, id, &id_len, NULL);
    }
    if (code == 0) {
        code = gnutls_x509_crt_set_authority_key_id(crt, id, id_len);
    }
    if (code == 0) {
        code = gnutls_x509_crt_sign2(crt, a->crt, a->key, GNUTLS_DIG_SHA256, 0);
    }
    return said(code);
}

/* ---- its keys ---- */

static enum ag_err
make_key(gnutls_x509_privkey_t *ret)
{
    enum ag_err err = said(gnutls_x509_privkey_init(ret));

    return err == AG_OK
               ? said(gnutls_x509_privkey_generate(
                     *ret, GNUTLS_PK_ECDSA,
                     GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0))
               : err;
}

void
authority_keys_free(struct authority_keys *keys)
{
    if (keys != NULL) {
        gnutls_x509_privkey_deinit(keys->root);
        gnutls_x509_privkey_deinit(keys->leaf);
        free(keys);
    }
}

enum ag_err
authority_keys_new(struct authority_keys **ret)
{
    AG_AUTO(authority_keys)
    struct authority_keys *keys = calloc(1, sizeof(*keys));
    enum ag_err err = keys != NULL ? make_key(&keys->root) : AG_ENOMEM;

    if (err == AG_OK) {
        err = make_key(&keys->leaf);
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(keys);
    }
    return err;
}

/* ---- the authority's life ---- */

void
authority_free(struct authority *a)
{
    if (a == NULL) {
        return;
    }
    for (size_t i = 0; i < a->leaf_count; i++) {
        leaf_release(a->leaves[i]);
    }
    gnutls_x509_crt_deinit(a->crt);
    gnutls_x509_privkey_deinit(a->key);
    gnutls_x509_privkey_deinit(a->leaf_key);
    gnutls_free(a->pem.data);
    (void)pthread_mutex_destroy(&a->lock);
    free(a);
}

enum ag_err
authority_new(struct authority_keys *keys, const char *name,
              const char *const *hosts, size_t host_count, int64_t until_ms,
              struct authority **ret)
{
    AG_AUTO(authority) struct authority *a = NULL;
    enum ag_err err = AG_OK;

    if (host_count > AUTHORITY_HOSTS_MAX_COUNT) {
        return err_why(AG_ELIMIT, "an authority for more than %d hosts",
                       AUTHORITY_HOSTS_MAX_COUNT);
    }
    a = calloc(1, sizeof(*a));
    if (a == NULL) {
        return AG_ENOMEM;
    }
    (void)pthread_mutex_init(&a->lock, NULL);
    a->from = time(NULL) - AUTHORITY_SKEW_S;
    a->until = (time_t)(until_ms / MS_PER_S) + 1;
    a->key = AG_TAKE(keys->root);
    a->leaf_key = AG_TAKE(keys->leaf);
    err = said(gnutls_x509_crt_init(&a->crt));
    if (err == AG_OK) {
        err = sign_root(a, name, hosts, host_count);
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(a);
    }
    return err;
}

struct span
authority_pem(const struct authority *a)
{
    return span_of(a->pem.data, a->pem.size);
}

/* ---- leaves ---- */

void
leaf_release(struct leaf *leaf)
{
    if (leaf == NULL || atomic_fetch_sub(&leaf->refs, 1) != 1) {
        return;
    }
    if (leaf->credentials != NULL) {
        gnutls_certificate_free_credentials(leaf->credentials);
    }
    free(leaf);
}

gnutls_certificate_credentials_t
leaf_credentials(const struct leaf *leaf)
{
    return leaf->credentials;
}

static enum ag_err
make_leaf(const struct authority *a, const char *host, struct leaf **ret)
{
    AG_AUTO(leaf) struct leaf *leaf = calloc(1, sizeof(*leaf));
    gnutls_x509_crt_t crt = NULL;
    enum ag_err err = AG_OK;

    if (leaf == NULL) {
        return AG_ENOMEM;
    }
    atomic_init(&leaf->refs, 1);
    memcpy(leaf->host, host, strlen(host) + 1);
    err = said(gnutls_certificate_allocate_credentials(&leaf->credentials));
    if (err == AG_OK) {
        err = said(gnutls_x509_crt_init(&crt));
    }
    if (err == AG_OK) {
        err = sign_leaf(a, host, crt);
    }
    if (err == AG_OK) {
        err = said(gnutls_certificate_set_x509_key(leaf->credentials, &crt, 1,
                                                   a->leaf_key));
    }
    gnutls_x509_crt_deinit(crt);
    if (err == AG_OK) {
        *ret = AG_TAKE(leaf);
    }
    return err;
}

/* Under the lock. */
static struct leaf *
find_leaf(const struct authority *a, const char *host)
{
    for (size_t i = 0; i < a->leaf_count; i++) {
        if (strcmp(a->leaves[i]->host, host) == 0) {
            return a->leaves[i];
        }
    }
    return NULL;
}

enum ag_err
authority_leaf(struct authority *a, const char *host, struct leaf **ret)
{
    struct leaf *leaf = NULL;
    enum ag_err err = AG_OK;

    if (host[0] == '\0' || strlen(host) >= HOST_BYTES) {
        return err_why(AG_EINVAL, "no such host");
    }
    (void)pthread_mutex_lock(&a->lock);
    leaf = find_leaf(a, host);
    if (leaf == NULL) {
        err = make_leaf(a, host, &leaf);
        if (err == AG_OK && a->leaf_count < AUTHORITY_LEAVES_MAX_COUNT) {
            a->leaves[a->leaf_count++] = leaf;
            (void)atomic_fetch_add(&leaf->refs, 1);
        }
    } else {
        (void)atomic_fetch_add(&leaf->refs, 1);
    }
    (void)pthread_mutex_unlock(&a->lock);
    if (err == AG_OK) {
        *ret = leaf;
    }
    return err;
}
