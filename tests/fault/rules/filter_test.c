/*
 * Memory that runs out, the n-th time in turn: loading and searching end with
 * an error, nothing of a secret has been let out, and nothing is left behind.
 */
// LINKS: redact
// WRAP: malloc calloc reallocarray mmap
#include <sys/mman.h>

#include "common/fault.h"
#include "common/rules.h"
#include "redact/lockmem.h"

FAULT_WRAPPER(void *, malloc, (size_t len), (len), NULL)
FAULT_WRAPPER(void *, calloc, (size_t n, size_t len), (n, len), NULL)
FAULT_WRAPPER(void *, reallocarray, (void *ptr, size_t n, size_t len),
              (ptr, n, len), NULL)
FAULT_WRAPPER(void *, mmap,
              (void *at, size_t len, int prot, int flags, int fd, off_t off),
              (at, len, prot, flags, fd, off), MAP_FAILED)

#define META "\"service\":\"X\",\"description\":\"d\",\"source\":\"s\","
static const char RULES[] =
    "{\"rules\":1,\"group\":\"x\",\"title\":\"X\",\"items\":["
    "{\"id\":\"token\"," META "\"regex\":\"tt_[a-z0-9]{6}\","
    "\"keywords\":[\"tt_\"],\"tail\":\"a-z0-9\",\"allow\":[\"zz\"],"
    "\"examples\":[\"«x»\"],\"negatives\":[\"y\"]}]}";

static struct buf pack;

static enum ag_err
load_and_filter(struct buf *out)
{
    const struct sink next = {.ctx = out, .feed = rules_gather};
    AG_AUTO(rule_set) struct rule_set *set = NULL;
    AG_AUTO(rule_filter) struct rule_filter *f = NULL;
    struct rule_filter_terms terms = {.level = RULES_DEFAULT};
    struct span bytes = buf_view(&pack);
    enum ag_err err = rule_set_new(&bytes, 1, RULE_SET_READY, &set);

    terms.set = set;
    if (err == AG_OK) {
        err = rule_filter_new(&terms, &next, &f);
    }
    if (err == AG_OK) {
        err = rule_filter_feed(f, span_str("a tt_abc"));
    }
    if (err == AG_OK) {
        err = rule_filter_settle(f);
    }
    if (err == AG_OK) {
        err = rule_filter_feed(f, span_str("def0123 b tt_xyzxyz"));
    }
    return err == AG_OK ? rule_filter_finish(f) : err;
}

static void
test_each_call_that_can_fail(void **state)
{
    size_t locked = lockmem_used_bytes();
    unsigned n;

    (void)state;
    for (n = 1;; n++) {
        AG_AUTO(buf) struct buf out = {0};
        enum ag_err err;

        buf_init(&out, 4096, BUF_PLAIN);
        check_ok(buf_add_str(&out, ">")); /* its memory is not the filter's */
        fault_arm(n);
        fault.error = ENOMEM;
        err = load_and_filter(&out);
        assert_int_equal(lockmem_used_bytes(), locked);
        assert_null(memmem(out.ptr, out.len, "abcdef", 6));
        assert_null(memmem(out.ptr, out.len, "xyzxyz", 6));
        if (!fault_done()) {
            check_ok(err);
            check_span(buf_view(&out), ">a [redacted:rule:token] b "
                                       "[redacted:rule:token]");
            break;
        }
        assert_true(err == AG_ENOMEM || err == AG_EMEMLOCK);
    }
    assert_true(n > 10);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_call_that_can_fail),
    };
    struct rule_book *book = NULL;

    buf_init(&pack, RULE_PACK_MAX_BYTES, BUF_PLAIN);
    check_ok(rule_book_load_one(span_str(RULES), "x.json", &book));
    check_ok(rule_compile_all(book, &pack));
    rule_book_free(book);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
