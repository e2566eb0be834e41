/* What an answerer says at the start of a request that is passed on. */
#include <stdlib.h>

#include "common/check.h"
#include "http/pass_impl.h"

static struct {
    enum ag_err says;
    int calls;
} answerer;

static enum ag_err
begin(void *ctx, struct pass *pass, const struct pass_head *head,
      bool may_block, void **ret)
{
    (void)ctx;
    (void)pass;
    (void)head;
    (void)may_block;
    (void)ret;
    answerer.calls++;
    return answerer.says;
}

static void
check_ask(enum ag_err says, bool may_block, bool settled)
{
    static struct conn conn;
    struct passes all = {.app.begin = begin};
    struct pass *pass = calloc(1, sizeof(*pass));

    assert_non_null(pass);
    pass->owner = &all;
    pass->conn = &conn;
    pass->method = (char[]){"GET"};
    pass->target = (char[]){"/p/x"};
    (void)pthread_mutex_init(&pass->lock, NULL);
    answerer.says = says;
    assert_int_equal(pass_ask(pass, may_block),
                     says != AG_EBLOCKS || may_block);
    assert_int_equal(pass->settled, settled);
    assert_int_equal(pass->err, settled ? says : AG_OK);
    (void)pthread_mutex_destroy(&pass->lock);
    free(pass);
}

/* Busy is an answer: the request was decided, and its use is on the record. */
static void
test_only_what_must_wait_is_asked_again(void **state)
{
    (void)state;
    check_ask(AG_EBLOCKS, false, false);
    check_ask(AG_EBLOCKS, true, true);
    check_ask(AG_EBUSY, false, true);
    check_ask(AG_EBUSY, true, true);
    check_ask(AG_EHOST, false, true);
    check_ask(AG_OK, false, false);
    assert_int_equal(answerer.calls, 6);
}

/* The broker's own token is not left in memory: nobody reads it behind the
 * decision, and what is another's is untouched. */
static void
test_a_token_is_wiped_once_decided(void **state)
{
    static struct conn conn;
    char token[] = "Bearer agt_0123456789";
    char other[] = "Bearer sk-0123456789";
    char shown[] = "agt_0123456789";
    struct request_field fields[] = {
        {span_str("authorization"), span_str(token)},
        {span_str("Authorization"), span_str(other)},
        {span_str("X-Vault-Token"), span_str(shown)}};
    struct passes all = {.app.begin = begin};
    struct pass *pass = calloc(1, sizeof(*pass));

    (void)state;
    assert_non_null(pass);
    pass->owner = &all;
    pass->conn = &conn;
    pass->method = (char[]){"GET"};
    pass->target = (char[]){"/p/x"};
    pass->fields = fields;
    pass->field_count = AG_COUNT(fields);
    (void)pthread_mutex_init(&pass->lock, NULL);
    answerer.says = AG_EBLOCKS;
    assert_false(pass_ask(pass, false));
    assert_string_equal(token, "Bearer agt_0123456789");
    answerer.says = AG_OK;
    assert_true(pass_ask(pass, true));
    for (size_t i = 0; i < sizeof(token); i++) {
        assert_int_equal(token[i], 0);
    }
    assert_string_equal(shown, "");
    assert_string_equal(other, "Bearer sk-0123456789");
    (void)pthread_mutex_destroy(&pass->lock);
    free(pass);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_what_must_wait_is_asked_again),
        cmocka_unit_test(test_a_token_is_wiped_once_decided),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
