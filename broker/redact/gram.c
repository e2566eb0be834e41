#include "redact/gram.h"

#define BASE 0x2545f4914f6cdd1dULL /* odd, hence invertible modulo 2^64 */
#define LEAVING                                                                \
    0x5bc5b3252f5f8411ULL /* BASE to the power of GRAM_BYTES, modulo 2^64 */
#define MIX 0x9e3779b97f4a7c15ULL

static uint64_t
hash_of(const uint8_t *gram)
{
    uint64_t hash = 0;

    for (int i = 0; i < GRAM_BYTES; i++) {
        hash = hash * BASE + gram[i] + 1;
    }
    return hash;
}

/* The low bits of a sum of products know the last bytes only. */
static uint64_t
mixed(uint64_t hash)
{
    hash ^= hash >> 32;
    hash *= MIX;
    return hash ^ hash >> 29;
}

static uint64_t
recent(const struct gram_walk *w, uint64_t number)
{
    return w->recent[number % GRAM_WINDOW_COUNT];
}

/* The gram numbered w->count has come. */
static void
choose(struct gram_walk *w)
{
    uint64_t first = w->count - GRAM_WINDOW_COUNT + 1;

    if (w->count > GRAM_WINDOW_COUNT && w->least >= first) {
        w->least =
            recent(w, w->count) <= recent(w, w->least) ? w->count : w->least;
        return;
    }
    w->least = first;
    for (uint64_t i = first + 1; i <= w->count; i++) {
        w->least = recent(w, i) <= recent(w, w->least) ? i : w->least;
    }
}

bool
gram_next(struct gram_walk *w, struct span text, size_t *ret)
{
    while (w->at + GRAM_BYTES <= text.len) {
        const uint8_t *gram = text.ptr + w->at;

        w->hash = w->count == 0 ? hash_of(gram)
                                : w->hash * BASE + gram[GRAM_BYTES - 1] + 1 -
                                      LEAVING * (gram[-1] + 1ULL);
        w->at++;
        w->count++;
        w->recent[w->count % GRAM_WINDOW_COUNT] = mixed(w->hash);
        if (w->count < GRAM_WINDOW_COUNT) {
            continue;
        }
        choose(w);
        if (w->least != w->told) {
            w->told = w->least;
            *ret = w->at - 1 - (size_t)(w->count - w->least);
            return true;
        }
    }
    return false;
}

void
gram_move(struct gram_walk *w, size_t by)
{
    AG_ASSERT(by == 0 || by + GRAM_WINDOW_COUNT <= w->at);
    w->at -= by;
}
