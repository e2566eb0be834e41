#include "rotate.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "acts.h"
#include "args.h"
#include "base/buf.h"
#include "base/encode.h"
#include "base/fdx.h"
#include "cli.h"
#include "client.h"

enum {
    MS_PER_S = 1000,
    PROGRAM_MAX_BYTES = 16 << 20, /* the runner's, privsep/runner.h */
    PIECE_BYTES = 16 * 1024,
    HASH_TEXT_BYTES = 2 * crypto_hash_sha256_BYTES,
};

/* ---- rules ---- */

struct rule {
    int64_t every_ms;
    const char *cron;
    int64_t jitter_ms;
    struct arg_list windows;
    int64_t grace_ms;
    const char *notify;
    const char *rotator;
    int64_t length;
    const char *alphabet;
    struct arg_list require;
    const char *program;
    bool generate;
    const char *region;
    const char *section;
    const char *endpoint;
    const char *users;
    const char *source;
    const char *on_leak; /* NULL: stays as it is */
};

static json_t *
list_of(const struct arg_list *list)
{
    json_t *items = list->count > 0 ? json_array() : NULL;

    for (size_t i = 0; items != NULL && i < list->count; i++) {
        if (json_array_append_new(items, json_string(list->items[i])) != 0) {
            json_decref(items);
            return NULL;
        }
    }
    return items;
}

static json_t *
seconds(int64_t ms)
{
    return ms > 0 ? json_integer((ms + MS_PER_S - 1) / MS_PER_S) : NULL;
}

static json_t *
body_of(const struct rule *rule)
{
    json_t *params = json_pack(
        "{s:o*, s:s*, s:o*, s:s*, s:o*, s:s*, s:s*, s:s*, s:s*, s:s*}",
        "length", rule->length > 0 ? json_integer(rule->length) : NULL,
        "alphabet", rule->alphabet, "require", list_of(&rule->require),
        "program", rule->program, "generate",
        rule->generate ? json_true() : NULL, "region", rule->region, "section",
        rule->section, "endpoint", rule->endpoint, "users", rule->users,
        "source", rule->source);

    return json_pack(
        "{s:s, s:o*, s:s*, s:o*, s:o*, s:o*, s:s*, s:o}", "rotator",
        rule->rotator, "every_s", seconds(rule->every_ms), "cron", rule->cron,
        "jitter_s", seconds(rule->jitter_ms), "windows",
        list_of(&rule->windows), "grace_s", seconds(rule->grace_ms), "notify",
        rule->notify, "params", params);
}

static enum ag_err
call_for(struct cli *cli, const char *method, const char *path,
         const char *name, const json_t *body, json_t **ret)
{
    AG_AUTO(buf) struct buf full;
    enum ag_err err;

    buf_init(&full, CLIENT_PATH_MAX_BYTES, BUF_PLAIN);
    err = client_path(&full, path, name);
    return err == AG_OK ? cli_call(cli, method, buf_cstr(&full), body, ret)
                        : err;
}

/* What follows a leak is a word of the secret's own: it needs no schedule. */
static enum ag_err
set_on_leak(struct cli *cli, const struct rule *rule, const char *name)
{
    json_auto_t *body = json_pack("{s:s*}", "on_leak", rule->on_leak);

    return body != NULL
               ? call_for(cli, "PATCH", "/v1/secrets/%s", name, body, NULL)
               : AG_ENOMEM;
}

/* The schedule, unless --on-leak came alone; *ret stays NULL then. */
static enum ag_err
set_all(struct cli *cli, const struct rule *rule, const char *name,
        json_t **ret)
{
    bool has_schedule = rule->every_ms > 0 || rule->cron != NULL;
    json_auto_t *body = body_of(rule);
    enum ag_err err = body != NULL ? AG_OK : AG_ENOMEM;

    if (err == AG_OK &&
        (has_schedule || rule->on_leak == NULL || rule->notify != NULL)) {
        err = call_for(cli, "PUT", "/v1/secrets/%s/rotation", name, body, ret);
    }
    return err == AG_OK && rule->on_leak != NULL ? set_on_leak(cli, rule, name)
                                                 : err;
}

/* Known before anything is changed: it is the second of two requests. */
static enum ag_err
check_on_leak(const char *word)
{
    return word == NULL || strcmp(word, "record") == 0 ||
                   strcmp(word, "hold") == 0 || strcmp(word, "rotate") == 0
               ? AG_OK
               : err_why(AG_EUSAGE, "--on-leak: record, hold or rotate");
}

static enum ag_err
apply(struct cli *cli, const struct rule *rule, const char *name)
{
    json_auto_t *answer = NULL;
    enum ag_err err = check_on_leak(rule->on_leak);

    if (err == AG_OK) {
        err = set_all(cli, rule, name, &answer);
    }
    if (err == AG_OK && answer == NULL) {
        answer =
            json_pack("{s:s, s:s}", "secret", name, "on_leak", rule->on_leak);
    } else if (err == AG_OK && rule->on_leak != NULL) {
        (void)json_object_set_new(answer, "on_leak",
                                  json_string(rule->on_leak));
    }
    if (err != AG_OK || cli->out.json) {
        return err == AG_OK ? out_json(&cli->out, answer) : err;
    }
    if (json_object_get(answer, "next") == NULL) {
        out_say(&cli->out, "After a leak of %s: %s.", name, rule->on_leak);
        return AG_OK;
    }
    out_say(&cli->out, "%s rotates next at %s.", name,
            out_member(answer, "next"));
    return AG_OK;
}

static enum ag_err
rule_set(struct cli *cli, int argc, char **argv)
{
    struct rule rule = {.rotator = "random"};
    const struct arg_opt opts[] = {
        {"every", ARG_DURATION, &rule.every_ms, "D", "an interval: 30d"},
        {"cron", ARG_TEXT, &rule.cron, "EXPR",
         "or five fields, in UTC: \"0 3 * * sun\""},
        {"jitter", ARG_DURATION, &rule.jitter_ms, "D", "up to so much later"},
        {"window", ARG_LIST, &rule.windows, "W",
         "begin only then, in UTC: \"mon-fri 02:00-05:00\"; again for more"},
        {"grace", ARG_DURATION, &rule.grace_ms, "D",
         "the old value stays so long (0)"},
        {"notify", ARG_TEXT, &rule.notify, "NAME",
         "the program on record that is told what came of it"},
        {"rotator", ARG_TEXT, &rule.rotator,
         "random|command|aws-access-key|oauth2|ssh|postgres",
         "who makes the new value; random unless said otherwise"},
        {"length", ARG_COUNT, &rule.length, "N", "of a random value (32)"},
        {"alphabet", ARG_TEXT, &rule.alphabet, "alnum|hex|url|ascii|digits",
         "of a random value; alnum unless said otherwise"},
        {"require", ARG_LIST, &rule.require, "lower|upper|digit|symbol",
         "what must occur; again for more"},
        {"program", ARG_TEXT, &rule.program, "NAME",
         "command, ssh: the program on record"},
        {"generate", ARG_FLAG, &rule.generate, NULL,
         "command: the value is random, the program installs it"},
        {"region", ARG_TEXT, &rule.region, "R", "aws: of STS (us-east-1)"},
        {"section", ARG_TEXT, &rule.section, "S",
         "aws: of a file of credentials (default)"},
        {"users", ARG_TEXT, &rule.users, "A,B", "postgres: that take turns"},
        {"from", ARG_TEXT, &rule.source, "REF",
         "postgres: the password of the endpoint's owner"},
        {"endpoint", ARG_TEXT, &rule.endpoint, "URL",
         "postgres: postgresql://OWNER@HOST/DATABASE; aws: where IAM and\n"
         "STS are, if not where AWS has them"},
        {"on-leak", ARG_TEXT, &rule.on_leak, "record|hold|rotate",
         "what follows an incident; record unless said otherwise.\nAlone it "
         "needs no rule, but for rotate"}};
    const struct arg_spec spec = {
        .names = ARG_NAMES_SECRETS,
        .usage = "rotate rule set [options] NAME",
        .about = "Says when and how a secret rotates; a rule that is there is "
                 "replaced. A rule\nwith a program or an endpoint asks for "
                 "the passphrase: they get the\nvalues, or what is signed by "
                 "them; the one of --notify gets none.",
        .opts = opts,
        .opt_count = AG_COUNT(opts),
        .words_min = 1,
        .words_max = 1};
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    if (err != AG_OK || args.help) {
        return err;
    }
    return apply(cli, &rule, args.words[0]);
}

static enum ag_err
rule_show(struct cli *cli, int argc, char **argv)
{
    static const struct arg_spec spec = {.names = ARG_NAMES_SECRETS,
                                         .usage = "rotate rule show NAME",
                                         .about = "A secret's rule.",
                                         .words_min = 1,
                                         .words_max = 1};

    return acts_show_named(cli, &spec, "/v1/secrets/%s/rotation", argc, argv);
}

static enum ag_err
rule_list(struct cli *cli, int argc, char **argv)
{
    static const struct act_column columns[] = {{"SECRET", "secret", false},
                                                {"ROTATOR", "rotator", false},
                                                {"NEXT", "next", false},
                                                {"CRON", "cron", false},
                                                {"ON LEAK", "on_leak", false}};
    static const struct arg_spec spec = {.usage = "rotate rule list",
                                         .about = "Lists the rules."};

    return acts_list(cli,
                     &(struct act_list){&spec, "/v1/rotation-rules", "rules",
                                        columns, AG_COUNT(columns)},
                     argc, argv);
}

static enum ag_err
rule_remove(struct cli *cli, int argc, char **argv)
{
    static const struct arg_spec spec = {
        .names = ARG_NAMES_SECRETS,
        .usage = "rotate rule remove NAME",
        .about = "The secret rotates no more by itself; a rotation under way "
                 "goes on.",
        .words_min = 1,
        .words_max = 1};

    return acts_call(cli,
                     &(struct act_call){.spec = &spec,
                                        .method = "DELETE",
                                        .path = "/v1/secrets/%s/rotation",
                                        .what = "The rule of",
                                        .sentence = "is gone"},
                     argc, argv);
}

enum ag_err
rotate_rule(struct cli *cli, int argc, char **argv)
{
    static const struct act acts[] = {
        {"set", "when and how a secret rotates", rule_set},
        {"show", "the rule of a secret", rule_show},
        {"list", "all rules", rule_list},
        {"remove", "end one", rule_remove},
    };
    static const struct act_table table = {
        "rotate rule", "When and how secrets rotate.", acts, AG_COUNT(acts)};

    return acts_run(cli, &table, argc, argv);
}

/* ---- programs ---- */

/* Of what the runner could never start there is no record. */
static enum ag_err
check_program(int fd, const char *path)
{
    char head[4] = "";
    struct span got = span_of(head, sizeof(head));
    struct stat st;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        return err_why(AG_EFILE, "%s is no file", path);
    }
    if (st.st_size > PROGRAM_MAX_BYTES) {
        return err_why(AG_EFILE,
                       "%s has more than 16 MiB; put a small program on record "
                       "that starts it",
                       path);
    }
    if (pread(fd, head, sizeof(head), 0) < 0) {
        return err_why(AG_EFILE, "%s: %s", path, strerrordesc_np(errno));
    }
    return span_starts(got, span_str("#!")) ||
                   span_starts(got, span_str("\177ELF"))
               ? AG_OK
               : err_why(AG_EFILE,
                         "%s is no program: it begins neither with #! nor as "
                         "an ELF file",
                         path);
}

static enum ag_err
hash_file(const char *path, struct buf *out)
{
    AG_AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    crypto_hash_sha256_state state;
    uint8_t hash[crypto_hash_sha256_BYTES];
    uint8_t piece[PIECE_BYTES / 4];
    ssize_t got = 1;
    enum ag_err err;

    if (fd < 0) {
        return err_why(err_from_errno(errno), "%s: %s", path,
                       strerrordesc_np(errno));
    }
    err = check_program(fd, path);
    if (err != AG_OK) {
        return err;
    }
    (void)crypto_hash_sha256_init(&state);
    while (got > 0) {
        got = read(fd, piece, sizeof(piece));
        if (got > 0) {
            (void)crypto_hash_sha256_update(&state, piece, (size_t)got);
        }
    }
    if (got < 0) {
        return err_why(AG_EFILE, "%s: %s", path, strerrordesc_np(errno));
    }
    (void)crypto_hash_sha256_final(&state, hash);
    return encode_hex(span_of(hash, sizeof(hash)), out);
}

static enum ag_err
program_add(struct cli *cli, int argc, char **argv)
{
    int64_t limit_ms = -1;
    const struct arg_opt opts[] = {
        {"limit", ARG_DURATION, &limit_ms, "D", "killed after (30s)"}};
    const struct arg_spec spec = {
        .usage = "rotate program add [--limit D] NAME FILE",
        .about = "Puts a program on record, with the hash of what it is now: "
                 "a changed one is not\nstarted until it is added again. Asks "
                 "for the passphrase.",
        .opts = opts,
        .opt_count = AG_COUNT(opts),
        .words_min = 2,
        .words_max = 2};
    AG_AUTO(buf) struct buf hash;
    json_auto_t *body = NULL;
    char *path = NULL;
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    buf_init(&hash, HASH_TEXT_BYTES + 1, BUF_PLAIN);
    if (err != AG_OK || args.help) {
        return err;
    }
    if (limit_ms == 0) {
        return err_why(AG_EUSAGE, "--limit needs a time that is not 0, "
                                  "like 30s");
    }
    path = realpath(args.words[1], NULL);
    err = path != NULL ? hash_file(path, &hash)
                       : err_why(AG_ENOTFOUND, "there is no %s", args.words[1]);
    if (err == AG_OK) {
        body = json_pack("{s:s, s:s%, s:o*}", "path", path, "sha256",
                         (const char *)hash.ptr, hash.len, "limit_s",
                         seconds(limit_ms));
        err = body == NULL ? AG_ENOMEM
                           : call_for(cli, "PUT", "/v1/programs/%s",
                                      args.words[0], body, NULL);
    }
    if (err == AG_OK) {
        out_say(&cli->out, "%s is on record: %s", args.words[0], path);
    }
    free(path);
    return err;
}

static enum ag_err
program_list(struct cli *cli, int argc, char **argv)
{
    static const struct act_column columns[] = {{"NAME", "name", false},
                                                {"LIMIT", "limit_s", true},
                                                {"SHA-256", "sha256", false},
                                                {"FILE", "path", false}};
    static const struct arg_spec spec = {.usage = "rotate program list",
                                         .about = "Programs on record."};

    return acts_list(cli,
                     &(struct act_list){&spec, "/v1/programs", "programs",
                                        columns, AG_COUNT(columns)},
                     argc, argv);
}

static enum ag_err
program_remove(struct cli *cli, int argc, char **argv)
{
    static const struct arg_spec spec = {
        .names = ARG_NAMES_PROGRAMS,
        .usage = "rotate program remove NAME",
        .about = "It is started no more. While a rule uses it it stays.",
        .words_min = 1,
        .words_max = 1};

    return acts_call(cli,
                     &(struct act_call){.spec = &spec,
                                        .method = "DELETE",
                                        .path = "/v1/programs/%s",
                                        .what = "Program",
                                        .sentence = "is off the record"},
                     argc, argv);
}

enum ag_err
rotate_program(struct cli *cli, int argc, char **argv)
{
    static const struct act acts[] = {
        {"add", "put a program on record", program_add},
        {"list", "those on record", program_list},
        {"remove", "take one off", program_remove},
    };
    static const struct act_table table = {
        "rotate program",
        "Programs that rotate secrets (--rotator command, ssh).", acts,
        AG_COUNT(acts)};

    return acts_run(cli, &table, argc, argv);
}

/* ---- the journal ---- */

enum ag_err
rotate_log(struct cli *cli, int argc, char **argv)
{
    static const struct act_column columns[] = {
        {"ROTATION", "rotation", true},
        {"SECRET", "secret", false},
        {"STATE", "state", false},
        {"OLD", "old_version", true},
        {"NEW", "some:new_version", true},
        {"TRIES", "attempts", true},
        {"WHY", "code", false},
        {"CHANGED", "when:changed", false}};
    static const struct arg_spec spec = {
        .names = ARG_NAMES_SECRETS,
        .usage = "rotate log [NAME]",
        .about = "The journal of rotations, newest first.",
        .words_max = 1};
    AG_AUTO(buf) struct buf path;
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    buf_init(&path, CLIENT_PATH_MAX_BYTES, BUF_PLAIN);
    if (err != AG_OK || args.help) {
        return err;
    }
    err = args.count == 1
              ? client_path(&path, "/v1/rotations?secret=%s", args.words[0])
              : client_path(&path, "/v1/rotations");
    return err == AG_OK ? acts_table(cli, buf_cstr(&path), "rotations", columns,
                                     AG_COUNT(columns))
                        : err;
}
