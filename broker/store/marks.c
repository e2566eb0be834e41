#include "store/marks.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "store/tx.h"

enum {
    FIRST_COUNT = 64,
    ID_MAX = 1 << 28, /* rows of one table: 6 GiB of marks, never reached */
};

struct mark {
    uint8_t tag[TAG_BYTES];
    uint8_t state; /* enum mark_state */
};

struct marks {
    struct mark *rows[TABLE_END];
    size_t counts[TABLE_END];
};

enum ag_err
marks_new(struct marks **ret)
{
    struct marks *m = calloc(1, sizeof(*m));

    if (m == NULL) {
        return AG_ENOMEM;
    }
    *ret = m;
    return AG_OK;
}

void
marks_free(struct marks *m)
{
    size_t i;

    if (m != NULL) {
        for (i = 0; i < TABLE_END; i++) {
            free(m->rows[i]);
        }
        free(m);
    }
}

static enum ag_err
grow(struct marks *m, unsigned table, size_t index)
{
    size_t count = m->counts[table] == 0 ? FIRST_COUNT : m->counts[table];
    struct mark *rows;

    while (count <= index) {
        count *= 2;
    }
    if (count == m->counts[table]) {
        return AG_OK;
    }
    rows = realloc(m->rows[table], count * sizeof(*rows));
    if (rows == NULL) {
        return AG_ENOMEM;
    }
    memset(rows + m->counts[table], 0,
           (count - m->counts[table]) * sizeof(*rows));
    m->rows[table] = rows;
    m->counts[table] = count;
    return AG_OK;
}

static enum ag_err
add_one(struct marks *m, const uint8_t *mark)
{
    struct mark *row;
    uint64_t id = 0;
    size_t i;
    enum ag_err err;

    for (i = 0; i < 8; i++) {
        id |= (uint64_t)mark[1 + i] << (8 * i);
    }
    if (table_find(mark[0]) == NULL || id == 0 || id >= ID_MAX) {
        return err_why(AG_ECORRUPT, "the record names an unknown row");
    }
    err = grow(m, mark[0], (size_t)id);
    if (err != AG_OK) {
        return err;
    }
    row = &m->rows[mark[0]][id];
    memcpy(row->tag, mark + 9, TAG_BYTES);
    row->state = sodium_is_zero(row->tag, TAG_BYTES) ? MARK_NONE : MARK_WANTED;
    return AG_OK;
}

enum ag_err
marks_add(struct marks *m, struct span bytes)
{
    enum ag_err err = AG_OK;
    size_t i;

    for (i = 0; i + TX_MARK_BYTES <= bytes.len && err == AG_OK;
         i += TX_MARK_BYTES) {
        err = add_one(m, bytes.ptr + i);
    }
    return err;
}

enum mark_state
marks_meet(struct marks *m, const struct table *t, int64_t id, struct span tag)
{
    struct mark *row;

    if (id <= 0 || (size_t)id >= m->counts[t->id]) {
        return MARK_NONE;
    }
    row = &m->rows[t->id][id];
    if (row->state == MARK_WANTED &&
        span_equal(tag, span_of(row->tag, TAG_BYTES))) {
        row->state = MARK_MET;
    }
    return (enum mark_state)row->state;
}

int64_t
marks_missing(const struct marks *m, const struct table *t)
{
    size_t i;

    for (i = 0; i < m->counts[t->id]; i++) {
        if (m->rows[t->id][i].state == MARK_WANTED) {
            return (int64_t)i;
        }
    }
    return 0;
}
