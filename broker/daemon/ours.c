#include "daemon/ours.h"

#include <pthread.h>

#include "base/secret.h"
#include "profile/placeholder.h"

enum {
    ARENA_BYTES = 64 * 1024, /* the key, and what reading a text needs */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct secret *key; /* under the lock; NULL: none */

static enum ag_err
set_key(struct span bytes)
{
    struct secret *fresh = NULL;
    enum ag_err err = bytes.len == 0 ? AG_OK : secret_from(bytes, &fresh);

    if (err == AG_OK) {
        (void)pthread_mutex_lock(&lock);
        secret_free(key);
        key = fresh;
        (void)pthread_mutex_unlock(&lock);
    }
    return err;
}

static bool
is_ours(void *ctx, struct span text)
{
    uint64_t id = 0;
    bool ours;

    (void)ctx;
    (void)pthread_mutex_lock(&lock);
    ours = key != NULL && placeholder_read(key, text, &id) == AG_OK;
    (void)pthread_mutex_unlock(&lock);
    return ours;
}

enum ag_err
ours_open(const struct filter_ours **ret)
{
    static const struct filter_ours OURS = {.set_key = set_key,
                                            .is_ours = is_ours};
    enum ag_err err = secret_arena_open(ARENA_BYTES);

    if (err == AG_OK) {
        *ret = &OURS;
    }
    return err;
}
