#include "privsep/filter_live.h"

#include <stdlib.h>

#include "base/secret.h"
#include "privsep/filter_msg.h"
#include "redact/rule_filter.h"

struct live {
    struct live *next;
    uint64_t id;
    filter_end_fn ended;
    filter_hits_fn hits;
    filter_hits_fn rest;
    void *arg;
};

void
flive_init(struct flive_list *list)
{
    *list = (struct flive_list){.first = NULL};
    (void)pthread_mutex_init(&list->lock, NULL);
}

void
flive_done(struct flive_list *list)
{
    struct live *next = NULL;

    for (; list->first != NULL; list->first = next) {
        next = list->first->next;
        free(list->first);
    }
    (void)pthread_mutex_destroy(&list->lock);
}

enum ag_err
flive_add(struct flive_list *list, const struct filter_route *route,
          uint64_t *ret_id)
{
    struct live *live = calloc(1, sizeof(*live));

    if (live == NULL) {
        return AG_ENOMEM;
    }
    live->ended = route->ended;
    live->hits = route->hits;
    live->rest = route->rest;
    live->arg = route->arg;
    (void)pthread_mutex_lock(&list->lock);
    live->id = ++list->last_id;
    live->next = list->first;
    list->first = live;
    *ret_id = live->id;
    (void)pthread_mutex_unlock(&list->lock);
    return AG_OK;
}

static struct live *
take_live(struct flive_list *list, uint64_t id)
{
    struct live *found = NULL;
    struct live **at;

    (void)pthread_mutex_lock(&list->lock);
    for (at = &list->first; *at != NULL && found == NULL;) {
        if ((*at)->id == id) {
            found = *at;
            *at = found->next;
        } else {
            at = &(*at)->next;
        }
    }
    (void)pthread_mutex_unlock(&list->lock);
    return found;
}

bool
flive_drop(struct flive_list *list, uint64_t id)
{
    struct live *live = take_live(list, id);

    free(live);
    return live != NULL;
}

bool
filter_is_rule(const struct filter_count *row)
{
    return (row->id & RULE_FILTER_ID_BITS) == RULE_FILTER_ID_BITS;
}

bool
filter_is_look(const struct filter_count *row)
{
    return variant_is_look(row->form);
}

static void
report(const struct live *live, filter_end_fn say, const struct fmsg_end *end)
{
    struct filter_count counts[FILTER_COUNTS_MAX_COUNT];
    struct filter_report said = {
        .stream = end->id,
        .result = end->result,
        .bytes_in = end->bytes_in,
        .bytes_out = end->bytes_out,
        .hits = end->hits,
        .counts = counts,
        .count_count = end->row_count,
        .vouch = end->has_vouch ? &end->vouch : NULL,
    };
    size_t i;

    for (i = 0; i < end->row_count; i++) {
        const struct fmsg_row *row = &end->rows[i];

        counts[i] = (struct filter_count){
            .id = row->id,
            .name = row->name,
            .form = variant_name(row->form),
            .count = row->count,
            .first_offset = row->first_offset,
        };
    }
    say(live->arg, &said);
}

static void
tell_ended(struct live *live, const struct fmsg_end *end)
{
    report(live, live->ended, end);
    free(live);
}

/* One that runs stays on the list. Under the lock, so that nobody drops it, and
 * what it speaks to, meanwhile. */
static void
tell_hits(struct flive_list *list, uint16_t op, const struct fmsg_end *so_far)
{
    struct live *live = NULL;
    filter_hits_fn say = NULL;

    (void)pthread_mutex_lock(&list->lock);
    live = list->first;
    while (live != NULL && live->id != so_far->id) {
        live = live->next;
    }
    if (live != NULL) {
        say = op == FILTER_OP_HITS ? live->hits : live->rest;
    }
    if (say != NULL) {
        report(live, say, so_far);
    }
    (void)pthread_mutex_unlock(&list->lock);
}

void
flive_on_event(struct flive_list *list, uint16_t op, struct span body)
{
    static struct fmsg_end end; /* one channel thread; too large for a stack */
    struct live *live;

    if ((op != FILTER_OP_END && op != FILTER_OP_HITS && op != FILTER_OP_REST) ||
        fmsg_get_end(body, &end) != AG_OK) {
        return;
    }
    if (op != FILTER_OP_END) {
        tell_hits(list, op, &end);
        return;
    }
    live = take_live(list, end.id);
    if (live != NULL) {
        tell_ended(live, &end);
    }
    wipe(&end.vouch, sizeof(end.vouch));
}

void
flive_on_death(struct flive_list *list)
{
    struct fmsg_end *end = calloc(1, sizeof(*end));
    struct live *rest;

    (void)pthread_mutex_lock(&list->lock);
    rest = list->first;
    list->first = NULL;
    (void)pthread_mutex_unlock(&list->lock);
    AG_ASSERT(end != NULL);
    end->result = AG_EFILTER;
    while (rest != NULL) {
        struct live *live = rest;

        rest = live->next;
        end->id = live->id;
        tell_ended(live, end);
    }
    free(end);
}
