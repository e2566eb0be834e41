/* Which bytes of a text the views look at: told of many at once. */
#ifdef __x86_64__
#include <immintrin.h>
#endif

#include "base/cpu.h"
#include "redact/lanes.h"
#include "redact/view_impl.h"

/* Of % and = only those are wanted that may begin a step: a digit follows, or
 * what is wanted itself, or nobody knows. */
static inline uint64_t
wanted(uint64_t always, uint64_t sometimes, uint64_t digits)
{
    uint64_t behind = (digits | always) >> 1;

    return always | (sometimes & (behind | 1ULL << (VIEW_BLOCK_BYTES - 1)));
}

/* ---- any machine ---- */

static inline lanes
always_in(lanes c)
{
    lanes control = ((c & (int8_t)0xe0) == 0) & (c != '\t');

    return control | ((c | 0x20) == (int8_t)0xe2) | (c == (int8_t)0xef) |
           (c == '&') | (c == '\\');
}

static inline lanes
digits_in(lanes c)
{
    const int8_t letter = 'a' - INT8_MIN - 256;

    return ((c >= '0') & (c <= '9')) | (((c | 0x20) - letter) < INT8_MIN + 6);
}

static inline lanes
marks_in(lanes c)
{
    return (c == ' ') | ((c >= '\t') & (c <= '\r')) | (c == ',') | (c == '-') |
           (c == ':') | ((c | 0x20) == 'x');
}

void
view_bits_anywhere(const uint8_t *text, size_t count, struct view_bits *ret)
{
    size_t block;

    for (block = 0; block < count; block++) {
        struct view_bits *bits = &ret[block];
        uint64_t always = 0;
        uint64_t sometimes = 0;
        size_t i;

        bits->digits = 0;
        bits->dump = 0;
        for (i = 0; i < VIEW_BLOCK_BYTES; i += LANES) {
            lanes c;

            memcpy(&c, text + i, sizeof(c));
            always |= lanes_bits(always_in(c)) << i;
            sometimes |= lanes_bits((c == '%') | (c == '=')) << i;
            bits->digits |= lanes_bits(digits_in(c)) << i;
            bits->dump |= lanes_bits(marks_in(c)) << i;
        }
        bits->marks = wanted(always, sometimes, bits->digits);
        bits->dump |= bits->digits;
        text += VIEW_BLOCK_BYTES;
    }
}

/* ---- with AVX2 ---- */

#ifdef __x86_64__
/*
 * A class of bytes is a bit, in the row of a byte's high half and in that of
 * its low half: so a class is all bytes of some high and some low halves.
 */
enum {
    CONTROLS = 1, /* of those some that nobody uses, too */
    BACKSLASH = 2,
    AMPERSAND = 4,
    LEADS = 8, /* of characters of no width; c2, cf, e2, ef */
    ALWAYS = CONTROLS | BACKSLASH | AMPERSAND | LEADS,
    PERCENT = 16,
    EQUALS = 32,
    SOMETIMES = PERCENT | EQUALS,
    DIGITS = 64,
    LETTERS = 128,
    HEX = DIGITS | LETTERS,
    BLANKS = 1, /* in the second tables: marks of dumps */
    SPACE = 2,  /* , - */
    COLON = 4,
    EX = 8,
};

#define TWICE(...)                                                             \
    {                                                                          \
        __VA_ARGS__, __VA_ARGS__                                               \
    }

static const int8_t HIGHS[32] = TWICE(
    CONTROLS, CONTROLS, AMPERSAND | PERCENT, EQUALS | DIGITS, (int8_t)LETTERS,
    BACKSLASH, (int8_t)LETTERS, 0, 0, 0, 0, 0, LEADS, 0, LEADS, 0);
static const int8_t LOWS[32] =
    TWICE(CONTROLS | DIGITS, (int8_t)HEX, (int8_t)(LEADS | HEX), (int8_t)HEX,
          (int8_t)HEX, (int8_t)(PERCENT | HEX), (int8_t)(AMPERSAND | HEX),
          CONTROLS | DIGITS, CONTROLS | DIGITS, DIGITS, CONTROLS, CONTROLS,
          BACKSLASH, CONTROLS | EQUALS, 0, LEADS);
static const int8_t MARK_HIGHS[32] =
    TWICE(BLANKS, 0, SPACE, COLON, 0, EX, 0, EX, 0, 0, 0, 0, 0, 0, 0, 0);
static const int8_t MARK_LOWS[32] =
    TWICE(SPACE, 0, 0, 0, 0, 0, 0, 0, EX, BLANKS, BLANKS | COLON, 0, SPACE,
          BLANKS | SPACE, 0, 0);

/* A bit for each byte that has none of the classes. */
AG_FOR_V3 static inline uint64_t
without(__m256i of, int8_t classes)
{
    __m256i some = _mm256_and_si256(of, _mm256_set1_epi8(classes));
    __m256i none = _mm256_cmpeq_epi8(some, _mm256_setzero_si256());

    return (uint32_t)_mm256_movemask_epi8(none);
}

AG_FOR_V3 static void
bits_v3(const uint8_t *text, size_t count, struct view_bits *ret)
{
    const __m256i highs = _mm256_loadu_si256((const void *)HIGHS);
    const __m256i lows = _mm256_loadu_si256((const void *)LOWS);
    const __m256i mark_highs = _mm256_loadu_si256((const void *)MARK_HIGHS);
    const __m256i mark_lows = _mm256_loadu_si256((const void *)MARK_LOWS);
    const __m256i half = _mm256_set1_epi8(0x0f);
    size_t block;

    for (block = 0; block < count; block++) {
        uint64_t always = 0;
        uint64_t sometimes = 0;
        uint64_t digits = 0;
        uint64_t marks = 0;
        size_t i;

        for (i = 0; i < VIEW_BLOCK_BYTES; i += sizeof(half)) {
            __m256i c = _mm256_loadu_si256((const void *)(text + i));
            __m256i high = _mm256_and_si256(_mm256_srli_epi16(c, 4), half);
            __m256i low = _mm256_and_si256(c, half);
            __m256i of = _mm256_and_si256(_mm256_shuffle_epi8(highs, high),
                                          _mm256_shuffle_epi8(lows, low));
            __m256i mark =
                _mm256_and_si256(_mm256_shuffle_epi8(mark_highs, high),
                                 _mm256_shuffle_epi8(mark_lows, low));

            always |= without(of, ALWAYS) << i;
            sometimes |= without(of, SOMETIMES) << i;
            digits |= without(of, (int8_t)HEX) << i;
            marks |= without(mark, -1) << i;
        }
        ret[block].marks = wanted(~always, ~sometimes, ~digits);
        ret[block].digits = ~digits;
        ret[block].dump = ~(digits & marks);
        text += VIEW_BLOCK_BYTES;
    }
}
#else
#define bits_v3 view_bits_anywhere
#endif

void
view_bits_of(const uint8_t *text, size_t count, struct view_bits *ret)
{
    if (cpu_is_v3()) {
        bits_v3(text, count, ret);
    } else {
        view_bits_anywhere(text, count, ret);
    }
}
