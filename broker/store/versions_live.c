/* The values that must not appear in output (versions.h). */
#include "base/secret.h"
#include "store/row.h"
#include "store/versions.h"

static const char SQL_LIVE[] =
    "SELECT number FROM version WHERE secret_id = ? AND state <= 3"
    " ORDER BY number";

struct live_walk {
    struct db_read *r;
    versions_live_fn each;
    void *arg;
};

static enum ag_err
live_of_secret(const struct secret_row *secret, void *arg)
{
    const struct live_walk *walk = arg;
    AG_AUTO(query) struct query q = {0};
    enum ag_err err = query_start(db_conn(walk->r), SQL_LIVE, &q);

    if (err == AG_OK) {
        query_int(&q, secret->id);
    }
    while (err == AG_OK) {
        AG_AUTO(secret) struct secret *value = NULL;
        struct version_row version;

        err = query_row(&q);
        if (err == AG_ENOTFOUND) {
            return AG_OK;
        }
        if (err == AG_OK) {
            err = versions_value(walk->r, secret->id, query_col_int(&q, 0),
                                 &version, &value);
        }
        if (err == AG_OK) {
            err = walk->each(secret, &version, value, walk->arg);
        }
    }
    return err;
}

enum ag_err
versions_live_each(struct db_read *r, versions_live_fn each, void *arg)
{
    struct live_walk walk = {.r = r, .each = each, .arg = arg};

    return secrets_each(r, span_of(NULL, 0), live_of_secret, &walk);
}
