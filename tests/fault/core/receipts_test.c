/* A receipt with its n-th allocation of a JSON tree or text failing, n = 1, 2,
 * 3 …: none goes out, and the record verifies. */
// WRAP: wipe_malloc
#include "common/broker.h"
#include "common/fault.h"
#include "core/receipts.h"
#include "crypt/sign.h"

FAULT_WRAPPER(void *, wipe_malloc, (size_t len), (len), NULL)

static const struct filter_count COUNTS[] = {
    {.id = 1, .name = "github/bot", .form = "raw", .count = 2},
};

static const struct filter_vouch VOUCH = {.in_sha256 = {1}};

static enum ag_err
sign(struct buf *text)
{
    const struct stream_terms terms = {.audience = FILTER_OPERATOR};
    const struct filter_report report = {
        .hits = 2, .counts = COUNTS, .count_count = 1, .vouch = &VOUCH};
    AG_AUTO(receipt_draft) struct receipt_draft *draft = NULL;
    uint8_t opening[RECEIPT_OPENING_BYTES];
    enum ag_err err =
        receipt_draft_new("x", RECEIPT_NAMES_HASHED, &terms, &draft);

    if (err == AG_OK) {
        receipt_draft_fill(draft, &report);
        err = receipt_draft_sign(flow.core, draft, text, opening);
    }
    return err;
}

static void
test_signing(void **state)
{
    AG_AUTO(wjson) json_t *verified = NULL;
    static struct receipt got;
    unsigned n;

    (void)state;
    for (n = 1;; n++) {
        AG_AUTO(buf) struct buf text = {0};
        enum ag_err err;

        buf_init(&text, RECEIPT_LINE_MAX_BYTES, BUF_PLAIN);
        fault_arm(n);
        err = sign(&text);
        if (!fault_done()) {
            check_ok(err);
            check_ok(receipt_get(buf_view(&text), sign_check, &got));
            break;
        }
        if (err == AG_OK) {
            /* A name that did not fit, or a table of jansson's that stayed
             * small: it is a receipt for all that. */
            check_ok(receipt_get(buf_view(&text), sign_check, &got));
            continue;
        }
        check_err(err, AG_ENOMEM);
        assert_int_not_equal(receipt_get(buf_view(&text), sign_check, &got),
                             AG_OK);
    }
    assert_true(n > 10);
    check_ok(record_verify(flow.core, &verified));
}

static void
test_checking(void **state)
{
    AG_AUTO(buf) struct buf text = {0};
    unsigned n;

    (void)state;
    buf_init(&text, RECEIPT_LINE_MAX_BYTES, BUF_PLAIN);
    check_ok(sign(&text));
    for (n = 1;; n++) {
        AG_AUTO(wjson) json_t *answer = NULL;
        const char *shown = buf_cstr(&text);
        enum ag_err err;
        bool fired;

        fault_arm(n);
        err = receipts_check(flow.core, shown, &answer);
        fired = fault_done();
        if (err != AG_OK) {
            assert_null(answer);
        }
        if (!fired) {
            check_ok(err);
            break;
        }
    }
    assert_true(n > 10);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signing),
        cmocka_unit_test(test_checking),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    return cmocka_run_group_tests(tests, flow_open_vault, flow_close);
}
