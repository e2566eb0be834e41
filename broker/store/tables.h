/*
 * tables.h - every table of the row engine: its columns in order, and its
 * statements made from them at compile time.
 * Floor: store. Depends on: base/attr.
 *
 * A list names the columns between id and tag: K is written once, U may change
 * (so an update touches neither unchanging indexes nor foreign keys), B is the
 * sealed body. Numbers come first, then blobs, then the body.
 */
#ifndef AG_STORE_TABLES_H
#define AG_STORE_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Numbers are in tags and in the record: never changed. */
enum table_id {
    TABLE_VAULT = 1,
    TABLE_DATA_KEY = 2,
    TABLE_SLOT = 3,
    TABLE_SECRET = 4,
    TABLE_VERSION = 5,
    TABLE_TASK = 6,
    TABLE_ROLE = 7,
    TABLE_TOKEN = 8,
    TABLE_GRANT = 9,
    TABLE_LEASE = 10,
    TABLE_EXPOSURE = 11,
    TABLE_WRAP = 12,
    TABLE_MOVE = 13,
    TABLE_ROTATION_RULE = 14,
    TABLE_ROTATION = 15,
    TABLE_INCIDENT = 16,
    TABLE_MINTED = 17,
    TABLE_MAKER = 18,
    TABLE_TOKEN_LINE = 19,
    TABLE_NOTICE = 20,
    TABLE_END,
};

enum {
    ROW_INTS_MAX = 13,
    ROW_BLOBS_MAX = 3,
};

struct table {
    const char *name;
    const char *put;  /* insert or update; parameters in order of columns */
    const char *get;  /* by id */
    const char *all;  /* in order of id */
    const char *tag;  /* of one row */
    const char *drop; /* one row */
    const char *next; /* the next id */
    enum table_id id;
    unsigned ints;
    unsigned blobs;
    /* Small tables are in a digest that each row of the record carries: 1 is
     * checked by every unlock, 2 by the loader of the redaction set; 0: none. */
    unsigned digest;
    uint16_t refs; /* bit i: number i is a reference, NULL when 0 */
    bool body;
};

/* Asserted to exist. */
const struct table *table_of(enum table_id id);

/* NULL when there is none of that number. */
const struct table *table_find(unsigned id);

/* clang-format off */
#define VAULT_COLS(K, U, B)                                                    \
    K(created_ms) U(uses_folded) K(vault_id)
#define DATA_KEY_COLS(K, U, B)                                                 \
    K(purpose) K(created_ms) U(wrapped)
#define SLOT_COLS(K, U, B)                                                     \
    K(kind) K(created_ms) U(removed_ms) U(blob)
#define SECRET_COLS(K, U, B)                                                   \
    U(kind) U(min_grade) U(retain_count) U(current_version) U(last_version)    \
    K(created_ms) U(changed_ms) U(removed_ms) U(name_hash) B(body)
#define VERSION_COLS(K, U, B)                                                  \
    K(secret_id) K(number) U(state) K(created_ms) U(changed_ms)                \
    U(value_bytes) U(wrapped) U(value)
#define TASK_COLS(K, U, B)                                                     \
    K(created_ms) U(deadline_ms) U(ended_ms) U(end_reason) U(exit_code)        \
    U(root_pid) U(root_start) B(body)
#define ROLE_COLS(K, U, B)                                                     \
    K(kind) U(token_id) K(created_ms) U(ended_ms) U(end_reason)                \
    U(name_hash) B(body)
#define TOKEN_COLS(K, U, B)                                                    \
    K(parent_id) K(task_id) K(role_id) K(depth) K(flags) K(created_ms)         \
    U(expires_ms) K(max_expires_ms) U(generation) K(uses_max) U(uses_count)    \
    U(revoked_ms) U(end_reason) K(hash) K(accessor_hash) B(body)
#define GRANT_COLS(K, U, B)                                                    \
    K(task_id) K(verb) K(uses_max) U(uses_count) K(created_ms) U(expires_ms)   \
    U(ended_ms) B(body)
#define LEASE_COLS(K, U, B)                                                    \
    K(task_id) K(token_id) K(secret_id) U(version) K(verb) K(created_ms)       \
    U(expires_ms) U(ended_ms) U(end_reason) B(body)
#define EXPOSURE_COLS(K, U, B)                                                 \
    K(secret_id) K(version) K(task_id) K(verb) K(first_ms) U(last_ms)          \
    U(times_count)
#define WRAP_COLS(K, U, B)                                                     \
    K(task_id) K(secret_id) K(version) K(created_ms) K(expires_ms)             \
    U(opened_ms) U(attempts_count) U(has_value) K(hash) U(wrapped) U(value)
#define MOVE_COLS(K, U, B)                                                     \
    K(kind) U(state) U(secret_id) U(version) K(created_ms) U(changed_ms)       \
    B(body)
#define ROTATION_RULE_COLS(K, U, B)                                            \
    K(secret_id) K(created_ms) U(changed_ms) U(next_ms) U(reach_ms)            \
    U(removed_ms) B(body)
#define ROTATION_COLS(K, U, B)                                                 \
    K(secret_id) U(state) K(old_version) U(new_version) U(attempts)            \
    K(created_ms) U(changed_ms) U(due_ms) B(body)
#define INCIDENT_COLS(K, U, B)                                                 \
    K(secret_id) K(version) K(task_id) K(source) U(answer) U(seen_count)       \
    K(created_ms) U(changed_ms) U(closed_ms) B(body)
#define MINTED_COLS(K, U, B)                                                   \
    K(secret_id) U(version) K(task_id) U(state) U(attempts) K(created_ms)      \
    U(changed_ms) U(expires_ms) U(due_ms) B(body)
#define MAKER_COLS(K, U, B)                                                    \
    K(maker) K(task_id)
#define TOKEN_LINE_COLS(K, U, B)                                               \
    K(token_id) K(hash)
#define NOTICE_COLS(K, U, B)                                                   \
    K(secret_id) K(rotation_id) K(created_ms) U(told_ms) B(body)

#define COL_NAME(name)  ", " #name
#define COL_MARK(name)  ", ?"
#define COL_KEEP(name)
#define COL_SET(name)   ", " #name " = excluded." #name

/* The columns of a table as the row engine reads them. */
#define COLS(LIST) "id" LIST(COL_NAME, COL_NAME, COL_NAME) ", tag"
/* clang-format on */

#endif
