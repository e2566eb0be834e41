/* Receipts as the broker makes them: on the record first, found there again,
 * and for no task. */
#include <sodium.h>

#include "base/buf.h"
#include "common/broker.h"
#include "core/receipts.h"
#include "core/state.h"
#include "crypt/sign.h"

static struct receipt got;

static const struct filter_count COUNTS[] = {
    {.id = 1 << FILTER_GROUP_BITS,
     .name = "github/bot",
     .form = "raw",
     .count = 2},
    {.id = 1 << FILTER_GROUP_BITS,
     .name = "github/bot",
     .form = "hex",
     .count = 1},
    {.id = 3ULL << 62, .name = "rule:github-token", .form = "raw", .count = 4},
    {.id = 1 << FILTER_GROUP_BITS,
     .name = "github/bot",
     .form = "ansi",
     .count = 5},
};

static const struct filter_vouch VOUCH = {.in_sha256 = {1},
                                          .out_sha256 = {2},
                                          .set_digest = {3},
                                          .rules_digest = {4},
                                          .first_epoch = 5,
                                          .last_epoch = 6,
                                          .value_count = 7,
                                          .rule_count = 8};

static struct filter_report
report_of(void)
{
    return (struct filter_report){.bytes_in = 100,
                                  .bytes_out = 90,
                                  .hits = 13,
                                  .counts = COUNTS,
                                  .count_count = AG_COUNT(COUNTS),
                                  .vouch = &VOUCH};
}

static void
sign(const struct filter_report *report, enum receipt_names names,
     struct buf *text, enum ag_err want)
{
    const struct stream_terms terms = {.rules = FILTER_RULES_ALL,
                                       .format = STREAM_MARKDOWN};
    AG_AUTO(receipt_draft) struct receipt_draft *draft = NULL;
    uint8_t opening[RECEIPT_OPENING_BYTES] = {0};
    uint8_t sealed[RECEIPT_HASH_BYTES];
    struct receipt_side input = {.bytes = 100, .sha256 = {1}};

    buf_init(text, RECEIPT_LINE_MAX_BYTES, BUF_PLAIN);
    check_ok(receipt_draft_new("owner/repo#7", names, &terms, &draft));
    receipt_draft_fill(draft, report);
    check_err(receipt_draft_sign(flow.core, draft, text, opening), want);
    if (want == AG_OK) {
        check_ok(receipt_get(buf_view(text), sign_check, &got));
        receipt_seal(opening, &input, sealed);
        assert_memory_equal(sealed, got.input, sizeof(sealed));
    } else {
        assert_int_equal(text->len, 0);
    }
}

static void
test_it_says_what_the_filter_saw(void **state)
{
    const struct filter_report report = report_of();
    AG_AUTO(buf) struct buf text = {0};

    (void)state;
    sign(&report, RECEIPT_NAMES_PLAIN, &text, AG_OK);
    assert_string_equal(got.subject, "owner/repo#7");
    assert_string_equal(got.format, "markdown");
    assert_int_equal(got.level, RECEIPT_LEVEL_ALL);
    assert_int_equal(got.output.bytes, 90);
    assert_memory_equal(got.output.sha256, VOUCH.out_sha256, 32);
    assert_memory_equal(got.rules_digest, VOUCH.rules_digest, 32);
    assert_memory_not_equal(got.set_digest, VOUCH.set_digest, 32);
    assert_int_equal(got.first_epoch, 5);
    assert_int_equal(got.last_epoch, 6);
    assert_int_equal(got.value_count, 7);
    assert_int_equal(got.rule_count, 8);
    assert_int_equal(got.hits, 13);
    assert_int_equal(got.unnamed, 1);
    assert_int_equal(got.tiers[RECEIPT_P0], 3);
    assert_int_equal(got.tiers[RECEIPT_P1], 5);
    assert_int_equal(got.tiers[RECEIPT_RULE], 4);
    assert_int_equal(got.row_count, 3);
    assert_string_equal(got.rows[0].name, "github/bot");
    assert_int_equal(got.rows[0].count, 3);
    assert_string_equal(got.rows[1].name, "rule:github-token");
}

static void
test_names_are_hidden_and_differ_from_one_to_the_next(void **state)
{
    const struct filter_report report = report_of();
    AG_AUTO(buf) struct buf first = {0};
    AG_AUTO(buf) struct buf second = {0};
    char name[RECEIPT_NAME_MAX_BYTES + 1];
    uint8_t digest[RECEIPT_HASH_BYTES];

    (void)state;
    sign(&report, RECEIPT_NAMES_HASHED, &first, AG_OK);
    assert_int_equal(got.rows[0].name[0], '~');
    assert_int_equal(strlen(got.rows[0].name), 17);
    assert_string_equal(got.rows[1].name, "rule:github-token");
    (void)stpcpy(name, got.rows[0].name);
    memcpy(digest, got.set_digest, sizeof(digest));
    sign(&report, RECEIPT_NAMES_HASHED, &second, AG_OK);
    assert_string_not_equal(name, got.rows[0].name);
    assert_memory_equal(digest, got.set_digest, sizeof(digest));
}

static json_int_t
last_row(void)
{
    AG_AUTO(wjson) json_t *answer = NULL;

    check_ok(record_audit(flow.core, -1, 1, &answer));
    return json_integer_value(json_object_get(answer, "last"));
}

static void
test_it_is_found_on_the_record(void **state)
{
    const struct filter_report report = report_of();
    AG_AUTO(wjson) json_t *answer = NULL;
    AG_AUTO(wjson) json_t *verified = NULL;
    AG_AUTO(buf) struct buf text = {0};

    (void)state;
    sign(&report, RECEIPT_NAMES_HASHED, &text, AG_OK);
    assert_int_equal(got.seq, last_row());
    check_ok(receipts_check(flow.core, buf_cstr(&text), &answer));
    assert_int_equal(json_integer_value(json_object_get(answer, "seq")),
                     got.seq);
    assert_int_equal(json_integer_value(json_object_get(
                         json_object_get(answer, "names"), "github/bot")),
                     8);
    check_ok(record_verify(flow.core, &verified));
}

static enum ag_err
sign_as_vault(void *ctx, struct span message,
              uint8_t out[RECEIPT_SIGNATURE_BYTES])
{
    return sign_make(ctx, message, out);
}

/* By somebody who has the signing key, but not the record. */
static void
check_forged(enum ag_err want)
{
    AG_AUTO(secret) struct secret *seed = NULL;
    AG_AUTO(buf) struct buf text = {0};
    AG_AUTO(wjson) json_t *answer = NULL;

    buf_init(&text, RECEIPT_LINE_MAX_BYTES, BUF_PLAIN);
    check_ok(core_key(flow.core, KDF_SIGN, &seed));
    check_ok(receipt_put(&got, sign_as_vault, seed, &text));
    check_err(receipts_check(flow.core, buf_cstr(&text), &answer), want);
}

static void
test_what_is_not_on_the_record_is_not_found(void **state)
{
    const struct filter_report report = report_of();
    AG_AUTO(buf) struct buf text = {0};
    static struct receipt whole;

    (void)state;
    sign(&report, RECEIPT_NAMES_HASHED, &text, AG_OK);
    check_forged(AG_OK);
    whole = got;
    got.hits++; /* another statement under the same row */
    check_forged(AG_ERECEIPT);
    got = whole;
    got.output.sha256[0] ^= 1;
    check_forged(AG_ERECEIPT);
    got = whole;
    got.chain[31] ^= 1;
    check_forged(AG_ERECEIPT);
    got = whole;
    got.seq--; /* a row of another kind, or another receipt's */
    check_forged(AG_ERECEIPT);
    got = whole;
    got.seq++; /* a vault that was rolled back */
    check_forged(AG_ERECEIPT);
    got.seq = 0;
    check_forged(AG_ERECEIPT);
    got.seq = -1;
    check_forged(AG_ERECEIPT);
    got = whole;
    check_forged(AG_OK);
}

static void
test_the_key_is_told(void **state)
{
    const struct filter_report report = report_of();
    AG_AUTO(buf) struct buf text = {0};
    AG_AUTO(wjson) json_t *answer = NULL;
    char print[RECEIPT_PRINT_BYTES];

    (void)state;
    sign(&report, RECEIPT_NAMES_HASHED, &text, AG_OK);
    check_ok(receipts_key(flow.core, &answer));
    receipt_print(got.key, print);
    assert_string_equal(text_at(answer, "fingerprint"), print);
}

static void
test_without_the_filters_word_there_is_none(void **state)
{
    struct filter_report report = report_of();
    AG_AUTO(buf) struct buf text = {0};
    json_int_t before = last_row();

    (void)state;
    report.vouch = NULL;
    sign(&report, RECEIPT_NAMES_HASHED, &text, AG_EFILTER);
    report = report_of();
    report.result = AG_EIO;
    sign(&report, RECEIPT_NAMES_HASHED, &text, AG_EFILTER);
    assert_int_equal(last_row(), before);
}

static void
test_a_task_is_given_none(void **state)
{
    const struct stream_terms terms = {.audience = FILTER_TASK};
    struct receipt_draft *draft = NULL;

    (void)state;
    check_err(receipt_draft_new("x", RECEIPT_NAMES_HASHED, &terms, &draft),
              AG_EDENIED);
    assert_null(draft);
}

static void
test_more_names_than_it_has_room_for_are_a_number(void **state)
{
    static struct filter_count counts[FILTER_COUNTS_MAX_COUNT];
    static char names[FILTER_COUNTS_MAX_COUNT][256];
    struct filter_report report = report_of();
    AG_AUTO(buf) struct buf text = {0};

    (void)state;
    for (size_t i = 0; i < AG_COUNT(counts); i++) {
        memset(names[i], 'n', 255);
        (void)snprintf(names[i], 4, "%03zu", i);
        names[i][3] = 'n';
        counts[i] = (struct filter_count){
            .id = i, .name = names[i], .form = "raw", .count = 1};
    }
    report.counts = counts;
    report.count_count = AG_COUNT(counts);
    report.hits = AG_COUNT(counts);
    sign(&report, RECEIPT_NAMES_PLAIN, &text, AG_OK);
    assert_int_equal(got.row_count, RECEIPT_NAMES_MAX_BYTES / 255);
    assert_int_equal(got.unnamed, AG_COUNT(counts) - got.row_count);
    assert_int_equal(got.tiers[RECEIPT_P0], AG_COUNT(counts));
}

/* No record, no receipt. */
static void
test_a_locked_vault_signs_nothing(void **state)
{
    const struct filter_report report = report_of();
    struct call call = call_of(flow.operator_peer);
    AG_AUTO(buf) struct buf text = {0};
    AG_AUTO(wjson) json_t *answer = NULL;

    (void)state;
    check_ok(vault_lock(flow.core, &call));
    sign(&report, RECEIPT_NAMES_HASHED, &text, AG_ELOCKED);
    check_err(receipts_key(flow.core, &answer), AG_ELOCKED);
    check_err(receipts_check(flow.core, "{}", &answer), AG_ELOCKED);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_says_what_the_filter_saw),
        cmocka_unit_test(test_names_are_hidden_and_differ_from_one_to_the_next),
        cmocka_unit_test(test_it_is_found_on_the_record),
        cmocka_unit_test(test_what_is_not_on_the_record_is_not_found),
        cmocka_unit_test(test_the_key_is_told),
        cmocka_unit_test(test_without_the_filters_word_there_is_none),
        cmocka_unit_test(test_a_task_is_given_none),
        cmocka_unit_test(test_more_names_than_it_has_room_for_are_a_number),
        cmocka_unit_test(test_a_locked_vault_signs_nothing), /* last */
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    return cmocka_run_group_tests(tests, flow_open_vault, flow_close);
}
