#include "core/recent.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

enum {
    TAIL_BYTES = 8, /* of a text: the end of its number tells them apart */
};

struct place {
    uint64_t keyring;
    uint64_t id;
    size_t len; /* 0: empty */
    uint8_t text[RECENT_TEXT_MAX_BYTES];
};

struct recent {
    pthread_mutex_t lock;
    struct place places[RECENT_PLACES_COUNT];
};

enum ag_err
recent_new(struct recent **ret)
{
    struct recent *r = calloc(1, sizeof(*r));

    if (r == NULL) {
        return AG_ENOMEM;
    }
    (void)pthread_mutex_init(&r->lock, NULL);
    *ret = r;
    return AG_OK;
}

void
recent_free(struct recent *r)
{
    if (r != NULL) {
        (void)pthread_mutex_destroy(&r->lock);
    }
    free(r);
}

/* NULL: of that length none is kept. */
static struct place *
place_of(struct recent *r, struct span text)
{
    uint64_t tail = 0;

    if (text.len < TAIL_BYTES || text.len > RECENT_TEXT_MAX_BYTES) {
        return NULL;
    }
    memcpy(&tail, text.ptr + text.len - TAIL_BYTES, TAIL_BYTES);
    return &r->places[tail % RECENT_PLACES_COUNT ^
                      (tail >> 32) % RECENT_PLACES_COUNT];
}

void
recent_put(struct recent *r, uint64_t keyring, struct span text, uint64_t id)
{
    struct place *place = place_of(r, text);

    if (place == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&r->lock);
    place->keyring = keyring;
    place->id = id;
    place->len = text.len;
    memcpy(place->text, text.ptr, text.len);
    (void)pthread_mutex_unlock(&r->lock);
}

bool
recent_get(struct recent *r, uint64_t keyring, struct span text,
           uint64_t *ret_id)
{
    const struct place *place = place_of(r, text);
    bool found = false;

    if (place == NULL) {
        return false;
    }
    (void)pthread_mutex_lock(&r->lock);
    found = place->len == text.len && place->keyring == keyring &&
            sodium_memcmp(place->text, text.ptr, text.len) == 0;
    if (found) {
        *ret_id = place->id;
    }
    (void)pthread_mutex_unlock(&r->lock);
    return found;
}
