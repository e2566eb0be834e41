/* The memory of the views. */
#include <stdlib.h>

#include "base/secret.h"
#include "redact/view_impl.h"

size_t
views_span_bytes(const struct matcher *set)
{
    size_t own = set->longest_piece_bytes;
    size_t below = set->base == NULL ? 0 : set->base->longest_piece_bytes;
    size_t span = VIEW_SPAN_PER_BYTE * (own > below ? own : below);
    size_t form = matcher_longest_bytes(set);

    return (span > form ? span : form) + VIEW_SPAN_SPARE_BYTES;
}

static enum ag_err
make_room(struct views *v, size_t cap)
{
    struct lockmem norm = {.ptr = NULL};
    const size_t map_bytes = sizeof(uint64_t) + 1;
    enum ag_err err;
    uint8_t *maps;
    size_t i;

    if (v->cap >= cap) {
        return AG_OK;
    }
    maps = calloc(cap * VIEW_COUNT, map_bytes);
    if (maps == NULL) {
        return AG_ENOMEM;
    }
    err = v->cap == 0 ? lockmem_init_text(cap * VIEW_COUNT, &norm)
                      : lockmem_init_late(cap * VIEW_COUNT, &norm);
    if (err != AG_OK) {
        free(maps);
        return err;
    }
    views_done(v);
    v->norm = norm;
    v->maps = maps;
    v->cap = cap;
    for (i = 0; i < VIEW_COUNT; i++) {
        v->list[i].norm = (uint8_t *)norm.ptr + i * cap;
        v->list[i].at = (uint64_t *)(void *)maps + i * cap;
        v->list[i].used = maps + VIEW_COUNT * cap * sizeof(uint64_t) + i * cap;
    }
    return AG_OK;
}

static void
begin_at(struct views *v, uint64_t offset)
{
    size_t i;

    v->holes.count = 0;
    for (i = 0; i < VIEW_COUNT; i++) {
        struct view *view = &v->list[i];

        view->pos = offset;
        view->clean = offset;
        view->aside = VIEW_NOWHERE;
        view->norm_len = 0;
        view->carry = 0;
        view->is_cut = false;
        view->is_on = false;
    }
}

enum ag_err
views_use(struct views *v, const struct matcher *set, uint64_t offset)
{
    size_t span = views_span_bytes(set);
    enum ag_err err = make_room(v, span + VIEW_BATCH_BYTES + STEP_MAX_BYTES +
                                       STEP_OUT_MAX_BYTES);

    if (err == AG_OK && v->serial != set->serial) {
        begin_at(v, offset);
        v->serial = set->serial;
        v->span_bytes = span;
    }
    return err;
}

void
views_restart(struct views *v)
{
    wipe(v->norm.ptr, v->norm.len);
    v->serial = 0;
    begin_at(v, 0);
}

void
views_done(struct views *v)
{
    lockmem_done(&v->norm);
    free(v->maps);
    v->maps = NULL;
    v->cap = 0;
}
