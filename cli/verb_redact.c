/*
 * redact: hands stdin (or files) and stdout to the filter as descriptors and
 * waits. No byte of the text passes through this process.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "base/fdx.h"
#include "base/wipealloc.h"
#include "client.h"
#include "printset.h"
#include "rules.h"
#include "session.h"
#include "verb.h"

enum {
    FILES_MAX_COUNT = 4096, /* of one call; a list longer than that is a tree */
};

struct redaction {
    struct cli *cli;
    enum rule_level_word rules;
    const char *set;          /* a file of fingerprints, or NULL */
    struct rule_stage *stage; /* rules in this process, or NULL */
    bool is_local; /* without a vault: known values can't be looked for */
    struct session *session;
    json_t *streams; /* one report each */
    int64_t hits;
};

static enum ag_err
wait_end(struct redaction *r, json_t **ret)
{
    struct pollfd p = {.fd = session_fd(r->session), .events = POLLIN};
    json_t *event = NULL;
    enum ag_err err = AG_OK;

    while (err == AG_OK && event == NULL) {
        err = session_event(r->session, &event);
        if (err == AG_OK && event == NULL && poll(&p, 1, -1) < 0 &&
            errno != EINTR) {
            return AG_EIO;
        }
    }
    if (err == AG_ENOBROKER) {
        return err_why(AG_EFILTER, "the broker ended; nothing after this point "
                                   "was passed on");
    }
    if (err == AG_OK && strcmp(out_member(event, "event"), "stream_end") != 0) {
        const char *reason = out_member(event, "reason");

        err = err_why(strcmp(reason, "locked") == 0 ? AG_ELOCKED : AG_EFILTER,
                      "the stream was ended: %s", reason);
        json_decref(event);
        return err;
    }
    *ret = event;
    return err;
}

/* Whoever read our output has gone, as `head` does: no error, and the end that
 * every filter in a pipe takes. */
static void
end_as_filters_do(void)
{
    struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};

    if (poll(&p, 1, 0) == 1 && (p.revents & POLLERR) != 0) {
        (void)signal(SIGPIPE, SIG_DFL);
        (void)raise(SIGPIPE);
    }
}

/* The end of one stream: its report, or why it has none. */
static enum ag_err
filter_end(struct redaction *r, const char *name, json_t *report)
{
    enum ag_err err;

    /* A stream that did not end with its source says why. */
    if (json_object_get(report, "code") != NULL) {
        end_as_filters_do();
        err = err_why(err_from_code(out_member(report, "code")),
                      "the stream of %s broke off; nothing after that point "
                      "was passed on",
                      name);
        json_decref(report);
        return err;
    }
    r->hits += out_member_int(report, "hits");
    (void)json_object_del(report, "event");
    (void)json_object_del(report, "stream");
    if (json_object_set_new(report, "file", json_string(name)) != 0 ||
        json_array_append_new(r->streams, report) != 0) {
        return AG_ENOMEM;
    }
    return AG_OK;
}

/* Through the broker's filter to `dst`. */
static enum ag_err
send_one(struct redaction *r, const char *ticket, int src, int dst)
{
    const struct session_stream stream = {
        .src_fd = src, .dst_fd = dst, .rules = rule_word_text(r->rules)};
    json_t *answer = NULL;
    enum ag_err err = session_send_stream(r->session, ticket, &stream);

    if (err == AG_OK) {
        err = session_answer(r->session, &answer);
        json_decref(answer);
    }
    return err;
}

/* The hits of our own stage belong to what the broker reports. */
static void
add_report(json_t *report, const json_t *own)
{
    json_int_t hits =
        out_member_int(report, "hits") + out_member_int(own, "hits");

    (void)json_object_set_new(report, "hits", json_integer(hits));
    (void)json_object_update(json_object_get(report, "counts"),
                             json_object_get(own, "counts"));
    (void)json_object_set(report, "bytes_out",
                          json_object_get(own, "bytes_out"));
}

/* Known values first, in the broker's filter; then this process's rules on
 * what it lets out. */
static enum ag_err
filter_twice(struct redaction *r, const char *ticket, const char *name, int src)
{
    AG_AUTO(fd) int in = -1;
    json_t *own = NULL;
    json_t *event = NULL;
    int pair[2];
    enum ag_err err;

    if (pipe2(pair, O_CLOEXEC) != 0) {
        return err_from_errno(errno);
    }
    in = pair[0];
    err = send_one(r, ticket, src, pair[1]);
    fd_close(pair[1]);
    if (err == AG_OK) {
        err = rule_stage_copy(r->stage, in, STDOUT_FILENO, &own);
    }
    if (err == AG_OK) {
        err = wait_end(r, &event);
    }
    if (err == AG_OK) {
        add_report(event, own);
        err = filter_end(r, name, event);
    }
    json_decref(own);
    return err;
}

/* Without a ticket: here. */
static enum ag_err
filter_one(struct redaction *r, const char *ticket, const char *name, int src)
{
    json_t *report = NULL;
    enum ag_err err;

    if (ticket == NULL) {
        err = rule_stage_copy(r->stage, src, STDOUT_FILENO, &report);
        return err == AG_OK ? filter_end(r, name, report) : err;
    }
    if (r->stage != NULL) {
        return filter_twice(r, ticket, name, src);
    }
    err = send_one(r, ticket, src, STDOUT_FILENO);
    if (err == AG_OK) {
        err = wait_end(r, &report);
    }
    return err == AG_OK ? filter_end(r, name, report) : err;
}

static enum ag_err
filter_file(struct redaction *r, const char *ticket, const char *name)
{
    AG_AUTO(fd) int fd = -1;
    struct stat st;

    if (strcmp(name, "-") == 0) {
        return filter_one(r, ticket, name, STDIN_FILENO);
    }
    fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return err_why(err_from_errno(errno), "%s: %s", name,
                       strerrordesc_np(errno));
    }
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        return err_why(AG_EINVAL, "%s is a directory; name the files in it",
                       name);
    }
    return filter_one(r, ticket, name, fd);
}

/* A ticket for each when its turn comes: they don't keep. */
static enum ag_err
filter_named(struct redaction *r, const char *name)
{
    json_auto_t *body = json_pack("{s:i}", "count", 1);
    json_auto_t *answer = NULL;
    const char *ticket;
    enum ag_err err = cli_call(r->cli, "POST", "/v1/streams", body, &answer);

    ticket = json_string_value(
        json_array_get(json_object_get(answer, "streams"), 0));
    if (err == AG_OK && ticket == NULL) {
        err = err_why(AG_ECORRUPT, "the broker gave no ticket for the stream");
    }
    return err == AG_OK ? filter_file(r, ticket, name) : err;
}

/* Both connections first: while the broker establishes who makes the second,
 * the first is answered. */
static enum ag_err
filter_all(struct redaction *r, char *const *names, size_t count)
{
    enum ag_err err = r->is_local ? AG_OK : cli_connect(r->cli);

    if (err == AG_OK && !r->is_local) {
        err = session_open(r->cli->paths.fd_sock, &r->session);
    }
    for (size_t i = 0; err == AG_OK && i < count; i++) {
        err = r->is_local ? filter_file(r, NULL, names[i])
                          : filter_named(r, names[i]);
    }
    return err;
}

/* Before the first byte is passed on: a report that can't be written is said
 * while nothing has happened. */
static enum ag_err
open_report(const char *path, int *ret)
{
    int fd;

    if (strcmp(path, "-") == 0) {
        return err_why(AG_EUSAGE, "--report needs a FILE: stdout is for the "
                                  "text");
    }
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        return err_why(err_from_errno(errno), "%s: %s", path,
                       strerrordesc_np(errno));
    }
    *ret = fd;
    return AG_OK;
}

static enum ag_err
write_report(const struct redaction *r, int fd)
{
    json_auto_t *report = json_pack("{s:I,s:O}", "hits", (json_int_t)r->hits,
                                    "streams", r->streams);
    char *text = report == NULL ? NULL : json_dumps(report, JSON_INDENT(2));
    enum ag_err err = text == NULL ? AG_ENOMEM : AG_OK;

    if (err == AG_OK) {
        (void)!ftruncate(fd, 0); /* not at the open: a stream may be refused */
        err = fd_write_all(fd, span_str(text));
    }
    if (err == AG_OK) {
        err = fd_write_all(fd, span_str("\n"));
    }
    wipe_free(text);
    return err;
}

static enum ag_err
use_set(struct redaction *r)
{
    struct prints *set = NULL;
    enum ag_err err = printset_read(r->set, &set);

    if (err == AG_OK) {
        rule_stage_use(r->stage, set);
    }
    return err;
}

/* Which rules, and where they run. */
static enum ag_err
choose_rules(struct redaction *r, const char *rules,
             const struct arg_list *files)
{
    enum ag_err err = rule_word_parse(rules, &r->rules);

    if (err != AG_OK) {
        return err;
    }
    if (r->rules == RULE_WORD_NONE && files->count == 0 && r->set == NULL) {
        return err_why(AG_EUSAGE, "--rules none leaves nothing to look for; "
                                  "name a --rules-file");
    }
    /* Said on purpose, or the vault's values would be missed unseen. */
    r->is_local =
        r->rules == RULE_WORD_NONE || r->set != NULL ||
        (rule_word_text(r->rules) != NULL && cli_vault_absent(r->cli));
    if (r->rules == RULE_WORD_UNSAID) {
        r->rules = RULE_WORD_DEFAULT;
    }
    if (!r->is_local && files->count == 0) {
        return AG_OK;
    }
    cli_harden_bare(r->cli); /* text passes through this process now */
    err =
        rule_stage_new(&r->cli->paths, r->is_local ? r->rules : RULE_WORD_NONE,
                       files, &r->stage);
    return err == AG_OK && r->set != NULL ? use_set(r) : err;
}

enum ag_err
verb_redact(struct cli *cli, int argc, char **argv)
{
    const char *report = NULL;
    const char *rules = NULL;
    struct arg_list files = {.count = 0};
    struct redaction r = {.cli = cli};
    const struct arg_opt opts[] = {
        {"rules", ARG_TEXT, &rules, "known|default|all|none",
         "what else is looked for: values that only look like\nsecrets; "
         "default unless said otherwise. Without a vault\nthe shipped rules "
         "alone, when they are asked for"},
        {"rules-file", ARG_LIST, &files, "FILE",
         "rules of your own, as schema/rule.schema.json says"},
        {"set", ARG_TEXT, &r.set, "FILE",
         "fingerprints from `redaction-set export`, instead of the\n"
         "vault: here"},
        {"report", ARG_TEXT, &report, "FILE",
         "write counts by name as JSON; never values"},
    };
    const struct arg_spec spec = {
        .usage = "redact [options] [FILE…]",
        .about = "Copies stdin, or the files, to stdout and takes every known "
                 "secret out, in every\nencoding, and what rules take for a "
                 "secret. Refuses while the vault is locked,\nrather than pass "
                 "values.",
        .opts = opts,
        .opt_count = AG_COUNT(opts),
        .words_max = FILES_MAX_COUNT};
    char dash[] = "-";
    char *only_stdin[] = {dash};
    AG_AUTO(fd) int report_fd = -1;
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    if (err == AG_OK && !args.help) {
        err = choose_rules(&r, rules, &files);
    }
    if (err == AG_OK && !args.help && report != NULL) {
        err = open_report(report, &report_fd);
    }
    if (err != AG_OK || args.help) {
        rule_stage_free(r.stage);
        return err;
    }
    r.streams = json_array();
    err = args.count == 0 ? filter_all(&r, only_stdin, 1)
                          : filter_all(&r, args.words, args.count);
    if (err == AG_OK && report_fd >= 0) {
        err = write_report(&r, report_fd);
    }
    json_decref(r.streams);
    session_close(r.session);
    rule_stage_free(r.stage);
    return err;
}
