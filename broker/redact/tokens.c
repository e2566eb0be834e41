#include "redact/tokens.h"

#ifdef __x86_64__
#include <immintrin.h>
#endif

#include "base/cpu.h"

enum {
    HALF_VALUES = 16,
    LANES = 32,
    /* Of so few the first three bytes tell enough. */
    QUICK_MAX_COUNT = 16,
};

void
tokens_put(struct set_tokens *t, const uint8_t *form, size_t number,
           size_t count)
{
    uint8_t *tables = t->tables;
    unsigned int bucket = 1U << (number * TOKENS_BUCKET_COUNT / count);
    size_t i;

    if (number == 0) {
        t->is_quick = count <= QUICK_MAX_COUNT;
    }
    for (i = 0; i < TOKENS_DEPTH; i++) {
        uint8_t *low = &tables[form[i] & 0x0f];
        uint8_t *high = &tables[HALF_VALUES + (form[i] >> 4)];

        *low = (uint8_t)(*low | bucket);
        *high = (uint8_t)(*high | bucket);
        tables += (size_t)(2 * HALF_VALUES);
        t->is_quick = t->is_quick && form[i] < 0x80;
    }
}

#ifdef __x86_64__

bool
tokens_can_look(void)
{
    return cpu_is_v3();
}

AG_FOR_V3 static inline __m256i
table_at(const uint8_t *tables, size_t number)
{
    return _mm256_broadcastsi128_si256(
        _mm_loadu_si128((const void *)(tables + number * HALF_VALUES)));
}

/* The buckets that have one of these bytes at a form's `depth`. A shuffle has
 * no use for the high half of an index but its first bit, which makes a 0. */
AG_FOR_V3 __attribute__((always_inline)) static inline __m256i
buckets_of(__m256i lows, __m256i highs, const uint8_t *text, bool is_ascii)
{
    const __m256i half = _mm256_set1_epi8(0x0f);
    __m256i c = _mm256_loadu_si256((const void *)text);
    __m256i high = _mm256_and_si256(_mm256_srli_epi16(c, 4), half);
    __m256i low = is_ascii ? c : _mm256_and_si256(c, half);

    return _mm256_and_si256(_mm256_shuffle_epi8(lows, low),
                            _mm256_shuffle_epi8(highs, high));
}

/* In registers: an array would lie on the stack. */
struct tables {
    __m256i low_0, high_0, low_1, high_1, low_2, high_2, low_3, high_3;
};

/* Of each place the buckets of which a form may begin there. */
AG_FOR_V3 __attribute__((always_inline)) static inline __m256i
look_at(struct tables t, const uint8_t *text, bool is_quick)
{
    __m256i first = buckets_of(t.low_0, t.high_0, text, is_quick);
    __m256i second = buckets_of(t.low_1, t.high_1, text + 1, is_quick);
    __m256i left = buckets_of(t.low_2, t.high_2, text + 2, is_quick);

    if (!is_quick) {
        left = _mm256_and_si256(
            left, buckets_of(t.low_3, t.high_3, text + 3, is_quick));
    }
    return _mm256_and_si256(left, _mm256_and_si256(first, second));
}

AG_FOR_V3 __attribute__((always_inline)) static inline size_t
next(const uint8_t *tables, const uint8_t *text, size_t at, size_t end,
     bool is_quick)
{
    const struct tables t = {table_at(tables, 0), table_at(tables, 1),
                             table_at(tables, 2), table_at(tables, 3),
                             table_at(tables, 4), table_at(tables, 5),
                             table_at(tables, 6), table_at(tables, 7)};

    for (; at < end; at += LANES) {
        __m256i none = _mm256_cmpeq_epi8(look_at(t, text + at, is_quick),
                                         _mm256_setzero_si256());
        uint32_t some = ~(uint32_t)_mm256_movemask_epi8(none);

        if (some != 0) {
            at += (size_t)__builtin_ctz(some);
            break;
        }
    }
    return at < end ? at : end;
}

AG_FOR_V3 size_t
tokens_next(const struct set_tokens *t, const uint8_t *text, size_t at,
            size_t end)
{
    return t->is_quick ? next(t->tables, text, at, end, true)
                       : next(t->tables, text, at, end, false);
}

#else

bool
tokens_can_look(void)
{
    return false;
}

size_t
tokens_next(const struct set_tokens *t, const uint8_t *text, size_t at,
            size_t end)
{
    (void)t;
    (void)text;
    (void)at;
    return end;
}

#endif
