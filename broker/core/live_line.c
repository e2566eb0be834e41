/* The table of live tokens: those that were renewed. */
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "core/live_impl.h"

static bool
same(const uint8_t *a, const uint8_t *b)
{
    return span_equal(span_of(a, TOKEN_HASH_BYTES),
                      span_of(b, TOKEN_HASH_BYTES));
}

static struct live_seen
seen_of(const struct live_line *line, const uint8_t *text)
{
    struct live_seen seen = {.text = LIVE_OLD,
                             .used = line->used,
                             .in_force = line->generation,
                             .renewed_ms = line->renewed_ms};

    if (same(line->text, text)) {
        seen.text = LIVE_NOW;
        seen.generation = line->generation;
    } else if (same(line->before, text)) {
        seen.text = LIVE_BEFORE;
        seen.generation = line->before_generation;
    }
    return seen;
}

struct live_token *
live_find_line(struct live_tokens *table, const uint8_t line[TOKEN_HASH_BYTES],
               const uint8_t text[TOKEN_HASH_BYTES], struct live_seen *ret)
{
    struct live_token **slot = NULL;
    struct live_token *token = NULL;

    (void)pthread_rwlock_rdlock(&table->lock);
    slot = live_slot(table, line);
    if (slot != NULL && (*slot)->line != NULL) {
        token = *slot;
        (void)atomic_fetch_add(&token->refs, 1);
        *ret = seen_of(token->line, text);
    }
    (void)pthread_rwlock_unlock(&table->lock);
    return token;
}

/* To the place of its line; one that has left the table meanwhile stays out. */
static enum ag_err
move(struct live_tokens *table, struct live_token *token, const uint8_t *hash)
{
    struct live_token **slot = live_slot(table, token->hash);
    enum ag_err err = AG_OK;

    if (slot == NULL || *slot != token || same(token->hash, hash)) {
        return AG_OK;
    }
    err = live_room(table);
    if (err != AG_OK) {
        return err;
    }
    slot = live_slot(table, token->hash);
    *slot = &live_tombstone;
    memcpy(token->hash, hash, sizeof(token->hash));
    live_place(table->slots, table->slot_count, token);
    table->used++;
    return AG_OK;
}

enum ag_err
live_set_line(struct live_tokens *table, struct live_token *token,
              const struct live_line *line)
{
    struct live_line *copy = malloc(sizeof(*copy));
    struct live_line *out = copy;
    enum ag_err err = copy != NULL ? AG_OK : AG_ENOMEM;

    if (err != AG_OK) {
        return err;
    }
    *copy = *line;
    (void)pthread_rwlock_wrlock(&table->lock);
    err = move(table, token, line->hash);
    if (err == AG_OK) {
        out = token->line;
        token->line = copy;
        atomic_store(&token->generation, (unsigned)line->generation);
    }
    (void)pthread_rwlock_unlock(&table->lock);
    free(out);
    return err;
}
