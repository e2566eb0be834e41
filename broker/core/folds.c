#include "core/folds.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "caller/peer.h"

enum {
    ENTRIES_COUNT = 1024, /* some 300 KiB, touched as they are needed */
    MINUTE_MS = 60 * 1000,
};

/* One text of a kind; the one without a text is of the kind as a whole. */
struct entry {
    int64_t caller; /* 0: free */
    enum fold_kind kind;
    int64_t since_ms; /* when the minute of `rows` began */
    int64_t rows;
    int64_t folded;
    int64_t due_ms;  /* of `folded`, when there are any */
    int64_t writing; /* of them: on their way to the record */
    char text[FOLD_TEXT_BYTES];
};

struct folds {
    pthread_mutex_t lock; /* over all below */
    size_t used_count;    /* no entry behind was ever used */
    struct entry entries[ENTRIES_COUNT];
};

static const int64_t ROWS_OF_TEXT[FOLD_KINDS_COUNT] = {
    [FOLD_REFUSED] = FOLDS_ROWS_PER_MINUTE,
    [FOLD_TUNNEL] = FOLDS_CALLS_PER_MINUTE,
    [FOLD_CALLED] = FOLDS_CALLS_PER_MINUTE,
    [FOLD_HISTORY] = 1,
    [FOLD_TOKEN] = FOLDS_ROWS_PER_MINUTE,
};

enum ag_err
folds_new(struct folds **ret)
{
    struct folds *f = calloc(1, sizeof(*f));

    if (f == NULL) {
        return AG_ENOMEM;
    }
    (void)pthread_mutex_init(&f->lock, NULL);
    *ret = f;
    return AG_OK;
}

void
folds_free(struct folds *f)
{
    if (f != NULL) {
        (void)pthread_mutex_destroy(&f->lock);
        free(f);
    }
}

int64_t
fold_caller(const struct call *call)
{
    return call->who == CALLER_TASK ? call->task_id
                                    : -1 - (int64_t)peer_uid(call->peer);
}

/* ---- under the lock ---- */

static bool
is_over(const struct entry *e, int64_t now_ms)
{
    return now_ms - e->since_ms >= MINUTE_MS;
}

static bool
is_free(const struct entry *e, int64_t now_ms)
{
    return e->caller == 0 ||
           (e->folded == 0 && e->writing == 0 && is_over(e, now_ms));
}

struct place {
    struct entry *found; /* the entry that is asked for */
    struct entry *room;  /* or where it may be made */
    size_t texts_count;  /* that the caller has */
};

static struct place
look(struct folds *f, int64_t caller, enum fold_kind kind, const char *text,
     int64_t now_ms)
{
    struct place p = {0};

    for (size_t i = 0; i < f->used_count; i++) {
        struct entry *e = &f->entries[i];

        if (e->caller == caller && e->kind == kind &&
            strcmp(e->text, text) == 0) {
            p.found = e;
        } else if (is_free(e, now_ms)) {
            p.room = p.room != NULL ? p.room : e;
        } else if (e->caller == caller && e->text[0] != '\0') {
            p.texts_count++;
        }
    }
    if (p.room == NULL && f->used_count < ENTRIES_COUNT) {
        p.room = &f->entries[f->used_count];
    }
    return p;
}

/* Its entry, in a minute that is not over; NULL: there is no room. */
static struct entry *
get(struct folds *f, int64_t caller, enum fold_kind kind, const char *text,
    int64_t now_ms)
{
    struct place p = look(f, caller, kind, text, now_ms);

    if (p.found != NULL) {
        if (is_over(p.found, now_ms)) {
            p.found->since_ms = now_ms;
            p.found->rows = 0;
        }
        return p.found;
    }
    if (p.room == NULL ||
        (text[0] != '\0' && p.texts_count >= FOLDS_TEXTS_COUNT)) {
        return NULL;
    }
    if (p.room == &f->entries[f->used_count]) {
        f->used_count++;
    }
    *p.room =
        (struct entry){.caller = caller, .kind = kind, .since_ms = now_ms};
    (void)snprintf(p.room->text, sizeof(p.room->text), "%s", text);
    return p.room;
}

static enum fold_row
note(struct folds *f, int64_t caller, enum fold_kind kind, const char *text,
     int64_t now_ms)
{
    struct entry *sum = get(f, caller, kind, "", now_ms);
    struct entry *own = sum != NULL ? get(f, caller, kind, text, now_ms) : NULL;
    int64_t left = 0;

    if (sum == NULL) {
        return FOLD_ROW;
    }
    left = FOLDS_ROWS_PER_MINUTE - sum->rows;
    if (own != NULL && ROWS_OF_TEXT[kind] - own->rows < left) {
        left = ROWS_OF_TEXT[kind] - own->rows;
    }
    if (left > 0) {
        sum->rows++;
        if (own != NULL && own != sum) {
            own->rows++;
        }
        return left > 1 ? FOLD_ROW : FOLD_LAST_ROW;
    }
    own = own != NULL ? own : sum;
    if (own->folded++ == 0) {
        own->due_ms = now_ms + MINUTE_MS;
    }
    return FOLD_COUNTED;
}

/* ---- */

enum fold_row
folds_note(struct folds *f, int64_t caller, enum fold_kind kind,
           const char *text, int64_t now_ms)
{
    char cut[FOLD_TEXT_BYTES];
    enum fold_row row;

    (void)snprintf(cut, sizeof(cut), "%s", text);
    (void)pthread_mutex_lock(&f->lock);
    row = note(f, caller, kind, cut, now_ms);
    (void)pthread_mutex_unlock(&f->lock);
    return row;
}

int64_t
folds_next_ms(struct folds *f)
{
    int64_t next_ms = INT64_MAX;

    (void)pthread_mutex_lock(&f->lock);
    for (size_t i = 0; i < f->used_count; i++) {
        const struct entry *e = &f->entries[i];

        if (e->folded > 0 && e->due_ms < next_ms) {
            next_ms = e->due_ms;
        }
    }
    (void)pthread_mutex_unlock(&f->lock);
    return next_ms;
}

void
folds_take(struct folds *f, int64_t caller, int64_t now_ms,
           struct fold_batch *ret)
{
    ret->count = 0;
    (void)pthread_mutex_lock(&f->lock);
    for (size_t i = 0; i < f->used_count && ret->count < FOLD_BATCH_MAX_COUNT;
         i++) {
        struct entry *e = &f->entries[i];
        struct fold *out = &ret->items[ret->count];

        /* Of one that is being written the rest waits for the next time. */
        if (e->folded == 0 || e->writing != 0 ||
            (caller != 0 ? e->caller != caller : e->due_ms > now_ms)) {
            continue;
        }
        *out = (struct fold){
            .at = i, .caller = e->caller, .kind = e->kind, .count = e->folded};
        memcpy(out->text, e->text, sizeof(out->text));
        e->writing = e->folded;
        e->folded = 0;
        ret->count++;
    }
    (void)pthread_mutex_unlock(&f->lock);
}

void
folds_settle(struct folds *f, const struct fold_batch *batch, bool written)
{
    (void)pthread_mutex_lock(&f->lock);
    for (size_t i = 0; i < batch->count; i++) {
        struct entry *e = &f->entries[batch->items[i].at];

        e->folded += written ? 0 : e->writing;
        e->writing = 0;
    }
    (void)pthread_mutex_unlock(&f->lock);
}
