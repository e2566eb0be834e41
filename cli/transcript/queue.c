#include "transcript/queue.h"

#include <stdlib.h>
#include <string.h>

void
queue_init(struct queue *q, int64_t quiet_ms)
{
    *q = (struct queue){.quiet_ms = quiet_ms};
    TAILQ_INIT(&q->list);
}

void
queue_done(struct queue *q)
{
    struct queued *item;

    while ((item = TAILQ_FIRST(&q->list)) != NULL) {
        TAILQ_REMOVE(&q->list, item, link);
        free(item);
    }
    q->count = 0;
}

static struct queued *
find(const struct queue *q, const char *path)
{
    struct queued *item;

    TAILQ_FOREACH(item, &q->list, link)
    {
        if (strcmp(item->path, path) == 0) {
            return item;
        }
    }
    return NULL;
}

static enum ag_err
find_or_add(struct queue *q, const char *path, int64_t now, struct queued **ret)
{
    struct queued *item = find(q, path);

    if (item == NULL) {
        if (q->count == QUEUE_MAX_COUNT) {
            return AG_ELIMIT;
        }
        item = calloc(1, sizeof(*item) + strlen(path) + 1);
        if (item == NULL) {
            return AG_ENOMEM;
        }
        memcpy(item->path, path, strlen(path) + 1);
        item->since_ms = now;
        TAILQ_INSERT_TAIL(&q->list, item, link);
        q->count++;
    }
    *ret = item;
    return AG_OK;
}

enum ag_err
queue_note(struct queue *q, const char *path, int64_t now)
{
    struct queued *item;
    int64_t last;
    enum ag_err err = find_or_add(q, path, now, &item);

    if (err != AG_OK) {
        return err;
    }
    if (item->again_ms != 0) {
        item->since_ms = now; /* it was in use until now */
        item->again_ms = 0;
    }
    last = item->since_ms + q->quiet_ms * QUEUE_PATIENCE;
    item->due_ms = now + q->quiet_ms < last ? now + q->quiet_ms : last;
    return AG_OK;
}

enum ag_err
queue_again(struct queue *q, const char *path, int64_t now)
{
    struct queued *item;
    enum ag_err err = find_or_add(q, path, now, &item);

    if (err != AG_OK) {
        return err;
    }
    item->again_ms = item->again_ms == 0 ? q->quiet_ms : item->again_ms * 2;
    if (item->again_ms > QUEUE_AGAIN_MAX_MS) {
        item->again_ms = QUEUE_AGAIN_MAX_MS;
    }
    item->due_ms = now + item->again_ms;
    return AG_OK;
}

const char *
queue_due(const struct queue *q, int64_t now)
{
    const struct queued *item;

    TAILQ_FOREACH(item, &q->list, link)
    {
        if (item->due_ms <= now) {
            return item->path;
        }
    }
    return NULL;
}

void
queue_drop(struct queue *q, const char *path)
{
    struct queued *item = find(q, path);

    if (item != NULL) {
        TAILQ_REMOVE(&q->list, item, link);
        free(item);
        q->count--;
    }
}

int64_t
queue_next_ms(const struct queue *q)
{
    const struct queued *item;
    int64_t next = -1;

    TAILQ_FOREACH(item, &q->list, link)
    {
        next = next < 0 || item->due_ms < next ? item->due_ms : next;
    }
    return next;
}
