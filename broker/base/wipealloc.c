#include "base/wipealloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

/* Before each block: its length, so that all of it can be wiped. */
union head {
    size_t len;
    max_align_t align;
};

void *
wipe_malloc(size_t len)
{
    size_t total;
    union head *head;

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
    free(head);
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
