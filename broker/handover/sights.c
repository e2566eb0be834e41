#include "handover/sights.h"

#include <stdlib.h>
#include <string.h>

enum {
    TOKEN_BIT = 63, /* of an id: a token's, no version's (core/redaction) */
    REST_MIN_ROOM = 64,
};

void
sights_done(struct sights *s)
{
    free(s->rest);
    *s = (struct sights){0};
}

/* Rules and tokens are no secrets of the vault. */
static bool
is_of_vault(const struct filter_count *row)
{
    return !filter_is_rule(row) && row->id >> TOKEN_BIT == 0;
}

static struct incident_sight
sight_of(const struct filter_count *row)
{
    return (struct incident_sight){.value_id = row->id,
                                   .form = row->form,
                                   .is_sure = !filter_is_look(row),
                                   .count = (int64_t)row->count};
}

/* Rows come in the same order each time. */
void
sights_note(struct sights *s, const struct filter_report *report)
{
    size_t count = 0;

    for (size_t i = 0; i < report->count_count; i++) {
        if (is_of_vault(&report->counts[i])) {
            s->rows[count++].sight = sight_of(&report->counts[i]);
        }
    }
    s->count = count > s->count ? count : s->count;
}

/* ---- the rest ---- */

static bool
comes_before(const struct incident_sight *a, const struct incident_sight *b)
{
    return a->value_id != b->value_id ? a->value_id < b->value_id
                                      : a->is_sure < b->is_sure;
}

/* The first row that does not come before it. */
static size_t
place_of(const struct sights *s, const struct incident_sight *sight)
{
    size_t from = 0;
    size_t to = s->rest_count;

    while (from < to) {
        size_t middle = from + (to - from) / 2;

        if (comes_before(&s->rest[middle].sight, sight)) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from;
}

static bool
make_room(struct sights *s)
{
    size_t room = s->rest_room == 0 ? REST_MIN_ROOM : 2 * s->rest_room;
    struct sight_row *rows = NULL;

    if (s->rest_count < s->rest_room) {
        return true;
    }
    rows = reallocarray(s->rest, room, sizeof(*rows));
    if (rows == NULL) {
        return false;
    }
    s->rest = rows;
    s->rest_room = room;
    return true;
}

static void
add_one(struct sights *s, const struct incident_sight *sight)
{
    size_t at = place_of(s, sight);

    if (at < s->rest_count && !comes_before(sight, &s->rest[at].sight)) {
        s->rest[at].sight.count += sight->count;
        return;
    }
    if (!make_room(s)) {
        return;
    }
    memmove(&s->rest[at + 1], &s->rest[at],
            (s->rest_count - at) * sizeof(*s->rest));
    s->rest[at] = (struct sight_row){.sight = *sight};
    s->rest_count++;
}

void
sights_add(struct sights *s, const struct filter_report *report)
{
    for (size_t i = 0; i < report->count_count; i++) {
        if (is_of_vault(&report->counts[i])) {
            struct incident_sight sight = sight_of(&report->counts[i]);

            add_one(s, &sight);
        }
    }
}

/* ---- told ---- */

static size_t
take_fresh(struct sight_row *rows, size_t row_count, bool ended,
           struct incident_sight *out, size_t room)
{
    size_t count = 0;

    for (size_t i = 0; i < row_count && count < room; i++) {
        int64_t more = rows[i].sight.count - rows[i].told;

        if (more > 0 && (ended || rows[i].told == 0)) {
            out[count] = rows[i].sight;
            out[count++].count = more;
            rows[i].told = rows[i].sight.count;
        }
    }
    return count;
}

size_t
sights_fresh(struct sights *s, bool ended,
             struct incident_sight out[SIGHTS_MAX_COUNT])
{
    size_t count = take_fresh(s->rows, s->count, ended, out, SIGHTS_MAX_COUNT);

    return count + take_fresh(s->rest, s->rest_count, ended, out + count,
                              SIGHTS_MAX_COUNT - count);
}
