/*
 * watch: what tools write is redacted where it lies, as long as this runs.
 */
#include <sys/signalfd.h>

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "base/buf.h"
#include "base/fdx.h"
#include "client.h"
#include "move/profile_set.h"
#include "profile/expand.h"
#include "profile/load.h"
#include "redaction.h"
#include "transcript/follow.h"
#include "verb.h"

enum {
    IDLE_MS = 1000,
    IDLE_MIN_MS = 100,
    IDLE_MAX_MS = 60 * 60 * 1000,
};

struct roots {
    size_t count;
    struct follow_root items[FOLLOW_ROOTS_MAX_COUNT];
    char *paths[FOLLOW_ROOTS_MAX_COUNT]; /* theirs */
};

static void
roots_free(struct roots *roots)
{
    for (size_t i = 0; roots != NULL && i < roots->count; i++) {
        free(roots->paths[i]);
    }
    free(roots);
}
AG_DEFINE_CLEANUP(roots, roots_free)

/* A copy of `path`. */
static enum ag_err
add_root(struct roots *roots, const char *path, bool optional)
{
    char *copy;

    if (roots->count == FOLLOW_ROOTS_MAX_COUNT) {
        return err_why(AG_ELIMIT, "more than %d directories",
                       FOLLOW_ROOTS_MAX_COUNT);
    }
    copy = strdup(path);
    if (copy == NULL) {
        return AG_ENOMEM;
    }
    roots->paths[roots->count] = copy;
    roots->items[roots->count] =
        (struct follow_root){.path = copy, .optional = optional};
    roots->count++;
    return AG_OK;
}

/* Where a profile's tool keeps its transcripts on this machine. */
static enum ag_err
add_of_profile(struct roots *roots, const struct profile *profile)
{
    const struct expand_env env = expand_env_process();
    enum ag_err err = AG_OK;

    for (size_t i = 0; err == AG_OK && i < profile->transcripts.count; i++) {
        AG_AUTO(buf) struct buf path = {0};

        buf_init(&path, PATH_MAX, BUF_PLAIN);
        if (expand_path(profile->transcripts.items[i], &env, EXPAND_USUAL,
                        &path) == AG_OK &&
            buf_cstr(&path) != NULL) {
            err = add_root(roots, buf_cstr(&path), true);
        }
    }
    return err;
}

static enum ag_err
add_known(struct cli *cli, struct roots *roots)
{
    AG_AUTO(profiles) struct profiles *profiles = NULL;
    enum ag_err err = profile_set_load(cli, &profiles);

    for (size_t i = 0; err == AG_OK && i < profiles_count(profiles); i++) {
        err = add_of_profile(roots, profiles_at(profiles, i));
    }
    return err;
}

/* What was named, as the kernel would find it. */
static enum ag_err
add_named(struct roots *roots, const char *name)
{
    char *real = realpath(name, NULL);
    enum ag_err err = real == NULL
                          ? err_why(AG_ENOTFOUND, "%s is not there", name)
                          : add_root(roots, real, false);

    free(real);
    return err;
}

static enum ag_err
open_filter(void *arg)
{
    return redaction_open(arg);
}

static void
close_filter(void *arg)
{
    struct redaction *r = arg;

    session_close(AG_TAKE(r->session));
    client_close(AG_TAKE(r->cli->client));
}

/* Both end it in order; blocked from here on. */
static enum ag_err
open_end(int *ret)
{
    sigset_t ends;

    (void)sigemptyset(&ends);
    (void)sigaddset(&ends, SIGTERM);
    (void)sigaddset(&ends, SIGINT);
    (void)sigaddset(&ends, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &ends, NULL);
    *ret = signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
    return *ret < 0 ? err_from_errno(errno) : AG_OK;
}

static void
say_begin(const struct cli *cli, const struct roots *roots)
{
    for (size_t i = 0; i < roots->count; i++) {
        out_say(&cli->out, "following %s", roots->items[i].path);
    }
}

static enum ag_err
follow(struct cli *cli, const struct roots *roots, enum rule_level_word rules,
       int64_t idle_ms)
{
    struct redaction r = {
        .cli = cli, .rules = rules, .receipt = {.fd = -1, .opening_fd = -1}};
    struct passage passage = {.run = redaction_run, .ctx = &r};
    AG_AUTO(inplace)
    struct inplace p = {.cli = cli, .passage = &passage, .follows = true};
    struct follow f = {.inplace = &p,
                       .quiet_ms = idle_ms,
                       .retry_ms = FOLLOW_RETRY_MS,
                       .tell_ms = FOLLOW_TELL_MS,
                       .end_fd = -1,
                       .open = open_filter,
                       .close = close_filter,
                       .arg = &r};
    enum ag_err err = open_end(&f.end_fd);

    cli_harden_bare(cli); /* what is packed is unpacked in this process */
    if (err == AG_OK) {
        say_begin(cli, roots);
        err = follow_run(&f, roots->items, roots->count);
    }
    fd_close(f.end_fd);
    redaction_close(&r);
    return err == AG_OK ? inplace_tell(&p) : err;
}

/* What was asked for, but for the directories. */
static enum ag_err
check_options(const struct args *args, enum rule_level_word rules,
              int64_t idle_ms)
{
    if (strcmp(args->words[0], "transcripts") != 0) {
        return err_why(AG_EUSAGE, "watch what? watch transcripts");
    }
    if (rules == RULE_WORD_NONE) {
        return err_why(AG_EUSAGE, "--rules none leaves the vault out: there is "
                                  "nothing to look for");
    }
    if (idle_ms < IDLE_MIN_MS || idle_ms > IDLE_MAX_MS) {
        return err_why(AG_EUSAGE, "--idle is between 100ms and 1h");
    }
    return AG_OK;
}

static enum ag_err
find_roots(struct cli *cli, const struct args *args, struct roots *roots)
{
    enum ag_err err = AG_OK;

    if (args->count == 1) {
        return add_known(cli, roots);
    }
    for (size_t i = 1; err == AG_OK && i < args->count; i++) {
        err = add_named(roots, args->words[i]);
    }
    return err;
}

static enum ag_err
watch(struct cli *cli, const struct args *args, const char *rules_word,
      int64_t idle_ms)
{
    AG_AUTO(roots) struct roots *roots = calloc(1, sizeof(*roots));
    enum rule_level_word rules = RULE_WORD_UNSAID;
    enum ag_err err =
        roots == NULL ? AG_ENOMEM : rule_word_parse(rules_word, &rules);

    if (err == AG_OK) {
        err = check_options(args, rules, idle_ms);
    }
    if (err == AG_OK && cli_vault_absent(cli)) {
        return AG_ENOVAULT;
    }
    if (err == AG_OK) {
        err = find_roots(cli, args, roots);
    }
    if (err != AG_OK) {
        return err;
    }
    return follow(cli, roots,
                  rules == RULE_WORD_UNSAID ? RULE_WORD_DEFAULT : rules,
                  idle_ms);
}

enum ag_err
verb_watch(struct cli *cli, int argc, char **argv)
{
    const char *rules = NULL;
    int64_t idle_ms = IDLE_MS;
    const struct arg_opt opts[] = {
        {"rules", ARG_TEXT, &rules, "known|default|all",
         "what else is looked for; as redact has it"},
        {"idle", ARG_DURATION, &idle_ms, "D",
         "how long nothing happens to a file before it is looked\nat; 1s "
         "unless said otherwise"},
    };
    const struct arg_spec spec = {
        .usage = "watch transcripts [options] [DIR…]",
        .about =
            "Looks through the directories as redact --in-place does, then "
            "follows them: a file\nis redacted where it lies once its writer "
            "has closed it, a database once nobody has\nit open. One that "
            "stays open is tried again, at most every 30 seconds. Without "
            "DIRs\nthose of the profiles: where tools keep their "
            "transcripts.\n\nA line tells of each file that changed, or was "
            "left and why; with --json an\nobject, and one with the sums at "
            "the end. While the vault is locked or the broker\nis gone it "
            "waits, and passes nothing over; why it waits is said,\nand again "
            "each hour. SIGTERM and Ctrl-C end it once "
            "the file at\nwork is done.",
        .opts = opts,
        .opt_count = AG_COUNT(opts),
        .words_min = 1,
        .words_max = FOLLOW_ROOTS_MAX_COUNT};
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    return err != AG_OK || args.help ? err : watch(cli, &args, rules, idle_ms);
}
