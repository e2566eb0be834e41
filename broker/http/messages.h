/*
 * messages.h - what requests carry, as structs, and the tables that decode
 * them. Queries are decoded the same way.
 * Floor: http. Depends on: wire/msg, core/tasks.
 */
#ifndef AG_HTTP_MESSAGES_H
#define AG_HTTP_MESSAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/msg.h"

struct secret;
struct task_isolation;

/* Bodies. Secrets may be NULL where the field is optional. */

struct msg_passphrase { /* init, proof, rekey */
    struct secret *passphrase;
};

struct msg_unlock { /* one of the three */
    struct secret *passphrase;
    struct secret *recovery_code;
    struct secret *key; /* base64 */
    bool accept_rollback;
};

struct msg_new_passphrase {
    struct secret *old_one;
    struct secret *new_one;
};

struct msg_slot {
    char *kind;
    struct secret *key; /* base64, with kind "key" */
};

enum msg_encoding {
    ENCODING_TEXT,
    ENCODING_BASE64,
};

struct msg_put {
    struct secret *value;
    int encoding; /* enum msg_encoding */
    char *kind;
    char *profile;
    char *min_grade;
    char *description;
    int64_t if_version; /* -1: not given */
};

struct msg_patch {
    char *min_grade;
    char *description;
    char *on_leak;
};

struct msg_version { /* one of the two; 0: not given */
    int64_t rollback;
    int64_t destroy;
};

struct msg_task {
    char *name;
    char *purpose;
    char *repository;
    int64_t ttl_s;
    struct msg_list profiles; /* char * */
    int grade;                /* enum task_grade */
    struct msg_list grants;   /* struct task_grant_request */
    struct msg_list env;      /* struct task_env_request */
    struct msg_list files;    /* struct task_file_request */
    struct task_isolation *isolation;
    struct msg_list proxy; /* struct task_proxy_request */
    struct msg_list allow; /* char * */
    int64_t streams;
};

struct msg_token {
    char *task;
    struct msg_list grants; /* struct task_grant_request */
    int64_t ttl_s;
    int64_t max_ttl_s;
    int64_t uses;
    bool unbound;
};

struct msg_ttl {
    int64_t ttl_s;
};

struct msg_accessor {
    char *accessor;
};

struct msg_revoke { /* one of the four */
    char *accessor;
    char *token;
    char *task;
    char *prefix;
};

struct msg_wrap { /* ref or text */
    char *ref;
    struct secret *text;
    int64_t ttl_s;
};

struct msg_render {
    struct secret *template;
    char *path;
    char *unless; /* NULL: render in any case */
};

struct msg_unwrap {
    char *token;
};

struct msg_redact {
    struct secret *text;
};

struct msg_redaction_set {
    char *prefix;
    bool names;
};

struct msg_streams {
    int64_t count;
};

struct msg_receipt {
    char *receipt;
};

struct msg_role {
    char *name;
    char *kind;
    int64_t ttl_s;
};

struct msg_move {
    char *kind;
    char *name;
    char *profile;
    char *path; /* of a release: NULL is where it was adopted from */
    int64_t dev;
    int64_t ino;
    int64_t mode;
    int64_t uid;
    int64_t gid;
    int64_t mtime_ns;
    int64_t atime_ns;
    int64_t size_bytes;
};

struct msg_outcome {
    char *outcome;
};

/* Queries. */

struct msg_rotator_params { /* each rotator takes its own */
    int64_t length;
    char *alphabet;
    struct msg_list require; /* char * */
    char *program;
    bool generate;
    char *region;
    char *section;
    char *endpoint;
    char *users;
    char *source;
};

struct msg_rotation_rule {
    int64_t every_s;
    char *cron;
    int64_t jitter_s;
    struct msg_list windows; /* char * */
    int64_t grace_s;
    char *notify;
    char *rotator;
    struct msg_rotator_params *params;
};

struct msg_rotate {        /* names, or due */
    struct msg_list names; /* char * */
    bool due;
    bool dry_run;
};

struct msg_program {
    char *path;
    char *sha256;
    int64_t limit_s;
};

struct msg_leaked {        /* names, or a receipt */
    struct msg_list names; /* char * */
    int64_t version;
    bool report;
    char *note;
    char *receipt;
    char *fingerprint;
};

struct msg_note {
    char *note;
};

struct query_incidents {
    int64_t all; /* 1: closed ones too */
};

struct msg_mint_rule {
    char *minter;
    char *source;
    int64_t ttl_s;
    json_t *params; /* the minter checks it */
};

struct query_rotations {
    char *secret;
};

struct query_prefix {
    char *prefix;
};

struct query_value {
    char *field;
    int64_t version;
};

struct query_task {
    char *task;
};

struct query_exposure { /* one of the two */
    char *secret;
    char *task;
};

struct query_audit {
    int64_t after; /* -1: not given */
    int64_t limit;
};

struct query_after {
    int64_t after;
};

extern const struct msg_spec MSG_PASSPHRASE;
extern const struct msg_spec MSG_UNLOCK;
extern const struct msg_spec MSG_NEW_PASSPHRASE;
extern const struct msg_spec MSG_SLOT;
extern const struct msg_spec MSG_PUT;
extern const struct msg_spec MSG_PATCH;
extern const struct msg_spec MSG_LEAKED;
extern const struct msg_spec MSG_NOTE;
extern const struct msg_spec QUERY_INCIDENTS;
extern const struct msg_spec MSG_VERSION;
extern const struct msg_spec MSG_TASK;
extern const struct msg_spec MSG_TOKEN;
extern const struct msg_spec MSG_TTL;
extern const struct msg_spec MSG_ACCESSOR;
extern const struct msg_spec MSG_REVOKE;
extern const struct msg_spec MSG_WRAP;
extern const struct msg_spec MSG_UNWRAP;
extern const struct msg_spec MSG_RENDER;
extern const struct msg_spec MSG_REDACT;
extern const struct msg_spec MSG_REDACTION_SET;
extern const struct msg_spec MSG_STREAMS;
extern const struct msg_spec MSG_RECEIPT;
extern const struct msg_spec MSG_ROLE;
extern const struct msg_spec MSG_MOVE;
extern const struct msg_spec MSG_OUTCOME;
extern const struct msg_spec MSG_MINT_RULE;
extern const struct msg_spec MSG_ROTATION_RULE; /* messages_rotation.c */
extern const struct msg_spec MSG_ROTATE;
extern const struct msg_spec MSG_PROGRAM;
extern const struct msg_spec QUERY_ROTATIONS;
extern const struct msg_spec QUERY_PREFIX;
extern const struct msg_spec QUERY_VALUE;
extern const struct msg_spec QUERY_TASK;
extern const struct msg_spec QUERY_EXPOSURE;
extern const struct msg_spec QUERY_AUDIT;
extern const struct msg_spec QUERY_AFTER;

#endif
