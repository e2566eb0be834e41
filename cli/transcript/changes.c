#include "transcript/changes.h"

#include <sys/queue.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

enum {
    HASH_BYTES = 16,
    BUCKETS_COUNT = 4096,
};

struct change {
    SLIST_ENTRY(change) link;
    uint8_t hash[HASH_BYTES];
    size_t len;
    uint8_t text[];
};

struct changes {
    uint8_t key[crypto_generichash_KEYBYTES];
    SLIST_HEAD(, change) buckets[BUCKETS_COUNT];
    size_t bytes;
};

enum ag_err
changes_new(struct changes **ret)
{
    struct changes *c = calloc(1, sizeof(*c));

    if (c == NULL) {
        return AG_ENOMEM;
    }
    randombytes_buf(c->key, sizeof(c->key));
    *ret = c;
    return AG_OK;
}

void
changes_free(struct changes *c)
{
    for (size_t i = 0; c != NULL && i < BUCKETS_COUNT; i++) {
        struct change *change;

        while ((change = SLIST_FIRST(&c->buckets[i])) != NULL) {
            SLIST_REMOVE_HEAD(&c->buckets[i], link);
            free(change); /* what the filter let out: nothing to wipe */
        }
    }
    free(c);
}

static void
hash_of(const struct changes *c, struct span text, uint8_t out[HASH_BYTES])
{
    (void)crypto_generichash(out, HASH_BYTES, text.ptr, text.len, c->key,
                             sizeof(c->key));
}

static size_t
bucket_of(const uint8_t hash[HASH_BYTES])
{
    return (hash[0] | (size_t)hash[1] << 8) % BUCKETS_COUNT;
}

static const struct change *
find(const struct changes *c, struct span old)
{
    const struct change *change;
    uint8_t hash[HASH_BYTES];

    hash_of(c, old, hash);
    SLIST_FOREACH(change, &c->buckets[bucket_of(hash)], link)
    {
        if (sodium_memcmp(change->hash, hash, HASH_BYTES) == 0) {
            return change;
        }
    }
    return NULL;
}

enum ag_err
changes_add(struct changes *c, struct span old, struct span text)
{
    struct change *change;

    if (find(c, old) != NULL) {
        return AG_OK;
    }
    if (text.len > CHANGES_MAX_BYTES - c->bytes) {
        return err_why(AG_ELIMIT,
                       "more than 512 MiB of its texts would change");
    }
    change = malloc(sizeof(*change) + text.len);
    if (change == NULL) {
        return AG_ENOMEM;
    }
    hash_of(c, old, change->hash);
    change->len = text.len;
    if (text.len > 0) {
        memcpy(change->text, text.ptr, text.len);
    }
    c->bytes += text.len;
    SLIST_INSERT_HEAD(&c->buckets[bucket_of(change->hash)], change, link);
    return AG_OK;
}

/* ag_new(X): what X becomes, as text or blob as it is; NULL: it stays. */
static void
sql_new(sqlite3_context *ctx, int count, sqlite3_value **args)
{
    const struct changes *c = sqlite.user_data(ctx);
    struct span old = sqlite_value(args[0]);
    const struct change *change = old.ptr == NULL ? NULL : find(c, old);

    (void)count;
    if (change == NULL) {
        return;
    }
    if (sqlite.value_type(args[0]) == SQLITE_BLOB) {
        sqlite.result_blob64(ctx, change->text, change->len, SQLITE_TRANSIENT);
    } else {
        sqlite.result_text64(ctx, (const char *)change->text, change->len,
                             SQLITE_TRANSIENT, SQLITE_UTF8);
    }
}

static enum ag_err
change_column(sqlite3 *db, const struct column *column)
{
    sqlite3_stmt *st = NULL;
    enum ag_err err;

    if (!column->changes) {
        return AG_OK;
    }
    if (column->is_schema) {
        return err_why(AG_EFILE, "what is found stands in the schema of the "
                                 "database, which is not changed");
    }
    err = sqlite_prepare(db,
                         "UPDATE \"%w\" SET \"%w\" = ag_new(\"%w\")"
                         " WHERE ag_new(\"%w\") IS NOT NULL",
                         column->table, column->name, &st);
    return err == AG_OK
               ? sqlite_finish(st, sqlite.step(st), "changing its rows")
               : err;
}

/* The words of old rows go with the old index. */
static enum ag_err
remake_index(sqlite3 *db, const struct column_index *index)
{
    sqlite3_stmt *st = NULL;
    enum ag_err err =
        sqlite_prepare(db, "INSERT INTO \"%w\"(\"%w\") VALUES('rebuild')",
                       index->table, index->table, &st);

    return err == AG_OK ? sqlite_finish(st, sqlite.step(st),
                                        "making its full text index anew")
                        : err;
}

enum ag_err
changes_apply(struct changes *c, sqlite3 *db, const struct columns *columns)
{
    const struct column *column;
    const struct column_index *index;
    int code = sqlite.create_function_v2(db, "ag_new", 1,
                                         SQLITE_UTF8 | SQLITE_DIRECTONLY, c,
                                         sql_new, NULL, NULL, NULL);
    enum ag_err err =
        code == SQLITE_OK ? AG_OK : sqlite_err(code, "changing its rows");

    STAILQ_FOREACH(column, &columns->list, link)
    {
        if (err == AG_OK) {
            err = change_column(db, column);
        }
    }
    STAILQ_FOREACH(index, &columns->indexes, link)
    {
        if (err == AG_OK) {
            err = remake_index(db, index);
        }
    }
    return err;
}
