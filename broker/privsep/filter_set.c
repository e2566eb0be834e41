#include "privsep/filter_set.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "redact/lockmem.h"

enum {
    ROOM_FIRST_BYTES = 64 * 1024,
    ON_TOP_MIN_COUNT = 32, /* so few are never worth compiling all anew */
    WAITING_MAX_COUNT = 4 * FILTER_SPARE_MAX_COUNT,
    CHANGES_MAX_COUNT = 2 * MATCHER_VALUES_MAX_COUNT,
};

/* A load or a drop that waits. Its bytes lie in the room of the set. */
struct change {
    uint64_t id;
    bool is_drop;
    bool is_group; /* a drop of all ids of the group */
    enum matcher_flags flags;
    size_t at; /* name, then value */
    size_t name_len;
    size_t value_len;
    size_t value_got;
};

struct fset {
    pthread_rwlock_t lock; /* over `set`: written by commit and wipe only */
    struct matcher *set;   /* NULL: none in force */
    uint64_t epoch;
    struct change *changes;
    size_t change_count;
    size_t change_cap;
    struct lockmem room;
    size_t room_len;
};

enum ag_err
fset_new(struct fset **ret)
{
    struct fset *s = calloc(1, sizeof(*s));
    pthread_rwlockattr_t attr;

    if (s == NULL) {
        return AG_ENOMEM;
    }
    /* Else a stream at full speed could keep a commit waiting for ever. */
    (void)pthread_rwlockattr_init(&attr);
    (void)pthread_rwlockattr_setkind_np(
        &attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    (void)pthread_rwlock_init(&s->lock, &attr);
    (void)pthread_rwlockattr_destroy(&attr);
    *ret = s;
    return AG_OK;
}

static void
forget_changes(struct fset *s)
{
    lockmem_done(&s->room);
    s->room_len = 0;
    s->change_count = 0;
}

void
fset_free(struct fset *s)
{
    if (s == NULL) {
        return;
    }
    forget_changes(s);
    matcher_unref(s->set);
    (void)pthread_rwlock_destroy(&s->lock);
    free(s->changes);
    free(s);
}

/* ---- changes ---- */

static enum ag_err
need_room(struct fset *s, size_t len)
{
    AG_AUTO(lockmem) struct lockmem larger = {.ptr = NULL};
    size_t wanted = s->room.len == 0 ? ROOM_FIRST_BYTES : s->room.len;
    struct lockmem old = s->room;
    enum ag_err err;

    while (wanted < s->room_len + len) {
        wanted *= 2;
    }
    if (wanted == s->room.len) {
        return AG_OK;
    }
    err = lockmem_init(wanted, &larger);
    if (err != AG_OK) {
        return err;
    }
    if (s->room_len > 0) {
        memcpy(larger.ptr, s->room.ptr, s->room_len);
    }
    s->room = larger;
    larger = old; /* wiped on the way out */
    return AG_OK;
}

static enum ag_err
need_change(struct fset *s)
{
    size_t cap = s->change_cap == 0 ? 64 : s->change_cap * 2;
    struct change *more;

    if (s->change_count < s->change_cap) {
        return AG_OK;
    }
    if (s->change_count >= CHANGES_MAX_COUNT) {
        return err_why(AG_ELIMIT, "too many changes of the redaction set");
    }
    more = reallocarray(s->changes, cap, sizeof(*more)); /* ids, no values */
    if (more == NULL) {
        return AG_ENOMEM;
    }
    s->changes = more;
    s->change_cap = cap;
    return AG_OK;
}

static void
add_bytes(struct fset *s, struct span bytes)
{
    if (bytes.len > 0) {
        memcpy((uint8_t *)s->room.ptr + s->room_len, bytes.ptr, bytes.len);
    }
    s->room_len += bytes.len;
}

static uint64_t
group_of(uint64_t id)
{
    return id >> FILTER_GROUP_BITS << FILTER_GROUP_BITS;
}

static bool
is_incomplete(const struct fset *s)
{
    const struct change *last;

    if (s->change_count == 0) {
        return false;
    }
    last = &s->changes[s->change_count - 1];
    return !last->is_drop && last->value_got < last->value_len;
}

static enum ag_err
add_more(struct fset *s, struct span part)
{
    struct change *last;
    enum ag_err err;

    if (!is_incomplete(s)) {
        return AG_EINVAL;
    }
    last = &s->changes[s->change_count - 1];
    if (part.len > last->value_len - last->value_got) {
        return AG_EINVAL;
    }
    err = need_room(s, part.len);
    if (err == AG_OK) {
        add_bytes(s, part);
        last->value_got += part.len;
    }
    return err;
}

enum ag_err
fset_change(struct fset *s, const struct fmsg_record *record)
{
    enum ag_err err;

    if (record->kind == FMSG_MORE) {
        return add_more(s, record->part);
    }
    if (is_incomplete(s)) {
        s->change_count--; /* its rest never came: the broker sends it anew */
    }
    err = need_change(s);
    if (err == AG_OK) {
        err = need_room(s, record->name.len + record->value_len);
    }
    if (err != AG_OK) {
        return err;
    }
    s->changes[s->change_count++] = (struct change){
        .id =
            record->kind == FMSG_DROP_GROUP ? group_of(record->id) : record->id,
        .is_drop = record->kind != FMSG_LOAD,
        .is_group = record->kind == FMSG_DROP_GROUP,
        .flags = record->flags,
        .at = s->room_len,
        .name_len = record->name.len,
        .value_len = record->value_len,
        .value_got = record->part.len,
    };
    add_bytes(s, record->name);
    add_bytes(s, record->part);
    if (s->change_count > WAITING_MAX_COUNT && s->set != NULL &&
        !is_incomplete(s)) {
        uint64_t epoch = 0;

        return fset_commit(s, &epoch); /* tokens by the thousand */
    }
    return AG_OK;
}

/* ---- commit ---- */

/* The last change of each id and of each group: a table of 1 + index, open
 * addressing. */
struct latest {
    size_t *slots;
    size_t mask;
    bool has_groups;
};

static size_t *
find_slot(const struct fset *s, const struct latest *l, uint64_t id,
          bool is_group)
{
    size_t at = (size_t)(id * 0x9e3779b97f4a7c15ULL >> 20) & l->mask;

    while (l->slots[at] != 0 &&
           (s->changes[l->slots[at] - 1].id != id ||
            s->changes[l->slots[at] - 1].is_group != is_group)) {
        at = (at + 1) & l->mask;
    }
    return &l->slots[at];
}

/* 1 + index of the last change that concerns the value `id`; 0: none does. */
static size_t
last_change(const struct fset *s, const struct latest *l, uint64_t id)
{
    size_t one = *find_slot(s, l, id, false);
    size_t group = l->has_groups ? *find_slot(s, l, group_of(id), true) : 0;

    return one > group ? one : group;
}

static enum ag_err
index_changes(const struct fset *s, struct latest *ret)
{
    size_t size = 16;
    size_t i;

    while (size < s->change_count * 2) {
        size *= 2;
    }
    ret->slots = calloc(size, sizeof(*ret->slots));
    ret->mask = size - 1;
    if (ret->slots == NULL) {
        return AG_ENOMEM;
    }
    for (i = 0; i < s->change_count; i++) {
        *find_slot(s, ret, s->changes[i].id, s->changes[i].is_group) = i + 1;
        ret->has_groups = ret->has_groups || s->changes[i].is_group;
    }
    return AG_OK;
}

/* Leaves out the oldest of the values that may go, if there are too many. */
static size_t
trim_spare(struct matcher_value *values, size_t count)
{
    size_t spare = 0;
    size_t kept = 0;
    size_t i;

    for (i = 0; i < count; i++) {
        spare += (values[i].flags & MATCHER_SPARE) != 0 ? 1 : 0;
    }
    for (i = 0; i < count; i++) {
        if ((values[i].flags & MATCHER_SPARE) != 0 &&
            spare > FILTER_SPARE_MAX_COUNT) {
            spare--;
            continue;
        }
        values[kept++] = values[i];
    }
    return kept;
}

/* The values of the next set from the `from`th old one on: those that nothing
 * changes, then loads that nothing later changes. Views only. */
static size_t
collect(const struct fset *s, const struct latest *l, size_t from,
        struct matcher_value *values)
{
    const uint8_t *room = s->room.ptr;
    size_t old_count = s->set == NULL ? 0 : matcher_count(s->set);
    size_t count = 0;
    size_t i;

    for (i = from; i < old_count; i++) {
        struct matcher_value old = matcher_value_at(s->set, i);

        if (last_change(s, l, old.id) == 0) {
            values[count++] = old;
        }
    }
    for (i = 0; i < s->change_count; i++) {
        const struct change *c = &s->changes[i];

        if (!c->is_drop && last_change(s, l, c->id) == i + 1) {
            values[count++] = (struct matcher_value){
                .id = c->id,
                .name = span_of(room + c->at, c->name_len),
                .value = span_of(room + c->at + c->name_len, c->value_len),
                .flags = c->flags,
            };
        }
    }
    return trim_spare(values, count);
}

/* Must this value of the base be compiled away? */
static bool
is_changed(const struct fset *s, const struct latest *l,
           struct matcher_value old)
{
    size_t change = last_change(s, l, old.id);

    return change != 0 && ((old.flags & MATCHER_SPARE) == 0 ||
                           !s->changes[change - 1].is_drop);
}

/* How many old values may stay compiled as they are: all of the base if nothing
 * in it changes, else none. */
static size_t
count_kept(const struct fset *s, const struct latest *l)
{
    size_t kept = s->set == NULL ? 0 : matcher_count(matcher_base(s->set));
    size_t i;

    for (i = 0; i < kept; i++) {
        if (is_changed(s, l, matcher_value_at(s->set, i))) {
            return 0;
        }
    }
    return kept;
}

/* Does what comes on top of the base stay small against it? With n values a
 * commit then costs about the square root of 2n, not n. */
static bool
is_small(const struct fset *s, size_t kept)
{
    size_t on_top =
        s->change_count + (kept == 0 ? 0 : matcher_count(s->set) - kept);

    return on_top <= ON_TOP_MIN_COUNT || on_top * on_top <= 2 * kept;
}

/* With the first `kept` old values as they are. */
static enum ag_err
build_on(const struct fset *s, const struct latest *l, size_t kept,
         struct matcher **ret)
{
    size_t old_count = s->set == NULL ? 0 : matcher_count(s->set);
    struct matcher_value *values =
        calloc(old_count - kept + s->change_count + 1, sizeof(*values));
    size_t count;
    enum ag_err err;

    if (values == NULL) {
        return AG_ENOMEM;
    }
    count = collect(s, l, kept, values);
    if (kept == 0 || s->set == NULL) {
        err = matcher_build(values, count, ret);
    } else {
        err = matcher_extend(matcher_base(s->set), values, count, ret);
    }
    free(values);
    return err;
}

/* All anew takes the memory of the set once more; where that is not to be had,
 * more values on top are slower and no worse. */
static enum ag_err
build_from(const struct fset *s, const struct latest *l, struct matcher **ret)
{
    size_t kept = count_kept(s, l);
    enum ag_err err = build_on(s, l, is_small(s, kept) ? kept : 0, ret);

    return err == AG_EMEMLOCK && kept > 0 ? build_on(s, l, kept, ret) : err;
}

static enum ag_err
build_next(const struct fset *s, struct matcher **ret)
{
    struct latest latest = {.slots = NULL};
    enum ag_err err = index_changes(s, &latest);

    if (err == AG_OK) {
        err = build_from(s, &latest, ret);
    }
    free(latest.slots);
    return err;
}

static void
put_in_force(struct fset *s, struct matcher *next)
{
    struct matcher *old;

    (void)pthread_rwlock_wrlock(&s->lock);
    old = s->set;
    s->set = next;
    s->epoch += next != NULL ? 1 : 0;
    (void)pthread_rwlock_unlock(&s->lock);
    matcher_unref(old);
}

enum ag_err
fset_commit(struct fset *s, uint64_t *ret_epoch)
{
    struct matcher *next = NULL;
    enum ag_err err;

    if (is_incomplete(s)) {
        return err_why(AG_EINVAL, "a value of the redaction set is cut");
    }
    if (s->set == NULL || s->change_count > 0) {
        err = build_next(s, &next);
        if (err != AG_OK) {
            return err;
        }
        put_in_force(s, next);
        forget_changes(s);
    }
    *ret_epoch = s->epoch;
    return AG_OK;
}

void
fset_wipe(struct fset *s)
{
    forget_changes(s);
    put_in_force(s, NULL);
}

const struct matcher *
fset_enter(struct fset *s)
{
    (void)pthread_rwlock_rdlock(&s->lock);
    if (s->set == NULL) {
        (void)pthread_rwlock_unlock(&s->lock);
        return NULL;
    }
    return s->set;
}

void
fset_leave(struct fset *s)
{
    (void)pthread_rwlock_unlock(&s->lock);
}

uint64_t
fset_epoch(const struct fset *s)
{
    return s->epoch;
}

struct fset_stats
fset_stats(struct fset *s)
{
    struct fset_stats stats = {.epoch = 0};
    const struct matcher *set = fset_enter(s);

    if (set != NULL) {
        stats.epoch = s->epoch;
        stats.value_count = matcher_count(set);
        stats.entry_count = matcher_entry_count(set);
        fset_leave(s);
    }
    return stats;
}
