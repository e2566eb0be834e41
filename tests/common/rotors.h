/*
 * rotors.h - a secret for each rotator whose logic differs, with its first
 * credential at the provider (world.h, worldnet.h), and what must hold of it.
 */
#ifndef AG_TESTS_ROTORS_H
#define AG_TESTS_ROTORS_H

#include "common/worldnet.h"
#include "common/worldrig.h"
#include "crypt/sshkey.h"
#include "rotate/steps.h"

enum {
    ROTOR_EVERY_S = 30 * 24 * HOUR_S,
};

#define ROTOR_NAME "a/key"
#define ROTOR_KEY  "AKIATHEFIRSTONE00001"
#define ROTOR_WORD "the-first-value-of-all/of+40=characters"

struct rotor {
    const char *what;
    struct rotation_rule_request rule;
    void (*begin)(void);
    /* What the provider knows a value by; NULL: there is no provider. */
    void (*read)(const char *value, char id[WORLD_ID_BYTES],
                 char word[WORLD_WORD_BYTES]);
    bool replaces; /* the provider makes the new one and ends the old at once */
};

/* ---- values ---- */

static inline void
rotor_read_plain(const char *value, char id[WORLD_ID_BYTES],
                 char word[WORLD_WORD_BYTES])
{
    id[0] = '\0';
    (void)snprintf(word, WORLD_WORD_BYTES, "%s", value);
}

static inline void
rotor_read_ssh(const char *value, char id[WORLD_ID_BYTES],
               char word[WORLD_WORD_BYTES])
{
    AG_AUTO(sshkey) struct sshkey key = {0};
    AG_AUTO(buf) struct buf text = {0};

    buf_init(&text, SSHKEY_LINE_MAX_BYTES, BUF_PLAIN);
    check_ok(sshkey_open(span_str(value), &key));
    check_ok(sshkey_line(&key, &text));
    rotor_read_plain(buf_cstr(&text), id, word);
}

static inline void
rotor_read_json(const char *value, const char *id_key, const char *word_key,
                char id[WORLD_ID_BYTES], char word[WORLD_WORD_BYTES])
{
    AG_AUTO(wjson) json_t *tree = NULL;

    check_ok(wjson_parse(span_str(value), WORLD_WORD_BYTES, &tree));
    (void)snprintf(id, WORLD_ID_BYTES, "%s", text_at(tree, id_key));
    (void)snprintf(word, WORLD_WORD_BYTES, "%s", text_at(tree, word_key));
}

static inline void
rotor_read_aws(const char *value, char id[WORLD_ID_BYTES],
               char word[WORLD_WORD_BYTES])
{
    rotor_read_json(value, "AccessKeyId", "SecretAccessKey", id, word);
}

static inline void
rotor_read_postgres(const char *value, char id[WORLD_ID_BYTES],
                    char word[WORLD_WORD_BYTES])
{
    rotor_read_json(value, "username", "password", id, word);
}

static inline void
rotor_read_login(const char *value, char id[WORLD_ID_BYTES],
                 char word[WORLD_WORD_BYTES])
{
    id[0] = '\0';
    assert_true(world_cut_out(value, "\"refreshToken\":\"", "\"", word,
                              WORLD_WORD_BYTES));
}

/* ---- beginnings ---- */

static inline enum ag_err
rotor_do_program(struct core *core, struct db_tx *tx, const struct call *call,
                 const void *request, json_t **ret)
{
    (void)ret;
    return core_program_set(core, tx, call, request);
}

static inline void
rotor_program(void)
{
    struct call call = call_of(flow.operator_peer);
    const struct program_request program = {
        .name = "svc",
        .path = "/played/by/a/test",
        .sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789ab"
                  "cdef",
        .limit_s = 5};

    check_ok(act(rotor_do_program, &call, &program, NULL));
}

static inline void
rotor_begin_random(void)
{
    world_begin("", NULL);
    put(ROTOR_NAME, ROTOR_WORD, NULL);
}

static inline void
rotor_begin_command(void)
{
    rotor_program();
    world_begin("0", ROTOR_WORD);
    put(ROTOR_NAME, ROTOR_WORD, NULL);
}

static inline void
rotor_begin_ssh(void)
{
    static const uint8_t seed[SSHKEY_SEED_BYTES] = "a key of a test";
    static const uint8_t check[SSHKEY_CHECK_BYTES] = {1, 2, 3, 4};
    AG_AUTO(buf) struct buf text = {0};
    char id[WORLD_ID_BYTES];
    char word[WORLD_WORD_BYTES];

    rotor_program();
    buf_init(&text, WORLD_WORD_BYTES, BUF_WIPE);
    check_ok(sshkey_add(seed, check, span_str("deploy@test"), &text));
    rotor_read_ssh(buf_cstr(&text), id, word);
    world_begin("", word);
    put(ROTOR_NAME, buf_cstr(&text), NULL);
}

static inline void
rotor_begin_aws(void)
{
    world_begin(ROTOR_KEY, ROTOR_WORD);
    put(ROTOR_NAME,
        "{\"AccessKeyId\":\"" ROTOR_KEY "\",\"SecretAccessKey\":\"" ROTOR_WORD
        "\"}",
        NULL);
}

static inline void
rotor_begin_postgres(void)
{
    put("db/boss", "the-owner-word-of-ours", NULL);
    world_begin("app_a", ROTOR_WORD);
    put(ROTOR_NAME, "{\"username\":\"app_a\",\"password\":\"" ROTOR_WORD "\"}",
        NULL);
}

static inline void
rotor_begin_login(void)
{
    char text[512];
    AG_AUTO(secret) struct secret *value = NULL;
    struct call call = call_of(flow.operator_peer);
    long long expires_ms = now_ms + HOUR_MS;
    struct put_request request = {
        .name = ROTOR_NAME, .profile = "claude", .if_version = -1};

    (void)snprintf(text, sizeof(text),
                   "{\"claudeAiOauth\":{\"accessToken\":\"sk-ant-oat01-old-"
                   "0123456789\",\"refreshToken\":\"sk-ant-ort01-old-"
                   "0123456789\",\"expiresAt\":%lld}}",
                   expires_ms);
    value = secret_of(text);
    request.value = value;
    world_begin("", "sk-ant-ort01-old-0123456789");
    check_ok(act(do_put, &call, &request, NULL));
}

#define ROTOR_RULE(...)                                                        \
    {                                                                          \
        .name = ROTOR_NAME, .every_s = ROTOR_EVERY_S, __VA_ARGS__              \
    }

static const struct rotor ROTORS[] = {
    {"random", ROTOR_RULE(.grace_s = 60, .rotator = "random"),
     rotor_begin_random, NULL, false},
    {"command, given the value",
     ROTOR_RULE(.grace_s = 60, .rotator = "command", .program = "svc",
                .generate = true),
     rotor_begin_command, rotor_read_plain, false},
    {"command, making it",
     ROTOR_RULE(.grace_s = 60, .rotator = "command", .program = "svc"),
     rotor_begin_command, rotor_read_plain, false},
    {"ssh", ROTOR_RULE(.grace_s = 60, .rotator = "ssh", .program = "svc"),
     rotor_begin_ssh, rotor_read_ssh, false},
    {"aws-access-key",
     ROTOR_RULE(.grace_s = 60, .rotator = "aws-access-key",
                .region = "eu-central-1"),
     rotor_begin_aws, rotor_read_aws, false},
    {"postgres",
     ROTOR_RULE(.grace_s = 60, .rotator = "postgres", .users = "app_a,app_b",
                .endpoint = "postgresql://boss@127.0.0.1:5432/app",
                .source = "db/boss"),
     rotor_begin_postgres, rotor_read_postgres, false},
    {"oauth2", ROTOR_RULE(.rotator = "oauth2"), rotor_begin_login,
     rotor_read_login, true},
};

static inline void
rotor_begin(const struct rotor *rotor)
{
    rig.what = rotor->what;
    rotor->begin();
    set_rule(&rotor->rule);
}

/* ---- what must hold ---- */

static inline bool
rotor_works(const struct rotor *rotor)
{
    char value[WORLD_WORD_BYTES];
    char id[WORLD_ID_BYTES];
    char word[WORLD_WORD_BYTES];
    const struct world_cred *cred = NULL;

    rig_value(ROTOR_NAME, value);
    if (rotor->read == NULL) {
        return value[0] != '\0';
    }
    rotor->read(value, id, word);
    cred = world_find(id[0] != '\0' ? id : NULL, word);
    return cred != NULL && !cred->is_off;
}

struct rotor_journal {
    int64_t count;
    int64_t id; /* of the last */
    enum rotation_state state;
    int64_t new_version;
    char code[ROTATION_CODE_BYTES];
};

static inline enum ag_err
rotor_note_row(const struct rotation_row *row, void *arg)
{
    struct rotor_journal *j = arg;

    if (j->count++ == 0) {
        j->id = row->id;
        j->state = row->state;
        j->new_version = row->new_version;
        (void)snprintf(j->code, sizeof(j->code), "%s", row->code);
    }
    return AG_OK;
}

static inline struct rotor_journal
rotor_journal(void)
{
    AG_AUTO(db_read) struct db_read *r = NULL;
    struct rotor_journal j = {.count = 0};

    check_ok(store_read(flow.core->store, &r));
    check_ok(rotations_each(r, 0, 100, rotor_note_row, &j));
    return j;
}

static inline bool
rotor_is_open(const struct rotor_journal *j)
{
    return j->count > 0 && step_is_open(j->state);
}

/* The last row of the record about it says what the journal says. */
static inline void
rotor_check_told(const struct rotor_journal *j)
{
    AG_AUTO(wjson) json_t *answer = NULL;
    const json_t *rows = NULL;
    const char *state = NULL;

    check_ok(record_audit(flow.core, -1, 100, &answer));
    rows = json_object_get(answer, "rows");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        const json_t *body = json_object_get(row, "body");

        if (strncmp(text_at(row, "kind"), "rotation.", 9) == 0 &&
            json_integer_value(json_object_get(body, "rotation")) == j->id) {
            state = text_at(body, "state");
        }
    }
    if (j->count > 0 &&
        (state == NULL || strcmp(state, rotation_state_text(j->state)) != 0)) {
        RIG_FAIL("the journal says %s, the record %s",
                 rotation_state_text(j->state), state != NULL ? state : "-");
    }
}

/* Nothing is under way: one credential, and it is the current one. */
static inline void
rotor_check_whole(const struct rotor *rotor, const char *when)
{
    size_t want = rotor->read != NULL ? 1 : 0;

    if (!rotor_works(rotor)) {
        RIG_FAIL("%s: the current one does not work", when);
    }
    if (world_count() != want) {
        RIG_FAIL("%s: %zu credentials at the provider", when, world_count());
    }
    if (rig_has_pending(ROTOR_NAME)) {
        RIG_FAIL("%s: a pending version is left", when);
    }
}

/* As cron does it: what is due, hour after hour, until one is done. A login whose
 * new token was on its way when the power went is for a person (*ret_lost). */
static inline void
rotor_settle(const struct rotor *rotor, bool *ret_lost)
{
    struct rotor_journal j = rotor_journal();

    *ret_lost = false;
    for (int i = 0; i < 8 && (j.count == 0 || j.state != ROTATION_DONE); i++) {
        AG_AUTO(wjson) json_t *answer = run(j.count == 0 ? ROTOR_NAME : NULL);

        (void)answer;
        j = rotor_journal();
        rotor_check_told(&j);
        if (rotor->replaces && j.state == ROTATION_ABANDONED &&
            strcmp(j.code, "invalid_grant") == 0) {
            *ret_lost = true;
            return;
        }
        if (!rotor_is_open(&j)) {
            rotor_check_whole(rotor, rotation_state_text(j.state));
        }
        set_clock(now_ms + 2 * HOUR_MS);
    }
    if (j.state != ROTATION_DONE) {
        RIG_FAIL("it ends %s, %s", rotation_state_text(j.state), j.code);
    }
    rotor_check_whole(rotor, "at the end");
}

#endif
