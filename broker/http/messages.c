#include "http/messages.h"

#include "base/parse.h"
#include "core/handout.h"
#include "core/isolation.h"
#include "core/tasks.h"
#include "http/limits.h"
#include "policy/allow.h"
#include "wire/receipt.h"

/* More than passes while a task lasts. */
#define BYTES_MAX (INT64_C(1) << 50)

enum {
    PASSPHRASE_MAX_BYTES = 1024,
    RECOVERY_MAX_BYTES = 256,
    KEY_MAX_BYTES = 8 * 1024, /* of a key file or credential, in base64 */
    WORD_MAX_BYTES = 64,      /* kinds, verbs, ids */
    ENV_NAME_MAX_BYTES = 128,
    LINE_MAX_BYTES = 256, /* purpose, description */
    PATH_MAX_BYTES = 4096,
    URL_MAX_BYTES = 1024,
    TOKEN_MAX_BYTES = 128,
    TTL_MAX_S = 366 * 24 * 3600, /* core has the real maximum: a setting */
    USES_MAX = 1000 * 1000,
    AUDIT_MAX_COUNT = 1000, /* rows of one answer */
    AUDIT_COUNT = 50,       /* when no limit is asked for */
    STREAMS_MAX_COUNT = 64,
};

/* Strings that are checked by core have bounds here and no check. */
#define TEXT(t, f, need) MSG_FIELD_STRING(t, f, 1, WORD_MAX_BYTES, need, NULL)
#define LINE(t, f)       MSG_FIELD_STRING(t, f, 0, LINE_MAX_BYTES, MSG_OPTIONAL, NULL)
#define NAME(t, f, need)                                                       \
    MSG_FIELD_STRING(t, f, 1, NAME_MAX_BYTES, need, parse_name)
#define POINTER(t, f)                                                          \
    MSG_FIELD_STRING(t, f, 0, REFERENCE_MAX_BYTES, MSG_OPTIONAL, NULL)
#define SECONDS(t, f)       MSG_FIELD_INT(t, f, 1, TTL_MAX_S, MSG_OPTIONAL, 0)
#define SPEC(name, t, rows) const struct msg_spec name = MSG_SPEC(t, rows)

static const struct msg_field PASSPHRASE_ROWS[] = {
    MSG_FIELD_SECRET(struct msg_passphrase, passphrase, 1, PASSPHRASE_MAX_BYTES,
                     MSG_REQUIRED),
};
SPEC(MSG_PASSPHRASE, struct msg_passphrase, PASSPHRASE_ROWS);

static const struct msg_field UNLOCK_ROWS[] = {
    MSG_FIELD_SECRET(struct msg_unlock, passphrase, 1, PASSPHRASE_MAX_BYTES,
                     MSG_OPTIONAL),
    MSG_FIELD_SECRET(struct msg_unlock, recovery_code, 1, RECOVERY_MAX_BYTES,
                     MSG_OPTIONAL),
    MSG_FIELD_SECRET(struct msg_unlock, key, 1, KEY_MAX_BYTES, MSG_OPTIONAL),
    MSG_FIELD_BOOL(struct msg_unlock, accept_rollback, MSG_OPTIONAL, 0),
};
SPEC(MSG_UNLOCK, struct msg_unlock, UNLOCK_ROWS);

static const struct msg_field NEW_PASSPHRASE_ROWS[] = {
    {.name = "old",
     .type = MSG_SECRET,
     .flags = MSG_REQUIRED,
     .offset = offsetof(struct msg_new_passphrase, old_one),
     .min = 1,
     .max = PASSPHRASE_MAX_BYTES},
    {.name = "new",
     .type = MSG_SECRET,
     .flags = MSG_REQUIRED,
     .offset = offsetof(struct msg_new_passphrase, new_one),
     .min = 1,
     .max = PASSPHRASE_MAX_BYTES},
};
SPEC(MSG_NEW_PASSPHRASE, struct msg_new_passphrase, NEW_PASSPHRASE_ROWS);

static const struct msg_field SLOT_ROWS[] = {
    TEXT(struct msg_slot, kind, MSG_REQUIRED),
    MSG_FIELD_SECRET(struct msg_slot, key, 1, KEY_MAX_BYTES, MSG_OPTIONAL),
};
SPEC(MSG_SLOT, struct msg_slot, SLOT_ROWS);

static const char *const ENCODINGS[] = {
    [ENCODING_TEXT] = "text",
    [ENCODING_BASE64] = "base64",
    NULL,
};

static const struct msg_field PUT_ROWS[] = {
    MSG_FIELD_SECRET(struct msg_put, value, 0, HTTP_BODY_MAX_BYTES,
                     MSG_REQUIRED),
    MSG_FIELD_CHOICE(struct msg_put, encoding, ENCODINGS, MSG_OPTIONAL,
                     ENCODING_TEXT),
    TEXT(struct msg_put, kind, MSG_OPTIONAL),
    TEXT(struct msg_put, profile, MSG_OPTIONAL),
    TEXT(struct msg_put, min_grade, MSG_OPTIONAL),
    LINE(struct msg_put, description),
    MSG_FIELD_INT(struct msg_put, if_version, 0, UINT32_MAX, MSG_OPTIONAL, -1),
};
SPEC(MSG_PUT, struct msg_put, PUT_ROWS);

static const struct msg_field PATCH_ROWS[] = {
    TEXT(struct msg_patch, min_grade, MSG_OPTIONAL),
    LINE(struct msg_patch, description),
    TEXT(struct msg_patch, on_leak, MSG_OPTIONAL),
};
SPEC(MSG_PATCH, struct msg_patch, PATCH_ROWS);

static const struct msg_field VERSION_ROWS[] = {
    MSG_FIELD_INT(struct msg_version, rollback, 1, UINT32_MAX, MSG_OPTIONAL, 0),
    MSG_FIELD_INT(struct msg_version, destroy, 1, UINT32_MAX, MSG_OPTIONAL, 0),
};
SPEC(MSG_VERSION, struct msg_version, VERSION_ROWS);

/* core's own structs, whose texts are const char *, are filled in place. */
static const struct msg_field GRANT_ROWS[] = {
    MSG_FIELD_STRING(struct task_grant_request, secret, 1, NAME_MAX_BYTES,
                     MSG_REQUIRED, parse_name_pattern),
    TEXT(struct task_grant_request, verb, MSG_REQUIRED),
    POINTER(struct task_grant_request, field),
    MSG_FIELD_INT(struct task_grant_request, uses, 1, USES_MAX, MSG_OPTIONAL,
                  -1),
};
static const struct msg_spec GRANT =
    MSG_SPEC(struct task_grant_request, GRANT_ROWS);

static const struct msg_field ENV_ROWS[] = {
    MSG_FIELD_STRING(struct task_env_request, var, 1, ENV_NAME_MAX_BYTES,
                     MSG_REQUIRED, parse_env_name),
    MSG_FIELD_STRING(struct task_env_request, ref, 1, REFERENCE_MAX_BYTES,
                     MSG_REQUIRED, NULL),
};
static const struct msg_spec ENV = MSG_SPEC(struct task_env_request, ENV_ROWS);

static const struct msg_field FILE_ROWS[] = {
    MSG_FIELD_STRING(struct task_file_request, path, 1, PATH_MAX_BYTES,
                     MSG_REQUIRED, NULL),
    MSG_FIELD_STRING(struct task_file_request, ref, 1, REFERENCE_MAX_BYTES,
                     MSG_REQUIRED, NULL),
};
static const struct msg_spec FILE_SPEC =
    MSG_SPEC(struct task_file_request, FILE_ROWS);

static const char *const ISOLATION_NETWORKS[] = {"broker", "none", NULL};
static const char *const ISOLATION_HOMES[] = {"layer", "empty", "kept", NULL};

static const struct msg_field ISOLATION_ROWS[] = {
    MSG_FIELD_STRING(struct task_isolation, preset, 1, NAME_MAX_BYTES,
                     MSG_REQUIRED, parse_name),
    MSG_FIELD_CHOICE(struct task_isolation, network, ISOLATION_NETWORKS,
                     MSG_OPTIONAL, ISOLATION_NETWORK_BROKER),
    MSG_FIELD_CHOICE(struct task_isolation, home, ISOLATION_HOMES, MSG_OPTIONAL,
                     ISOLATION_HOME_LAYER),
    MSG_FIELD_STRINGS(struct task_isolation, ro, 0, TASK_PLACES_MAX_COUNT,
                      MSG_OPTIONAL, NULL),
    MSG_FIELD_STRINGS(struct task_isolation, rw, 0, TASK_PLACES_MAX_COUNT,
                      MSG_OPTIONAL, NULL),
    MSG_FIELD_STRINGS(struct task_isolation, lacks, 0, TASK_PLACES_MAX_COUNT,
                      MSG_OPTIONAL, NULL),
};
static const struct msg_spec ISOLATION =
    MSG_SPEC(struct task_isolation, ISOLATION_ROWS);

static const struct msg_field PROXY_ROWS[] = {
    MSG_FIELD_STRING(struct task_proxy_request, ref, 1, REFERENCE_MAX_BYTES,
                     MSG_REQUIRED, NULL),
    MSG_FIELD_STRING(struct task_proxy_request, upstream, 1, URL_MAX_BYTES,
                     MSG_OPTIONAL, NULL),
    MSG_FIELD_STRING(struct task_proxy_request, url_env, 1, ENV_NAME_MAX_BYTES,
                     MSG_OPTIONAL, parse_env_name),
    MSG_FIELD_STRING(struct task_proxy_request, key_env, 1, ENV_NAME_MAX_BYTES,
                     MSG_OPTIONAL, parse_env_name),
    TEXT(struct task_proxy_request, header, MSG_OPTIONAL),
    TEXT(struct task_proxy_request, query, MSG_OPTIONAL),
    TEXT(struct task_proxy_request, basic, MSG_OPTIONAL),
    POINTER(struct task_proxy_request, json),
    TEXT(struct task_proxy_request, format, MSG_OPTIONAL),
    MSG_FIELD_INT(struct task_proxy_request, uses, 1, USES_MAX, MSG_OPTIONAL,
                  -1),
    TEXT(struct task_proxy_request, rate, MSG_OPTIONAL),
    MSG_FIELD_INT(struct task_proxy_request, bytes, 1, BYTES_MAX, MSG_OPTIONAL,
                  0),
    MSG_FIELD_BOOL(struct task_proxy_request, inner, MSG_OPTIONAL, false),
    MSG_FIELD_BOOL(struct task_proxy_request, optional, MSG_OPTIONAL, false),
};
static const struct msg_spec PROXY =
    MSG_SPEC(struct task_proxy_request, PROXY_ROWS);

static const char *const TASK_GRADES[] = {"best", "proxy", "sign",
                                          "file", "env",   NULL};

static const struct msg_field TASK_ROWS[] = {
    LINE(struct msg_task, name),
    LINE(struct msg_task, purpose),
    MSG_FIELD_STRING(struct msg_task, repository, 0, PATH_MAX_BYTES,
                     MSG_OPTIONAL, NULL),
    SECONDS(struct msg_task, ttl_s),
    MSG_FIELD_STRINGS(struct msg_task, profiles, 0, TASK_PROFILES_MAX_COUNT,
                      MSG_OPTIONAL, NULL),
    MSG_FIELD_CHOICE(struct msg_task, grade, TASK_GRADES, MSG_OPTIONAL,
                     TASK_GRADE_BEST),
    MSG_FIELD_LIST(struct msg_task, grants, 0, TASK_GRANTS_MAX_COUNT,
                   MSG_OPTIONAL, &GRANT),
    MSG_FIELD_LIST(struct msg_task, env, 0, TASK_DELIVERIES_MAX_COUNT,
                   MSG_OPTIONAL, &ENV),
    MSG_FIELD_LIST(struct msg_task, files, 0, TASK_DELIVERIES_MAX_COUNT,
                   MSG_OPTIONAL, &FILE_SPEC),
    MSG_FIELD_LIST(struct msg_task, proxy, 0, TASK_DELIVERIES_MAX_COUNT,
                   MSG_OPTIONAL, &PROXY),
    MSG_FIELD_STRINGS(struct msg_task, allow, 0, ALLOW_MAX_COUNT, MSG_OPTIONAL,
                      NULL),
    MSG_FIELD_INT(struct msg_task, streams, 0, TASK_STREAMS_MAX_COUNT,
                  MSG_OPTIONAL, 0),
    MSG_FIELD_OBJECT(struct msg_task, isolation, MSG_OPTIONAL, &ISOLATION),
};
SPEC(MSG_TASK, struct msg_task, TASK_ROWS);

static const struct msg_field TOKEN_ROWS[] = {
    TEXT(struct msg_token, task, MSG_OPTIONAL),
    MSG_FIELD_LIST(struct msg_token, grants, 0, TASK_GRANTS_MAX_COUNT,
                   MSG_OPTIONAL, &GRANT),
    SECONDS(struct msg_token, ttl_s),
    SECONDS(struct msg_token, max_ttl_s),
    MSG_FIELD_INT(struct msg_token, uses, 1, USES_MAX, MSG_OPTIONAL, 0),
    MSG_FIELD_BOOL(struct msg_token, unbound, MSG_OPTIONAL, false),
};
SPEC(MSG_TOKEN, struct msg_token, TOKEN_ROWS);

static const struct msg_field TTL_ROWS[] = {
    SECONDS(struct msg_ttl, ttl_s),
};
SPEC(MSG_TTL, struct msg_ttl, TTL_ROWS);

static const struct msg_field ACCESSOR_ROWS[] = {
    MSG_FIELD_STRING(struct msg_accessor, accessor, 1, TOKEN_MAX_BYTES,
                     MSG_REQUIRED, NULL),
};
SPEC(MSG_ACCESSOR, struct msg_accessor, ACCESSOR_ROWS);

static const struct msg_field REVOKE_ROWS[] = {
    MSG_FIELD_STRING(struct msg_revoke, accessor, 1, TOKEN_MAX_BYTES,
                     MSG_OPTIONAL, NULL),
    MSG_FIELD_STRING(struct msg_revoke, token, 1, TOKEN_MAX_BYTES, MSG_OPTIONAL,
                     NULL),
    TEXT(struct msg_revoke, task, MSG_OPTIONAL),
    MSG_FIELD_STRING(struct msg_revoke, prefix, 1, NAME_MAX_BYTES, MSG_OPTIONAL,
                     parse_name_pattern),
};
SPEC(MSG_REVOKE, struct msg_revoke, REVOKE_ROWS);

static const struct msg_field WRAP_ROWS[] = {
    MSG_FIELD_STRING(struct msg_wrap, ref, 1, REFERENCE_MAX_BYTES, MSG_OPTIONAL,
                     NULL),
    MSG_FIELD_SECRET(struct msg_wrap, text, 1, HTTP_BODY_MAX_BYTES,
                     MSG_OPTIONAL),
    SECONDS(struct msg_wrap, ttl_s),
};
SPEC(MSG_WRAP, struct msg_wrap, WRAP_ROWS);

static const struct msg_field UNWRAP_ROWS[] = {
    MSG_FIELD_STRING(struct msg_unwrap, token, 1, TOKEN_MAX_BYTES, MSG_REQUIRED,
                     NULL),
};
SPEC(MSG_UNWRAP, struct msg_unwrap, UNWRAP_ROWS);

static const struct msg_field RENDER_ROWS[] = {
    MSG_FIELD_SECRET(struct msg_render, template, 1, HTTP_BODY_MAX_BYTES,
                     MSG_REQUIRED),
    MSG_FIELD_STRING(struct msg_render, path, 1, PATH_MAX_BYTES, MSG_REQUIRED,
                     NULL),
    TEXT(struct msg_render, unless, MSG_OPTIONAL),
};
SPEC(MSG_RENDER, struct msg_render, RENDER_ROWS);

static const struct msg_field REDACT_ROWS[] = {
    MSG_FIELD_SECRET(struct msg_redact, text, 0, HTTP_BODY_MAX_BYTES,
                     MSG_REQUIRED),
};
SPEC(MSG_REDACT, struct msg_redact, REDACT_ROWS);

static const struct msg_field REDACTION_SET_ROWS[] = {
    MSG_FIELD_STRING(struct msg_redaction_set, prefix, 1, NAME_MAX_BYTES,
                     MSG_OPTIONAL, NULL),
    MSG_FIELD_BOOL(struct msg_redaction_set, names, MSG_OPTIONAL, false),
};
SPEC(MSG_REDACTION_SET, struct msg_redaction_set, REDACTION_SET_ROWS);

static const struct msg_field STREAMS_ROWS[] = {
    MSG_FIELD_INT(struct msg_streams, count, 1, STREAMS_MAX_COUNT, MSG_OPTIONAL,
                  1),
};
SPEC(MSG_STREAMS, struct msg_streams, STREAMS_ROWS);

static const struct msg_field RECEIPT_ROWS[] = {
    MSG_FIELD_STRING(struct msg_receipt, receipt, 1, RECEIPT_LINE_MAX_BYTES,
                     MSG_REQUIRED, NULL),
};
SPEC(MSG_RECEIPT, struct msg_receipt, RECEIPT_ROWS);

static const struct msg_field ROLE_ROWS[] = {
    TEXT(struct msg_role, name, MSG_REQUIRED),
    TEXT(struct msg_role, kind, MSG_REQUIRED),
    SECONDS(struct msg_role, ttl_s),
};
SPEC(MSG_ROLE, struct msg_role, ROLE_ROWS);

#define NUMBER(f, least)                                                       \
    MSG_FIELD_INT(struct msg_move, f, least, INT64_MAX, MSG_OPTIONAL, 0)

static const struct msg_field MOVE_ROWS[] = {
    TEXT(struct msg_move, kind, MSG_REQUIRED),
    NAME(struct msg_move, name, MSG_REQUIRED),
    TEXT(struct msg_move, profile, MSG_OPTIONAL),
    MSG_FIELD_STRING(struct msg_move, path, 1, PATH_MAX_BYTES, MSG_OPTIONAL,
                     NULL),
    NUMBER(dev, 0),
    NUMBER(ino, 0),
    NUMBER(mode, 0),
    NUMBER(uid, 0),
    NUMBER(gid, 0),
    NUMBER(mtime_ns, INT64_MIN),
    NUMBER(atime_ns, INT64_MIN),
    NUMBER(size_bytes, 0),
};
SPEC(MSG_MOVE, struct msg_move, MOVE_ROWS);

static const struct msg_field OUTCOME_ROWS[] = {
    TEXT(struct msg_outcome, outcome, MSG_REQUIRED),
};
SPEC(MSG_OUTCOME, struct msg_outcome, OUTCOME_ROWS);

static const struct msg_field PREFIX_ROWS[] = {
    MSG_FIELD_STRING(struct query_prefix, prefix, 0, NAME_MAX_BYTES,
                     MSG_OPTIONAL, NULL),
};
SPEC(QUERY_PREFIX, struct query_prefix, PREFIX_ROWS);

static const struct msg_field VALUE_ROWS[] = {
    POINTER(struct query_value, field),
    MSG_FIELD_INT(struct query_value, version, 0, UINT32_MAX, MSG_OPTIONAL, 0),
};
SPEC(QUERY_VALUE, struct query_value, VALUE_ROWS);

static const struct msg_field OF_TASK_ROWS[] = {
    TEXT(struct query_task, task, MSG_OPTIONAL),
};
SPEC(QUERY_TASK, struct query_task, OF_TASK_ROWS);

static const struct msg_field EXPOSURE_ROWS[] = {
    NAME(struct query_exposure, secret, MSG_OPTIONAL),
    TEXT(struct query_exposure, task, MSG_OPTIONAL),
};
SPEC(QUERY_EXPOSURE, struct query_exposure, EXPOSURE_ROWS);

static const struct msg_field AUDIT_ROWS[] = {
    MSG_FIELD_INT(struct query_audit, after, 0, INT64_MAX, MSG_OPTIONAL, -1),
    MSG_FIELD_INT(struct query_audit, limit, 1, AUDIT_MAX_COUNT, MSG_OPTIONAL,
                  AUDIT_COUNT),
};
SPEC(QUERY_AUDIT, struct query_audit, AUDIT_ROWS);

static const struct msg_field AFTER_ROWS[] = {
    MSG_FIELD_INT(struct query_after, after, 0, INT64_MAX, MSG_OPTIONAL, 0),
};
SPEC(QUERY_AFTER, struct query_after, AFTER_ROWS);
