#include "redact/digest.h"

#include <stdlib.h>

#include <sodium.h>

#include "base/secret.h"
#include "redact/matcher.h"
#include "redact/rule_set_impl.h"

enum {
    /* What the hash function leaves behind is less than this far down. */
    STACK_USED_BYTES = 4096,
};

struct order {
    uint64_t id;
    size_t index;
};

static void
add_number(crypto_generichash_state *state, uint64_t number)
{
    uint8_t le[8];

    for (unsigned i = 0; i < sizeof(le); i++) {
        le[i] = (uint8_t)(number >> (8 * i));
    }
    (void)crypto_generichash_update(state, le, sizeof(le));
}

static void
add_part(crypto_generichash_state *state, struct span part)
{
    add_number(state, part.len);
    (void)crypto_generichash_update(state, part.ptr, part.len);
}

static void
begin(crypto_generichash_state *state)
{
    (void)crypto_generichash_init(state, NULL, 0, DIGEST_BYTES);
}

/* ---- values ---- */

static int
by_id(const void *a, const void *b)
{
    const struct order *x = a;
    const struct order *y = b;

    return x->id < y->id ? -1 : x->id > y->id;
}

static void
add_values(const struct matcher *m, const struct order *order, size_t count,
           uint8_t out[DIGEST_BYTES])
{
    crypto_generichash_state state;

    begin(&state);
    for (size_t i = 0; i < count; i++) {
        const struct matcher_value v = matcher_value_at(m, order[i].index);

        add_number(&state, v.id);
        add_part(&state, v.name);
        add_part(&state, v.value);
    }
    (void)crypto_generichash_final(&state, out, DIGEST_BYTES);
    wipe(&state, sizeof(state)); /* it has the last value's end */
}

enum ag_err
digest_of_set(const struct matcher *m, uint8_t out[DIGEST_BYTES],
              uint64_t *ret_count)
{
    size_t all = matcher_count(m);
    struct order *order = calloc(all + 1, sizeof(*order)); /* ids, no values */
    size_t count = 0;

    if (order == NULL) {
        return AG_ENOMEM;
    }
    for (size_t i = 0; i < all; i++) {
        const struct matcher_value v = matcher_value_at(m, i);

        if ((v.flags & MATCHER_SPARE) == 0) {
            order[count++] = (struct order){.id = v.id, .index = i};
        }
    }
    qsort(order, count, sizeof(*order), by_id);
    add_values(m, order, count, out);
    sodium_stackzero(STACK_USED_BYTES);
    free(order);
    *ret_count = count;
    return AG_OK;
}

/* ---- rules ---- */

static void
add_class(crypto_generichash_state *state, const struct rule_class *class)
{
    for (size_t i = 0; i < AG_COUNT(class->bits); i++) {
        add_number(state, class->bits[i]);
    }
}

static void
add_rule(crypto_generichash_state *state, const struct rule *rule)
{
    const uint64_t numbers[] = {
        rule->secret,        rule->window,        rule->min_bytes,
        rule->tail_max,      rule->lead_max,      rule->entropy,
        rule->efficiency,    (uint64_t)rule->sum, (uint64_t)rule->flags,
        rule->keyword_count, rule->allow_count};

    add_part(state, span_str(rule->id));
    add_part(state, span_str(rule->regex));
    add_part(state, rule->until);
    for (size_t i = 0; i < AG_COUNT(numbers); i++) {
        add_number(state, numbers[i]);
    }
    for (size_t i = 0; i < rule->keyword_count; i++) {
        add_part(state, rule->keywords[i]);
    }
    for (size_t i = 0; i < rule->allow_count; i++) {
        add_part(state, span_str(rule->allow[i]));
    }
    add_class(state, &rule->tail);
    add_class(state, &rule->stop);
    add_class(state, &rule->lead);
}

void
digest_of_rules(const struct rule_set *set, enum rule_level_set level,
                uint8_t out[DIGEST_BYTES], uint64_t *ret_count)
{
    crypto_generichash_state state;
    size_t count = level == RULES_NONE ? 0
                   : level == RULES_DEFAULT && set->pack_count > 1
                       ? set->firsts[1]
                       : set->count;

    begin(&state);
    for (size_t i = 0; i < count; i++) {
        add_rule(&state, set->codes[i].rule);
    }
    (void)crypto_generichash_final(&state, out, DIGEST_BYTES);
    *ret_count = count;
}
