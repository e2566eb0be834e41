/* Receipts: any line, and any statement in an envelope of the right form. What
 * is taken for one is spelt as it would be written. */
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "wire/receipt.h"

enum {
    TEXT_BYTES = 2 * RECEIPT_LINE_MAX_BYTES,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t made[RECEIPT_SIGNATURE_BYTES];

static bool
keep(const uint8_t *key, struct span message, const uint8_t *given)
{
    (void)key;
    (void)message;
    memcpy(made, given, sizeof(made));
    return true;
}

static enum ag_err
give(void *ctx, struct span message, uint8_t *out)
{
    (void)ctx;
    (void)message;
    memcpy(out, made, sizeof(made));
    return AG_OK;
}

static bool
fuzz_line(struct span line)
{
    static struct receipt r;
    uint8_t hash[RECEIPT_HASH_BYTES];
    struct buf again;

    if (receipt_get(line, keep, &r) != AG_OK) {
        return false;
    }
    buf_init(&again, RECEIPT_LINE_MAX_BYTES, BUF_PLAIN);
    if (receipt_put(&r, give, NULL, &again) != AG_OK ||
        !span_equal(buf_view(&again), line) ||
        receipt_hash(&r, hash) != AG_OK ||
        receipt_check_subject(span_str(r.subject)) != AG_OK) {
        abort();
    }
    buf_done(&again);
    return true;
}

/* Wrapped as a payload, with a fingerprint that can't be right: it comes as far
 * as the spelling. */
static void
fuzz_statement(struct span text)
{
    static char line[TEXT_BYTES];
    char *at = NULL;

    if (text.len > RECEIPT_PAYLOAD_MAX_BYTES) {
        return;
    }
    at = stpcpy(line, "{\"payloadType\":"
                      "\"application/vnd.auth-guard.receipt.v1+json\","
                      "\"payload\":\"");
    (void)sodium_bin2base64(at, TEXT_BYTES / 2 + 512, text.ptr, text.len,
                            sodium_base64_VARIANT_ORIGINAL);
    at += strlen(at);
    at = stpcpy(at, "\",\"signatures\":[{\"keyid\":\"x\",\"sig\":\"");
    memset(at, 'A', 86);
    (void)stpcpy(at + 86, "==\"}]}");
    if (fuzz_line(span_str(line))) {
        abort();
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    (void)fuzz_line(span_of(data, size));
    fuzz_statement(span_of(data, size));
    return 0;
}
