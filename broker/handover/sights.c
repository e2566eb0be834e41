#include "handover/sights.h"

enum {
    TOKEN_BIT = 63, /* of an id: a token's, no version's (core/redaction) */
};

/* Rows come in the same order each time. Rules and tokens are no secrets of the
 * vault. */
void
sights_note(struct sights *s, const struct filter_report *report)
{
    size_t count = 0;

    for (size_t i = 0; i < report->count_count; i++) {
        const struct filter_count *row = &report->counts[i];

        if (!filter_is_rule(row) && row->id >> TOKEN_BIT == 0) {
            s->rows[count] =
                (struct incident_sight){.value_id = row->id,
                                        .form = row->form,
                                        .is_sure = !filter_is_look(row),
                                        .count = (int64_t)row->count};
            count++;
        }
    }
    s->count = count;
}

size_t
sights_fresh(struct sights *s, bool ended,
             struct incident_sight out[SIGHTS_MAX_COUNT])
{
    size_t count = 0;

    for (size_t i = 0; i < s->count; i++) {
        int64_t more = s->rows[i].count - s->told[i];

        if (more > 0 && (ended || s->told[i] == 0)) {
            out[count] = s->rows[i];
            out[count++].count = more;
            s->told[i] = s->rows[i].count;
        }
    }
    return count;
}
