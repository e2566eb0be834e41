#include "base/wipealloc.h"

#include <stdint.h>
#include <stdlib.h>

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
