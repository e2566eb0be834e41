/* Receipts: what is written reads back; whatever else is refused. */
// LINKS: crypt
#include <stdio.h>

#include "common/receipts.h"

static struct receipt got;

static enum ag_err
read_line(struct span line)
{
    return receipt_get(line, sign_check, &got);
}

/* For texts that nobody signed: what is refused is refused for itself. */
static bool
pass(const uint8_t *key, struct span message, const uint8_t *made)
{
    (void)key;
    (void)message;
    (void)made;
    return true;
}

static void
make_line(struct buf *out)
{
    buf_init(out, RECEIPT_LINE_MAX_BYTES, BUF_PLAIN);
    receipt_line(receipt_sample("in", "out"), 1, out);
}

static void
test_what_is_written_reads_back(void **state)
{
    AG_AUTO(buf) struct buf line = {0};
    struct receipt *r = receipt_sample("in", "out");

    (void)state;
    buf_init(&line, RECEIPT_LINE_MAX_BYTES, BUF_PLAIN);
    receipt_line(r, 1, &line);
    memset(&got, 0, sizeof(got));
    check_ok(read_line(buf_view(&line)));
    assert_memory_equal(&got, r, sizeof(got));
}

/* DSSE's own example of a PAE has the same form: "DSSEv1 29 TYPE 11 BODY". */
static void
test_what_is_signed_is_dsse(void **state)
{
    static const char HEAD[] =
        "DSSEv1 42 application/vnd.auth-guard.receipt.v1+json ";
    struct receipt *r = receipt_sample("in", "out");
    AG_AUTO(buf) struct buf line = {0};
    AG_AUTO(buf) struct buf pae = {0};
    uint8_t made[RECEIPT_SIGNATURE_BYTES];
    static uint8_t payload[RECEIPT_PAYLOAD_MAX_BYTES];
    const char *at = NULL;
    size_t len = 0;

    (void)state;
    buf_init(&line, RECEIPT_LINE_MAX_BYTES, BUF_PLAIN);
    buf_init(&pae, RECEIPT_LINE_MAX_BYTES, BUF_PLAIN);
    receipt_line(r, 1, &line);
    at = strstr(buf_cstr(&line), "\"payload\":\"");
    assert_non_null(at);
    at += strlen("\"payload\":\"");
    assert_int_equal(sodium_base642bin(payload, sizeof(payload), at,
                                       strcspn(at, "\""), NULL, &len, NULL,
                                       sodium_base64_VARIANT_ORIGINAL),
                     0);
    at = strstr(at, "\"sig\":\"") + strlen("\"sig\":\"");
    assert_int_equal(sodium_base642bin(made, sizeof(made), at,
                                       strcspn(at, "\""), NULL, NULL, NULL,
                                       sodium_base64_VARIANT_ORIGINAL),
                     0);
    check_ok(buf_fmt(&pae, "%s%zu ", HEAD, len));
    check_ok(buf_add(&pae, span_of(payload, len)));
    assert_int_equal(
        crypto_sign_verify_detached(made, pae.ptr, pae.len, r->key), 0);
}

static void
check_changed(const struct buf *line, size_t at, uint8_t change)
{
    enum ag_err err;

    line->ptr[at] ^= change;
    err = read_line(buf_view(line));
    line->ptr[at] ^= change;
    if (err != AG_ERECEIPT && err != AG_ENEWER) {
        fail_msg("byte %zu ^ %02x: %s", at, change, err_code(err));
    }
}

static void
test_each_changed_byte_is_refused(void **state)
{
    static const uint8_t CHANGES[] = {0x01, 0x02, 0x08, 0x20, 0x80, 0xff};
    AG_AUTO(buf) struct buf line = {0};

    (void)state;
    make_line(&line);
    for (size_t i = 0; i < line.len; i++) {
        for (size_t j = 0; j < AG_COUNT(CHANGES); j++) {
            check_changed(&line, i, CHANGES[j]);
        }
    }
    check_ok(read_line(buf_view(&line)));
}

static void
test_each_part_of_one_is_refused(void **state)
{
    AG_AUTO(buf) struct buf line = {0};

    (void)state;
    make_line(&line);
    for (size_t i = 0; i < line.len; i++) {
        check_err(read_line(span_of(line.ptr, i)), AG_ERECEIPT);
        if (i > 0) {
            check_err(read_line(span_of(line.ptr + i, line.len - i)),
                      AG_ERECEIPT);
        }
    }
}

/* With something put in at a place, whoever signed it. */
static enum ag_err
with(const char *before, const char *more)
{
    AG_AUTO(buf) struct buf line = {0};
    AG_AUTO(buf) struct buf other = {0};
    const char *at = NULL;
    size_t head = 0;

    make_line(&line);
    buf_init(&other, RECEIPT_LINE_MAX_BYTES, BUF_PLAIN);
    at = strstr(buf_cstr(&line), before);
    assert_non_null(at);
    head = (size_t)(at - (const char *)line.ptr);
    check_ok(buf_add(&other, span_of(line.ptr, head)));
    check_ok(buf_add_str(&other, more));
    check_ok(buf_add(&other, span_of(line.ptr + head, line.len - head)));
    return receipt_get(buf_view(&other), pass, &got);
}

static void
test_another_spelling_is_refused(void **state)
{
    (void)state;
    check_err(with("\"payload\"", " "), AG_ERECEIPT);
    check_err(with("\"payload\"", "\"payload\":\"\","), AG_ERECEIPT);
    check_err(with("\"payload\"", "\"note\":\"x\","), AG_ERECEIPT);
    check_err(with("\"keyid\"", "\"keyid\":\"x\","), AG_ERECEIPT);
    check_err(with("]}", ",{\"keyid\":\"x\",\"sig\":\"y\"}"), AG_ERECEIPT);
    check_err(with("]}", " "), AG_ERECEIPT);
    check_err(with("{", "\n"), AG_ERECEIPT);
}

static void
put_payload(const char *payload, const char *type, struct buf *out)
{
    static char base64[2 * RECEIPT_PAYLOAD_MAX_BYTES];
    static const char MADE[] =
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        "AAAAAAAAAAAAAAAAAAAAAA==";

    (void)sodium_bin2base64(base64, sizeof(base64), (const uint8_t *)payload,
                            strlen(payload), sodium_base64_VARIANT_ORIGINAL);
    buf_clear(out);
    check_ok(buf_fmt(out,
                     "{\"payloadType\":\"%s\",\"payload\":\"%s\","
                     "\"signatures\":[{\"keyid\":\"x\",\"sig\":\"%s\"}]}",
                     type, base64, MADE));
}

static void
test_statements_of_another_form_are_refused(void **state)
{
    static const char TYPE[] = "application/vnd.auth-guard.receipt.v1+json";
    static const char *const BAD[] = {
        "",
        "{}",
        "[]",
        "null",
        "{\"receipt\":1}",
        "{\"receipt\":1,\"receipt\":1}",
        "\xff",
    };
    AG_AUTO(buf) struct buf line = {0};

    (void)state;
    buf_init(&line, 2 * (size_t)RECEIPT_LINE_MAX_BYTES, BUF_PLAIN);
    for (size_t i = 0; i < AG_COUNT(BAD); i++) {
        put_payload(BAD[i], TYPE, &line);
        check_err(receipt_get(buf_view(&line), pass, &got), AG_ERECEIPT);
    }
    put_payload("{}", "application/vnd.auth-guard.receipt.v2+json", &line);
    check_err(receipt_get(buf_view(&line), pass, &got), AG_ENEWER);
    put_payload("{}", "application/vnd.in-toto+json", &line);
    check_err(receipt_get(buf_view(&line), pass, &got), AG_ERECEIPT);
}

/* What was signed, but is not what receipt_put() would have written. */
static void
test_a_signature_does_not_excuse_another_spelling(void **state)
{
    static const char *const MORE[] = {" ", "\"residual\":0,"};
    AG_AUTO(buf) struct buf line = {0};
    AG_AUTO(buf) struct buf other = {0};
    static uint8_t payload[RECEIPT_PAYLOAD_MAX_BYTES];
    static char changed[RECEIPT_PAYLOAD_MAX_BYTES];
    const char *at = NULL;
    size_t len = 0;

    (void)state;
    make_line(&line);
    buf_init(&other, 2 * (size_t)RECEIPT_LINE_MAX_BYTES, BUF_PLAIN);
    at = strstr(buf_cstr(&line), "\"payload\":\"") + strlen("\"payload\":\"");
    assert_int_equal(sodium_base642bin(payload, sizeof(payload) - 1, at,
                                       strcspn(at, "\""), NULL, &len, NULL,
                                       sodium_base64_VARIANT_ORIGINAL),
                     0);
    payload[len] = '\0';
    for (size_t i = 0; i < AG_COUNT(MORE); i++) {
        (void)snprintf(changed, sizeof(changed), "{%s%s", MORE[i],
                       (const char *)payload + 1);
        put_payload(changed, "application/vnd.auth-guard.receipt.v1+json",
                    &other);
        check_err(receipt_get(buf_view(&other), pass, &got), AG_ERECEIPT);
    }
}

static void
test_a_version_to_come_is_said_to_be_one(void **state)
{
    AG_AUTO(buf) struct buf line = {0};
    char *at = NULL;

    (void)state;
    make_line(&line);
    at = strstr((char *)(uintptr_t)buf_cstr(&line), ".v1+");
    assert_non_null(at);
    at[2] = '2';
    check_err(read_line(buf_view(&line)), AG_ENEWER);
}

static void
test_a_full_one_fits_a_message(void **state)
{
    struct receipt *r = receipt_sample("in", "out");
    AG_AUTO(buf) struct buf line = {0};

    (void)state;
    buf_init(&line, RECEIPT_LINE_MAX_BYTES, BUF_PLAIN);
    memset(r->subject, '"', RECEIPT_SUBJECT_MAX_BYTES);
    memset(r->format, 'f', RECEIPT_FORMAT_MAX_BYTES);
    r->row_count = RECEIPT_ROWS_MAX_COUNT;
    for (size_t i = 0; i < RECEIPT_ROWS_MAX_COUNT; i++) {
        memset(r->rows[i].name, 'n',
               (size_t)RECEIPT_NAMES_MAX_BYTES / RECEIPT_ROWS_MAX_COUNT);
        r->rows[i].tier = RECEIPT_RULE;
        r->rows[i].count = INT64_MAX;
    }
    r->hits = INT64_MAX;
    r->seq = INT64_MAX;
    receipt_line(r, 1, &line);
    check_ok(read_line(buf_view(&line)));
    assert_int_equal(got.row_count, RECEIPT_ROWS_MAX_COUNT);
}

static void
test_the_record_keeps_all_but_its_own_place(void **state)
{
    struct receipt *r = receipt_sample("in", "out");
    uint8_t first[RECEIPT_HASH_BYTES];
    uint8_t second[RECEIPT_HASH_BYTES];

    (void)state;
    check_ok(receipt_hash(r, first));
    r->seq++;
    r->chain[0] ^= 1;
    check_ok(receipt_hash(r, second));
    assert_memory_equal(first, second, sizeof(first));
    r->residual++;
    check_ok(receipt_hash(r, second));
    assert_memory_not_equal(first, second, sizeof(first));
}

/* RFC 4231's form: HMAC-SHA-256; computed apart with Python's hmac. */
static void
test_a_seal_is_hmac_of_hash_and_length(void **state)
{
    static const char WANT[] =
        "d89e092d0987f0bd482c795ceb91deb6ccb63aa8d56aa2c96b3d335257fa44b1";
    struct receipt_side side;
    uint8_t out[RECEIPT_HASH_BYTES];
    char hex[2 * RECEIPT_HASH_BYTES + 1];

    (void)state;
    hash_text("input", &side);
    receipt_seal(RECEIPT_OPENING, &side, out);
    (void)sodium_bin2hex(hex, sizeof(hex), out, sizeof(out));
    assert_string_equal(hex, WANT);
}

static void
test_a_fingerprint_is_that_of_openssh(void **state)
{
    const uint8_t key[RECEIPT_KEY_BYTES] = {0};
    char print[RECEIPT_PRINT_BYTES];

    (void)state;
    receipt_print(key, print);
    assert_string_equal(print,
                        "SHA256:Zmh6rfhivXdsj8GLjp+OIAiXFIVu4jOzkCpZHQ1fKSU");
}

static void
test_a_subject_is_one_line(void **state)
{
    char longest[RECEIPT_SUBJECT_MAX_BYTES + 2];

    (void)state;
    check_ok(receipt_check_subject(span_str("")));
    check_ok(receipt_check_subject(span_str("owner/repo#7")));
    check_err(receipt_check_subject(span_str("a\nb")), AG_EINVAL);
    check_err(receipt_check_subject(span_str("a\x1b[2Jb")), AG_EINVAL);
    check_err(receipt_check_subject(span_str("\x7f")), AG_EINVAL);
    check_err(receipt_check_subject(span_str("\xff")), AG_EINVAL);
    memset(longest, 'x', sizeof(longest));
    check_ok(
        receipt_check_subject(span_of(longest, RECEIPT_SUBJECT_MAX_BYTES)));
    check_err(
        receipt_check_subject(span_of(longest, RECEIPT_SUBJECT_MAX_BYTES + 1)),
        AG_EINVAL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_written_reads_back),
        cmocka_unit_test(test_what_is_signed_is_dsse),
        cmocka_unit_test(test_each_changed_byte_is_refused),
        cmocka_unit_test(test_each_part_of_one_is_refused),
        cmocka_unit_test(test_another_spelling_is_refused),
        cmocka_unit_test(test_statements_of_another_form_are_refused),
        cmocka_unit_test(test_a_signature_does_not_excuse_another_spelling),
        cmocka_unit_test(test_a_version_to_come_is_said_to_be_one),
        cmocka_unit_test(test_a_full_one_fits_a_message),
        cmocka_unit_test(test_the_record_keeps_all_but_its_own_place),
        cmocka_unit_test(test_a_seal_is_hmac_of_hash_and_length),
        cmocka_unit_test(test_a_fingerprint_is_that_of_openssh),
        cmocka_unit_test(test_a_subject_is_one_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
