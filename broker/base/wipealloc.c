#include "base/wipealloc.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

/* Before each block: its length, so that all of it can be wiped. */
union head {
    size_t len;
    max_align_t align;
};

/* Blocks that were freed, and are wiped; the last is the warmest. */
static struct {
    pthread_mutex_t lock;
    size_t count;
    union head *blocks[WIPEALLOC_KEPT_MAX_COUNT];
} kept = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool
is_kept_size(size_t len)
{
    return len >= WIPEALLOC_KEPT_MIN_BYTES && len <= WIPEALLOC_KEPT_MAX_BYTES;
}

static void *
take_kept(size_t len)
{
    union head *found = NULL;

    (void)pthread_mutex_lock(&kept.lock);
    for (size_t i = kept.count; i > 0 && found == NULL; i--) {
        if (kept.blocks[i - 1]->len == len) {
            found = kept.blocks[i - 1];
            kept.count--;
            kept.blocks[i - 1] = kept.blocks[kept.count];
        }
    }
    (void)pthread_mutex_unlock(&kept.lock);
    return found == NULL ? NULL : found + 1;
}

/* False: there is no room for it. */
static bool
keep(union head *head)
{
    bool done = false;

    (void)pthread_mutex_lock(&kept.lock);
    if (kept.count < WIPEALLOC_KEPT_MAX_COUNT) {
        kept.blocks[kept.count++] = head;
        done = true;
    }
    (void)pthread_mutex_unlock(&kept.lock);
    return done;
}

size_t
wipe_kept_count(void)
{
    size_t count;

    (void)pthread_mutex_lock(&kept.lock);
    count = kept.count;
    (void)pthread_mutex_unlock(&kept.lock);
    return count;
}

void
wipe_shed(void)
{
    (void)pthread_mutex_lock(&kept.lock);
    while (kept.count > 0) {
        free(kept.blocks[--kept.count]);
    }
    (void)pthread_mutex_unlock(&kept.lock);
}

void *
wipe_malloc(size_t len)
{
    size_t total;
    union head *head;
    void *again = is_kept_size(len) ? take_kept(len) : NULL;

    if (again != NULL) {
        return again;
    }
    if (__builtin_add_overflow(len, sizeof(*head), &total)) {
        return NULL;
    }
    head = malloc(total);
    if (head == NULL) {
        return NULL;
    }
    head->len = len;
    return head + 1;
}

void
wipe_free(void *ptr)
{
    union head *head = ptr;

    if (ptr == NULL) {
        return;
    }
    head--;
    wipe(ptr, head->len);
    if (!is_kept_size(head->len) || !keep(head)) {
        free(head);
    }
}

void *
wipe_realloc(void *ptr, size_t len)
{
    const union head *head = ptr;
    void *moved;

    if (ptr == NULL) {
        return wipe_malloc(len);
    }
    if (len == 0) {
        wipe_free(ptr);
        return NULL;
    }
    head--;
    moved = wipe_malloc(len);
    if (moved != NULL) {
        memcpy(moved, ptr, head->len < len ? head->len : len);
        wipe_free(ptr);
    }
    return moved;
}

void *
wipe_calloc(size_t count, size_t len)
{
    size_t total;
    void *ptr;

    if (__builtin_mul_overflow(count, len, &total)) {
        return NULL;
    }
    ptr = wipe_malloc(total);
    if (ptr != NULL) {
        memset(ptr, 0, total);
    }
    return ptr;
}

char *
wipe_strdup(const char *text)
{
    size_t len = strlen(text) + 1;
    char *copy = wipe_malloc(len);

    if (copy != NULL) {
        memcpy(copy, text, len);
    }
    return copy;
}
