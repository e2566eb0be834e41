/* An authority of a task's own: what it signs for its hosts verifies, what it
 * would sign for others does not, and it ends. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <gnutls/x509.h>

#include "common/check.h"
#include "tls/authority.h"

static const char *const HOSTS[] = {"api.example.org", "*.example.net",
                                    "127.0.0.1", "[::1]"};

static int64_t
in_an_hour(void)
{
    return ((int64_t)time(NULL) + 3600) * 1000;
}

static enum ag_err
make_until(const char *const *hosts, size_t count, int64_t until_ms,
           struct authority **ret)
{
    AG_AUTO(authority_keys) struct authority_keys *keys = NULL;

    check_ok(authority_keys_new(&keys));
    return authority_new(keys, "a test", hosts, count, until_ms, ret);
}

static struct authority *
make(const char *const *hosts, size_t count)
{
    struct authority *a = NULL;

    check_ok(make_until(hosts, count, in_an_hour(), &a));
    return a;
}

/* What a client that trusts only `a` finds out about its leaf for `host`. */
static unsigned
verify(struct authority *a, const char *host, const char *asked,
       gnutls_typed_vdata_st *kind)
{
    struct leaf *leaf = NULL;
    gnutls_x509_trust_list_t list = NULL;
    gnutls_x509_crt_t root = NULL;
    gnutls_x509_crt_t *chain = NULL;
    unsigned count = 0;
    unsigned status = 0;
    struct span pem = authority_pem(a);
    const gnutls_datum_t text = {(uint8_t *)(uintptr_t)pem.ptr,
                                 (unsigned)pem.len};
    gnutls_typed_vdata_st data[2] = {
        {.type = GNUTLS_DT_KEY_PURPOSE_OID,
         .data = (uint8_t *)(uintptr_t)GNUTLS_KP_TLS_WWW_SERVER},
    };

    check_ok(authority_leaf(a, host, &leaf));
    assert_int_equal(gnutls_certificate_get_x509_crt(leaf_credentials(leaf), 0,
                                                     &chain, &count),
                     0);
    assert_int_equal(count, 1);
    assert_int_equal(gnutls_x509_trust_list_init(&list, 0), 0);
    assert_int_equal(gnutls_x509_crt_init(&root), 0);
    assert_int_equal(gnutls_x509_crt_import(root, &text, GNUTLS_X509_FMT_PEM),
                     0);
    assert_int_equal(gnutls_x509_trust_list_add_cas(list, &root, 1, 0), 1);
    data[1] = *kind;
    data[1].data = (uint8_t *)(uintptr_t)asked;
    assert_int_equal(gnutls_x509_trust_list_verify_crt2(
                         list, chain, count, data, 2, 0, &status, NULL),
                     0);
    gnutls_x509_trust_list_deinit(list, 1);
    gnutls_x509_crt_deinit(chain[0]);
    gnutls_free(chain);
    leaf_release(leaf);
    return status;
}

static unsigned
verify_name(struct authority *a, const char *host, const char *asked)
{
    gnutls_typed_vdata_st kind = {.type = GNUTLS_DT_DNS_HOSTNAME};

    return verify(a, host, asked, &kind);
}

static unsigned
verify_address(struct authority *a, const char *host, const char *address,
               unsigned len)
{
    gnutls_typed_vdata_st kind = {.type = GNUTLS_DT_IP_ADDRESS, .size = len};

    return verify(a, host, address, &kind);
}

static void
test_its_hosts_verify(void **state)
{
    AG_AUTO(authority)
    struct authority *a = make(HOSTS, AG_COUNT(HOSTS));

    (void)state;
    assert_int_equal(verify_name(a, "api.example.org", "api.example.org"), 0);
    assert_int_equal(verify_name(a, "a.example.net", "a.example.net"), 0);
    assert_int_equal(verify_address(a, "127.0.0.1", "\x7f\0\0\1", 4), 0);
    assert_int_equal(
        verify_address(a, "[::1]", "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16), 0);
    assert_int_not_equal(verify_name(a, "api.example.org", "b.example.net"), 0);
}

static void
test_other_hosts_do_not(void **state)
{
    static const char *const OTHERS[] = {"example.org", "xapi.example.org",
                                         "example.com", "api.example.org.evil",
                                         "auth-guard",  "invalid"};
    static const char *const ADDRESS[] = {"127.0.0.1"};
    AG_AUTO(authority)
    struct authority *a = make(HOSTS, AG_COUNT(HOSTS));
    AG_AUTO(authority) struct authority *names = make(HOSTS, 2);
    AG_AUTO(authority) struct authority *addresses = make(ADDRESS, 1);

    (void)state;
    for (size_t i = 0; i < AG_COUNT(OTHERS); i++) {
        assert_int_not_equal(verify_name(a, OTHERS[i], OTHERS[i]), 0);
    }
    assert_int_not_equal(verify_address(a, "127.0.0.2", "\x7f\0\0\2", 4), 0);
    /* A kind of which none is permitted is not open. */
    assert_int_not_equal(verify_address(names, "127.0.0.1", "\x7f\0\0\1", 4),
                         0);
    assert_int_not_equal(
        verify_name(addresses, "api.example.org", "api.example.org"), 0);
}

static void
test_its_end_is_the_tasks(void **state)
{
    struct authority *a = NULL;

    (void)state;
    check_ok(make_until(HOSTS, 1, ((int64_t)time(NULL) - 60) * 1000, &a));
    assert_int_not_equal(verify_name(a, HOSTS[0], HOSTS[0]), 0);
    authority_free(a);
}

static void
test_leaves_are_kept_and_outlive_it(void **state)
{
    struct authority *a = make(HOSTS, AG_COUNT(HOSTS));
    struct leaf *one = NULL;
    struct leaf *two = NULL;
    struct leaf *other = NULL;

    (void)state;
    check_ok(authority_leaf(a, "api.example.org", &one));
    check_ok(authority_leaf(a, "api.example.org", &two));
    check_ok(authority_leaf(a, "a.example.net", &other));
    assert_ptr_equal(one, two);
    assert_ptr_not_equal(one, other);
    for (int i = 0; i < AUTHORITY_LEAVES_MAX_COUNT + 8; i++) {
        char host[32];
        struct leaf *more = NULL;

        (void)snprintf(host, sizeof(host), "h%d.example.net", i);
        check_ok(authority_leaf(a, host, &more));
        leaf_release(more);
    }
    authority_free(a);
    assert_non_null(leaf_credentials(one));
    leaf_release(one);
    leaf_release(two);
    leaf_release(other);
    leaf_release(NULL);
}

static void
test_what_is_no_host(void **state)
{
    static const char *const EMPTY[] = {"*."};
    AG_AUTO(authority) struct authority *a = make(HOSTS, 1);
    struct authority *none = NULL;
    struct leaf *leaf = NULL;

    (void)state;
    check_err(make_until(EMPTY, 1, in_an_hour(), &none), AG_EINVAL);
    check_err(
        make_until(HOSTS, AUTHORITY_HOSTS_MAX_COUNT + 1, in_an_hour(), &none),
        AG_ELIMIT);
    check_err(authority_leaf(a, "", &leaf), AG_EINVAL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_its_hosts_verify),
        cmocka_unit_test(test_other_hosts_do_not),
        cmocka_unit_test(test_its_end_is_the_tasks),
        cmocka_unit_test(test_leaves_are_kept_and_outlive_it),
        cmocka_unit_test(test_what_is_no_host),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
