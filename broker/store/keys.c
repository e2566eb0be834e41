#include "store/keys.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/secret.h"
#include "crypt/keyring.h"

struct key_slot {
    uint32_t id;
    enum key_purpose purpose;
    struct secret *key;
};

struct keys {
    size_t count;
    size_t current[KEY_PURPOSES_COUNT]; /* place + 1; 0: none */
    struct key_slot slots[KEYS_MAX_COUNT];
};

static struct seal_at
place_of(const struct key_row *row)
{
    return (struct seal_at){.table = "data_key",
                            .column = "wrapped",
                            .row = row->id,
                            .version = (int64_t)row->purpose};
}

enum ag_err
keys_new(struct keys **ret)
{
    struct keys *k = calloc(1, sizeof(*k));

    if (k == NULL) {
        return AG_ENOMEM;
    }
    *ret = k;
    return AG_OK;
}

void
keys_free(struct keys *k)
{
    size_t i;

    if (k == NULL) {
        return;
    }
    for (i = 0; i < k->count; i++) {
        secret_free(k->slots[i].key);
    }
    free(k);
}

/* Takes the key over when there is room. */
static enum ag_err
add(struct keys *k, const struct key_row *row, struct secret **key)
{
    if (k->count == KEYS_MAX_COUNT) {
        return err_why(AG_ELIMIT, "the vault was rekeyed too often");
    }
    if (row->id < 1 || row->id > UINT32_MAX || row->purpose < KEY_META ||
        row->purpose > KEY_USES) {
        return err_why(AG_ECORRUPT, "table data_key, row %lld: not a key",
                       (long long)row->id);
    }
    k->slots[k->count] = (struct key_slot){
        .id = (uint32_t)row->id, .purpose = row->purpose, .key = AG_TAKE(*key)};
    k->count++;
    k->current[row->purpose - 1] = k->count;
    return AG_OK;
}

enum ag_err
keys_load(struct keys *k, struct keyring *ring, const struct key_row *row,
          struct span wrapped)
{
    AG_AUTO(secret) struct secret *key = NULL;
    struct seal_at at = place_of(row);
    enum ag_err err = keyring_data_open(ring, &at, wrapped, &key);

    return err != AG_OK ? err : add(k, row, &key);
}

enum ag_err
keys_make(struct keys *k, struct keyring *ring, const struct key_row *row,
          struct buf *wrapped)
{
    AG_AUTO(secret) struct secret *key = NULL;
    struct seal_at at = place_of(row);
    enum ag_err err = keyring_data_new(ring, &at, wrapped, &key);

    return err != AG_OK ? err : add(k, row, &key);
}

enum ag_err
keys_wrap(const struct keys *k, struct keyring *ring, const struct key_row *row,
          struct buf *wrapped)
{
    struct seal_at at = place_of(row);
    const struct secret *key = NULL;

    if (row->id >= 1 && row->id <= UINT32_MAX) {
        key = keys_find(k, row->purpose, (uint32_t)row->id);
    }
    if (key == NULL) {
        return err_why(AG_ECORRUPT, "table data_key, row %lld: not loaded",
                       (long long)row->id);
    }
    return keyring_data_wrap(ring, &at, key, wrapped);
}

enum ag_err
keys_copy(const struct keys *k, struct keys **ret)
{
    AG_AUTO(keys) struct keys *copy = NULL;
    enum ag_err err = keys_new(&copy);
    size_t i;

    for (i = 0; err == AG_OK && i < k->count; i++) {
        AG_AUTO(secret) struct secret *key = NULL;
        struct key_row row = {.id = k->slots[i].id,
                              .purpose = k->slots[i].purpose};

        err = secret_from(secret_view(k->slots[i].key), &key);
        if (err == AG_OK) {
            err = add(copy, &row, &key);
        }
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(copy);
    }
    return err;
}

bool
keys_complete(const struct keys *k)
{
    size_t i;

    for (i = 0; i < KEY_PURPOSES_COUNT; i++) {
        if (k->current[i] == 0) {
            return false;
        }
    }
    return true;
}

const struct secret *
keys_current(const struct keys *k, enum key_purpose purpose, uint32_t *ret_id)
{
    size_t place = k->current[purpose - 1];

    AG_ASSERT(place != 0);
    *ret_id = k->slots[place - 1].id;
    return k->slots[place - 1].key;
}

const struct secret *
keys_find(const struct keys *k, enum key_purpose purpose, uint32_t id)
{
    size_t i;

    for (i = k->count; i > 0; i--) {
        const struct key_slot *slot = &k->slots[i - 1];

        if (slot->id == id) {
            return slot->purpose == purpose ? slot->key : NULL;
        }
    }
    return NULL;
}

const struct secret *
keys_newest(const struct keys *k, enum key_purpose purpose, size_t nth)
{
    size_t i;

    for (i = k->count; i > 0; i--) {
        if (k->slots[i - 1].purpose == purpose && nth-- == 0) {
            return k->slots[i - 1].key;
        }
    }
    return NULL;
}

bool
keys_at(const struct keys *k, size_t nth, struct key_row *ret)
{
    if (nth >= k->count) {
        return false;
    }
    *ret = (struct key_row){.id = k->slots[nth].id,
                            .purpose = k->slots[nth].purpose};
    return true;
}
