#include "store/uses_sum.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "store/audit.h"
#include "store/meta_row.h"
#include "store/tokens.h"
#include "store/tx.h"
#include "wire/emit.h"

struct sum_row {
    struct use use;
    int64_t count;
    int64_t first_ms;
    int64_t last_ms;
};

enum {
    ROWS_FIRST_COUNT = 64, /* most folds are of a few tasks */
    PLACES_PER_ROW = 2,
};

struct uses_sum {
    struct db_tx *tx;
    uint64_t seen;
    size_t count;
    size_t room;          /* of rows; a power of two */
    struct sum_row *rows; /* in order of arrival */
    uint16_t *places;     /* place in rows + 1, hashed; PLACES_PER_ROW each */
};

_Static_assert(USES_FOLD_MAX_COUNT < UINT16_MAX, "places hold an index");
_Static_assert(USES_FOLD_MAX_COUNT % ROWS_FIRST_COUNT == 0 &&
                   (USES_FOLD_MAX_COUNT & (USES_FOLD_MAX_COUNT - 1)) == 0,
               "doubling ends there");

static bool
same_use(const struct use *a, const struct use *b)
{
    return a->token_id == b->token_id && a->task_id == b->task_id &&
           a->secret_id == b->secret_id && a->version == b->version &&
           a->verb == b->verb;
}

static size_t
hash_use(const struct use *use)
{
    uint64_t h = (uint64_t)use->token_id * 0x9e3779b97f4a7c15U;

    h = (h ^ (uint64_t)use->secret_id) * 0x9e3779b97f4a7c15U;
    h = (h ^ (uint64_t)use->task_id) * 0x9e3779b97f4a7c15U;
    h = (h ^ (uint64_t)use->version << 3 ^ (uint64_t)use->verb) *
        0x9e3779b97f4a7c15U;
    return (size_t)(h >> 32);
}

static size_t
place_count(const struct uses_sum *sum)
{
    return sum->room * PLACES_PER_ROW;
}

/* Where its row is, or goes. */
static size_t
find_place(const struct uses_sum *sum, const struct use *use)
{
    size_t at = hash_use(use) % place_count(sum);

    while (sum->places[at] != 0 &&
           !same_use(&sum->rows[sum->places[at] - 1].use, use)) {
        at = (at + 1) % place_count(sum);
    }
    return at;
}

/* Twice the room, or the first. Errors: AG_ENOMEM; unchanged then. */
static enum ag_err
grow(struct uses_sum *sum)
{
    size_t room = sum->room == 0 ? ROWS_FIRST_COUNT : 2 * sum->room;
    uint16_t *places = calloc(room * PLACES_PER_ROW, sizeof(*places));
    struct sum_row *rows =
        places != NULL ? reallocarray(sum->rows, room, sizeof(*rows)) : NULL;

    if (rows == NULL) {
        free(places);
        return AG_ENOMEM;
    }
    free(sum->places);
    sum->rows = rows;
    sum->places = places;
    sum->room = room;
    for (size_t i = 0; i < sum->count; i++) {
        places[find_place(sum, &rows[i].use)] = (uint16_t)(i + 1);
    }
    return AG_OK;
}

enum ag_err
uses_sum_new(struct db_tx *tx, struct uses_sum **ret)
{
    AG_AUTO(uses_sum) struct uses_sum *sum = calloc(1, sizeof(*sum));
    enum ag_err err = sum != NULL ? grow(sum) : AG_ENOMEM;

    if (err == AG_OK) {
        sum->tx = tx;
        *ret = AG_TAKE(sum);
    }
    return err;
}

void
uses_sum_free(struct uses_sum *sum)
{
    if (sum != NULL) {
        free(sum->rows);
        free(sum->places);
    }
    free(sum);
}

enum ag_err
uses_sum_start(struct uses_sum *sum, uint64_t *ret_number)
{
    struct vault_row row;
    enum ag_err err = vault_row_get(&sum->tx->self, &row);

    if (err == AG_OK) {
        *ret_number = row.uses_folded;
    }
    return err;
}

static void
emit_rows(struct emit *e, const struct sum_row *rows, size_t count)
{
    size_t i;

    emit_open(e, NULL, '{');
    emit_open(e, "uses", '[');
    for (i = 0; i < count; i++) {
        emit_open(e, NULL, '{');
        emit_int(e, "token", rows[i].use.token_id);
        emit_int(e, "task", rows[i].use.task_id);
        emit_int(e, "secret", rows[i].use.secret_id);
        emit_int(e, "version", rows[i].use.version);
        emit_str(e, "verb", verb_text(rows[i].use.verb));
        emit_int(e, "count", rows[i].count);
        emit_time(e, "first", rows[i].first_ms);
        emit_time(e, "last", rows[i].last_ms);
        emit_close(e, '}');
    }
    emit_close(e, ']');
    emit_close(e, '}');
}

/* Uses of tokens that have a limit are counted in the token's row too. */
static enum ag_err
count_tokens(struct uses_sum *sum, const struct sum_row *rows, size_t count)
{
    enum ag_err err = AG_OK;
    size_t i;

    for (i = 0; i < count && err == AG_OK; i++) {
        if (rows[i].use.token_id != 0) {
            err =
                tokens_count_uses(sum->tx, rows[i].use.token_id, rows[i].count);
        }
        if (err == AG_ENOTFOUND) {
            err = AG_OK; /* the journal names a token that never was durable */
        }
    }
    return err;
}

static enum ag_err
put_rows(struct uses_sum *sum, const struct sum_row *rows, size_t count)
{
    AG_AUTO(buf) struct buf json;
    struct audit_event event = {.kind = AUDIT_USES};
    struct emit e;
    enum ag_err err;

    buf_init(&json, AUDIT_JSON_MAX_BYTES, BUF_PLAIN);
    emit_start(&e, &json);
    emit_rows(&e, rows, count);
    err = emit_end(&e);
    if (err == AG_OK) {
        err = count_tokens(sum, rows, count);
    }
    if (err != AG_OK) {
        return err;
    }
    if (count == 1) {
        event.task_id = rows[0].use.task_id;
        event.token_id = rows[0].use.token_id;
        event.secret_id = rows[0].use.secret_id;
    }
    event.json = buf_view(&json);
    return audit_append(sum->tx, &event, NULL);
}

static enum ag_err
flush(struct uses_sum *sum)
{
    enum ag_err err = AG_OK;
    size_t i;

    for (i = 0; i < sum->count && err == AG_OK; i += USES_ROW_MAX_COUNT) {
        size_t count = sum->count - i;

        err = put_rows(sum, sum->rows + i,
                       count < USES_ROW_MAX_COUNT ? count : USES_ROW_MAX_COUNT);
    }
    sum->count = 0;
    for (i = 0; i < place_count(sum); i++) {
        sum->places[i] = 0;
    }
    return err;
}

enum ag_err
uses_sum_add(struct uses_sum *sum, const struct use_seen *seen)
{
    size_t at = find_place(sum, &seen->use);
    enum ag_err err = AG_OK;

    if (sum->places[at] != 0) {
        struct sum_row *row = &sum->rows[sum->places[at] - 1];

        sum->seen++;
        row->count++;
        row->last_ms = seen->wall_ms;
        return AG_OK;
    }
    if (sum->count == sum->room) {
        err = grow(sum);
        if (err != AG_OK) {
            return err;
        }
        at = find_place(sum, &seen->use);
    }
    sum->seen++;
    sum->rows[sum->count] = (struct sum_row){.use = seen->use,
                                             .count = 1,
                                             .first_ms = seen->wall_ms,
                                             .last_ms = seen->wall_ms};
    sum->count++;
    sum->places[at] = (uint16_t)sum->count;
    return sum->count == USES_FOLD_MAX_COUNT ? flush(sum) : AG_OK;
}

static enum ag_err
note_missing(struct uses_sum *sum, const struct uses_folded *found)
{
    char json[96];

    if (found->lost == 0 && found->torn == 0) {
        return AG_OK;
    }
    (void)snprintf(json, sizeof(json), "{\"lost\":%llu,\"torn\":%llu}",
                   (unsigned long long)found->lost,
                   (unsigned long long)found->torn);
    return audit_note(sum->tx, AUDIT_USES_LOST, 0, 0, json);
}

enum ag_err
uses_sum_end(struct uses_sum *sum, uint64_t number,
             const struct uses_folded *found)
{
    struct vault_row row;
    enum ag_err err;

    if (sum->seen == 0 && found->lost == 0) {
        return note_missing(sum, found);
    }
    err = vault_row_get(&sum->tx->self, &row);
    if (err == AG_OK) {
        row.uses_folded = number;
        err = vault_row_put(sum->tx, &row);
    }
    if (err == AG_OK) {
        err = note_missing(sum, found);
    }
    if (err == AG_OK && sum->count == 0 && found->lost == 0) {
        /* The table was emptied by the very last use: number needs a row. */
        return audit_note(sum->tx, AUDIT_USES, 0, 0, "{\"uses\":[]}");
    }
    return err != AG_OK ? err : flush(sum);
}
