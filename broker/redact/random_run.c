#include "redact/random_run.h"

#include "redact/fragments.h"
#include "redact/strength.h"

enum kind {
    KIND_OTHER,
    KIND_LOWER,
    KIND_UPPER,
    KIND_DIGIT,
    KIND_COUNT,
};

static enum kind
kind_of(uint8_t c)
{
    if (c >= 'a' && c <= 'z') {
        return KIND_LOWER;
    }
    if (c >= 'A' && c <= 'Z') {
        return KIND_UPPER;
    }
    return c >= '0' && c <= '9' ? KIND_DIGIT : KIND_OTHER;
}

static bool
is_change(const uint8_t *at)
{
    enum kind before = kind_of(at[0]);
    enum kind behind = kind_of(at[1]);

    return before != KIND_OTHER && behind != KIND_OTHER && before != behind;
}

bool
random_run_at(const uint8_t *at)
{
    size_t counts[KIND_COUNT] = {0};
    size_t changes = 0;
    size_t blanks = 0;
    size_t i;

    for (i = 0; i < FRAGMENT_MIN_BYTES; i++) {
        counts[kind_of(at[i])]++;
        blanks += at[i] == ' ' ? 1 : 0;
        changes += i > 0 && is_change(at + i - 1) ? 1 : 0;
    }
    if (changes >= FRAGMENT_CHANGES || counts[KIND_DIGIT] >= FRAGMENT_DIGITS) {
        return true;
    }
    return blanks > 0 && counts[KIND_OTHER] == blanks &&
           strength_of(span_of(at, FRAGMENT_MIN_BYTES)) == STRENGTH_FULL;
}

size_t
random_run_in(struct span run)
{
    size_t i;

    for (i = 0; i + FRAGMENT_MIN_BYTES <= run.len; i++) {
        if (random_run_at(run.ptr + i)) {
            return i;
        }
    }
    return run.len;
}
