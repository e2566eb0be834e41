#include "store/tables.h"

#include "base/attr.h"

/* clang-format off */
#define STATEMENTS(TAG, table, LIST)                                           \
    static const char TAG##_PUT[] =                                            \
        "INSERT INTO " table " (" COLS(LIST) ") VALUES (?"                     \
        LIST(COL_MARK, COL_MARK, COL_MARK) ", ?)"                              \
        " ON CONFLICT (id) DO UPDATE SET tag = excluded.tag"                   \
        LIST(COL_KEEP, COL_SET, COL_SET);                                      \
    static const char TAG##_GET[] =                                            \
        "SELECT " COLS(LIST) " FROM " table " WHERE id = ?";                   \
    static const char TAG##_ALL[] =                                            \
        "SELECT " COLS(LIST) " FROM " table " ORDER BY id";                    \
    static const char TAG##_TAG[] =                                            \
        "SELECT tag FROM " table " WHERE id = ?";                              \
    static const char TAG##_DROP[] =                                           \
        "DELETE FROM " table " WHERE id = ?";                                  \
    static const char TAG##_NEXT[] =                                           \
        "SELECT coalesce(max(id), 0) + 1 FROM " table;

STATEMENTS(VAULT, "vault", VAULT_COLS)
STATEMENTS(DATA_KEY, "data_key", DATA_KEY_COLS)
STATEMENTS(SLOT, "slot", SLOT_COLS)
STATEMENTS(SECRET, "secret", SECRET_COLS)
STATEMENTS(VERSION, "version", VERSION_COLS)
STATEMENTS(TASK, "task", TASK_COLS)
STATEMENTS(ROLE, "role", ROLE_COLS)
STATEMENTS(TOKEN, "token", TOKEN_COLS)
STATEMENTS(GRANT, "task_grant", GRANT_COLS)
STATEMENTS(LEASE, "lease", LEASE_COLS)
STATEMENTS(EXPOSURE, "exposure", EXPOSURE_COLS)
STATEMENTS(WRAP, "wrap", WRAP_COLS)
STATEMENTS(MOVE, "move", MOVE_COLS)
STATEMENTS(ROTATION_RULE, "rotation_rule", ROTATION_RULE_COLS)
STATEMENTS(ROTATION, "rotation", ROTATION_COLS)
STATEMENTS(INCIDENT, "incident", INCIDENT_COLS)
STATEMENTS(MINTED, "minted", MINTED_COLS)
STATEMENTS(MAKER, "version_maker", MAKER_COLS)
STATEMENTS(TOKEN_LINE, "token_line", TOKEN_LINE_COLS)
STATEMENTS(NOTICE, "notice", NOTICE_COLS)

#define ROW(TAG, text, int_count, blob_count, has_body, in_digest, ref_bits)    \
    {.id = TABLE_##TAG, .name = (text), .ints = (int_count),                   \
     .blobs = (blob_count), .body = (has_body), .digest = (in_digest),         \
     .refs = (ref_bits), .put = TAG##_PUT, .get = TAG##_GET,                   \
     .all = TAG##_ALL, .tag = TAG##_TAG, .drop = TAG##_DROP, .next = TAG##_NEXT}

static const struct table TABLES[] = {
    /*                       ints blobs body  digest references */
    ROW(VAULT,    "vault",      2, 1, false, 1,  0),
    ROW(DATA_KEY, "data_key",   2, 1, false, 1,  0),
    ROW(SLOT,     "slot",       3, 1, false, 1,  0),
    ROW(SECRET,   "secret",     8, 1, true,  2,  0),
    ROW(VERSION,  "version",    6, 2, false, 2,  0),
    ROW(TASK,     "task",       7, 0, true,  0, 0),
    ROW(ROLE,     "role",       5, 1, true,  1,  1U << 1),
    ROW(TOKEN,    "token",     13, 2, true,  0, 1U << 0 | 1U << 1 | 1U << 2),
    ROW(GRANT,    "task_grant", 7, 0, true,  0, 0),
    ROW(LEASE,    "lease",      9, 0, true,  0, 1U << 0 | 1U << 1),
    ROW(EXPOSURE, "exposure",   7, 0, false, 0, 1U << 2),
    ROW(WRAP,     "wrap",       8, 3, false, 0, 1U << 0 | 1U << 1),
    ROW(MOVE,     "move",       6, 0, true,  0, 1U << 2),
    ROW(ROTATION_RULE, "rotation_rule", 6, 0, true, 2, 0),
    ROW(ROTATION, "rotation",   8, 0, true,  2, 0),
    ROW(INCIDENT, "incident",   9, 0, true,  2, 1U << 0 | 1U << 2),
    ROW(MINTED,   "minted",     9, 0, true,  0, 0),
    ROW(MAKER,    "version_maker", 2, 0, false, 0, 1U << 1),
    ROW(TOKEN_LINE, "token_line", 1, 1, false, 0, 0),
    ROW(NOTICE,   "notice",     4, 0, true,  0, 0),
};

/* clang-format on */

const struct table *
table_find(unsigned id)
{
    size_t i;

    for (i = 0; i < AG_COUNT(TABLES); i++) {
        if ((unsigned)TABLES[i].id == id) {
            return &TABLES[i];
        }
    }
    return NULL;
}

const struct table *
table_of(enum table_id id)
{
    const struct table *t = table_find((unsigned)id);

    AG_ASSERT(t != NULL);
    return t;
}
