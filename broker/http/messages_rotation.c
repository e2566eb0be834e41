/* Messages of rotations and minting, their rules, the programs on record. */
#include "base/parse.h"
#include "core/mint.h"
#include "core/rotation.h"
#include "http/messages.h"
#include "rotate/cron.h"
#include "rotate/program.h"
#include "rotate/schedule.h"
#include "rotate/service.h"

enum {
    WORD_MAX_BYTES = 64,
    CLASSES_MAX_COUNT = 8,
    SOURCE_MAX_BYTES = 512, /* a reference */
    USERS_MAX_BYTES = 127,  /* two names */
    GRACE_MAX_S = 366 * 24 * 3600,
    EVERY_MAX_S = 3660 * 24 * 3600, /* core says it again, in words */
    LENGTH_MAX = 64 * 1024,
    LIMIT_S = PROGRAM_LIMIT_DEFAULT_MS / 1000,
    LIMIT_MAX_S = PROGRAM_LIMIT_MAX_MS / 1000,
    HASH_TEXT_BYTES = 2 * PROGRAM_HASH_BYTES,
};

#define SPEC(name, t, rows) const struct msg_spec name = MSG_SPEC(t, rows)
#define WORD(t, f, need)    MSG_FIELD_STRING(t, f, 1, WORD_MAX_BYTES, need, NULL)

static const struct msg_field PARAMS_ROWS[] = {
    MSG_FIELD_INT(struct msg_rotator_params, length, 1, LENGTH_MAX,
                  MSG_OPTIONAL, 0),
    WORD(struct msg_rotator_params, alphabet, MSG_OPTIONAL),
    MSG_FIELD_STRINGS(struct msg_rotator_params, require, 0, CLASSES_MAX_COUNT,
                      MSG_OPTIONAL, NULL),
    WORD(struct msg_rotator_params, program, MSG_OPTIONAL),
    MSG_FIELD_BOOL(struct msg_rotator_params, generate, MSG_OPTIONAL, 0),
    WORD(struct msg_rotator_params, region, MSG_OPTIONAL),
    WORD(struct msg_rotator_params, section, MSG_OPTIONAL),
    MSG_FIELD_STRING(struct msg_rotator_params, users, 1, USERS_MAX_BYTES,
                     MSG_OPTIONAL, NULL),
    MSG_FIELD_STRING(struct msg_rotator_params, source, 1, SOURCE_MAX_BYTES,
                     MSG_OPTIONAL, NULL),
    MSG_FIELD_STRING(struct msg_rotator_params, endpoint, 1,
                     SERVICE_URL_MAX_BYTES, MSG_OPTIONAL, NULL),
};
static SPEC(PARAMS, struct msg_rotator_params, PARAMS_ROWS);

static const struct msg_field RULE_ROWS[] = {
    MSG_FIELD_INT(struct msg_rotation_rule, every_s, 1, EVERY_MAX_S,
                  MSG_OPTIONAL, 0),
    MSG_FIELD_STRING(struct msg_rotation_rule, cron, 1, CRON_MAX_BYTES,
                     MSG_OPTIONAL, NULL),
    MSG_FIELD_INT(struct msg_rotation_rule, jitter_s, 0, EVERY_MAX_S,
                  MSG_OPTIONAL, 0),
    MSG_FIELD_STRINGS(struct msg_rotation_rule, windows, 0,
                      SCHEDULE_WINDOWS_MAX_COUNT, MSG_OPTIONAL, NULL),
    MSG_FIELD_INT(struct msg_rotation_rule, grace_s, 0, GRACE_MAX_S,
                  MSG_OPTIONAL, 0),
    WORD(struct msg_rotation_rule, notify, MSG_OPTIONAL),
    WORD(struct msg_rotation_rule, rotator, MSG_REQUIRED),
    MSG_FIELD_OBJECT(struct msg_rotation_rule, params, MSG_OPTIONAL, &PARAMS),
};
SPEC(MSG_ROTATION_RULE, struct msg_rotation_rule, RULE_ROWS);

static const struct msg_field ROTATE_ROWS[] = {
    MSG_FIELD_STRINGS(struct msg_rotate, names, 0, ROTATION_NAMES_MAX_COUNT,
                      MSG_OPTIONAL, parse_name),
    MSG_FIELD_BOOL(struct msg_rotate, due, MSG_OPTIONAL, 0),
    MSG_FIELD_BOOL(struct msg_rotate, dry_run, MSG_OPTIONAL, 0),
};
SPEC(MSG_ROTATE, struct msg_rotate, ROTATE_ROWS);

static const struct msg_field PROGRAM_ROWS[] = {
    MSG_FIELD_STRING(struct msg_program, path, 1, PROGRAM_PATH_BYTES - 1,
                     MSG_REQUIRED, NULL),
    MSG_FIELD_STRING(struct msg_program, sha256, HASH_TEXT_BYTES,
                     HASH_TEXT_BYTES, MSG_REQUIRED, NULL),
    MSG_FIELD_INT(struct msg_program, limit_s, 1, LIMIT_MAX_S, MSG_OPTIONAL,
                  LIMIT_S),
};
SPEC(MSG_PROGRAM, struct msg_program, PROGRAM_ROWS);

static const struct msg_field MINT_ROWS[] = {
    WORD(struct msg_mint_rule, minter, MSG_REQUIRED),
    MSG_FIELD_STRING(struct msg_mint_rule, source, 1, SOURCE_MAX_BYTES,
                     MSG_REQUIRED, NULL),
    MSG_FIELD_INT(struct msg_mint_rule, ttl_s, MINT_TTL_LEAST_S,
                  MINT_TTL_MOST_S, MSG_OPTIONAL, MINT_TTL_DEFAULT_S),
    MSG_FIELD_TREE(struct msg_mint_rule, params, MSG_REQUIRED),
};
SPEC(MSG_MINT_RULE, struct msg_mint_rule, MINT_ROWS);

static const struct msg_field OF_SECRET_ROWS[] = {
    MSG_FIELD_STRING(struct query_rotations, secret, 1, NAME_MAX_BYTES,
                     MSG_OPTIONAL, parse_name),
};
SPEC(QUERY_ROTATIONS, struct query_rotations, OF_SECRET_ROWS);
