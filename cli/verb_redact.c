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
#include "client.h"
#include "printset.h"
#include "report.h"
#include "rules.h"
#include "session.h"
#include "transcript/inplace.h"
#include "transcript/packed.h"
#include "verb.h"

enum {
    FILES_MAX_COUNT = 4096, /* of one call; a list longer than that is a tree */
};

/* As they were given. */
struct options {
    const char *report;
    const char *rules;
    const char *set;
    struct arg_list files;
    bool in_place;
    bool dry_run;
    bool unpack;
};

struct redaction {
    struct cli *cli;
    enum rule_level_word rules;
    struct rule_stage *stage; /* rules in this process, or NULL */
    bool is_local; /* without a vault: known values can't be looked for */
    struct session *session;
    int dst_fd;
    bool unpack;      /* packed files come out as text */
    bool is_in_place; /* each report is asked for once */
    json_t *streams;  /* one report each */
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

/* A path need not be UTF-8. */
static json_t *
file_name(const char *name)
{
    json_t *file = json_string(name);

    return file != NULL ? file : json_string("?");
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
    if (json_object_set_new(report, "file", file_name(name)) != 0 ||
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
        err = rule_stage_copy(r->stage, in, r->dst_fd, &own);
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
        err = rule_stage_copy(r->stage, src, r->dst_fd, &report);
        return err == AG_OK ? filter_end(r, name, report) : err;
    }
    if (r->stage != NULL) {
        return filter_twice(r, ticket, name, src);
    }
    err = send_one(r, ticket, src, r->dst_fd);
    if (err == AG_OK) {
        err = wait_end(r, &report);
    }
    return err == AG_OK ? filter_end(r, name, report) : err;
}

/* A ticket for each when its turn comes: they don't keep. */
static enum ag_err
filter_ticketed(struct redaction *r, const char *name, int src)
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
    return err == AG_OK ? filter_one(r, ticket, name, src) : err;
}

/* struct passage's run(). */
static enum ag_err
pass(void *ctx, const char *name, int src, int dst, json_t **ret_report)
{
    struct redaction *r = ctx;
    enum ag_err err;

    r->dst_fd = dst;
    err = r->is_local ? filter_one(r, NULL, name, src)
                      : filter_ticketed(r, name, src);
    if (err == AG_OK) {
        *ret_report = json_incref(
            json_array_get(r->streams, json_array_size(r->streams) - 1));
    }
    if (r->is_in_place) {
        (void)json_array_clear(r->streams);
    }
    return err;
}

static enum ag_err
filter_file(struct redaction *r, const char *name)
{
    struct passage passage = {.run = pass, .ctx = r};
    struct packed text = {.plain_out = r->unpack, .dst_fd = STDOUT_FILENO};
    AG_AUTO(fd) int fd = -1;
    json_t *report = NULL;
    struct stat st;
    enum ag_err err;

    if (strcmp(name, "-") != 0) {
        fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0) {
            return err_why(err_from_errno(errno), "%s: %s", name,
                           strerrordesc_np(errno));
        }
        if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
            return err_why(AG_EINVAL,
                           "%s is a directory; name the files in it, or "
                           "redact them where they lie by --in-place",
                           name);
        }
        text.kind = pack_kind_of(fd);
    }
    text.src_fd = fd < 0 ? STDIN_FILENO : fd;
    if (text.kind != PACK_NONE) {
        cli_harden_bare(r->cli); /* unpacked in this process */
    }
    err = packed_run(&passage, name, &text, &report);
    json_decref(report);
    if (err != AG_OK && !passage.failed) {
        end_as_filters_do();
        return err_why(err, "%s: %s", name, err_text(err));
    }
    return err;
}

/* Both connections first: while the broker establishes who makes the second,
 * the first is answered. */
static enum ag_err
connect_both(struct redaction *r)
{
    enum ag_err err = r->is_local ? AG_OK : cli_connect(r->cli);

    return err == AG_OK && !r->is_local
               ? session_open(r->cli->paths.fd_sock, &r->session)
               : err;
}

static enum ag_err
filter_all(struct redaction *r, char *const *names, size_t count)
{
    enum ag_err err = connect_both(r);

    for (size_t i = 0; err == AG_OK && i < count; i++) {
        err = filter_file(r, names[i]);
    }
    return err;
}

static enum ag_err
use_set(struct redaction *r, const char *path)
{
    struct prints *set = NULL;
    enum ag_err err = printset_read(path, &set);

    if (err == AG_OK) {
        rule_stage_use(r->stage, set);
    }
    return err;
}

/* Which rules, and where they run. */
static enum ag_err
choose_rules(struct redaction *r, const struct options *o)
{
    const struct arg_list *files = &o->files;
    enum ag_err err = rule_word_parse(o->rules, &r->rules);

    if (err != AG_OK) {
        return err;
    }
    if (r->rules == RULE_WORD_NONE && files->count == 0 && o->set == NULL) {
        return err_why(AG_EUSAGE, "--rules none leaves nothing to look for; "
                                  "name a --rules-file");
    }
    /* Said on purpose, or the vault's values would be missed unseen. */
    r->is_local =
        r->rules == RULE_WORD_NONE || o->set != NULL ||
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
    return err == AG_OK && o->set != NULL ? use_set(r, o->set) : err;
}

/* Transcripts where they lie. */
static enum ag_err
redact_in_place(struct redaction *r, const struct args *args, bool dry_run,
                int report_fd)
{
    struct passage passage = {.run = pass, .ctx = r};
    AG_AUTO(inplace)
    struct inplace p = {.cli = r->cli, .passage = &passage, .dry_run = dry_run};
    enum ag_err err;

    cli_harden_bare(r->cli); /* what is packed is unpacked in this process */
    r->is_in_place = true;
    err = connect_both(r);
    for (size_t i = 0; err == AG_OK && i < args->count; i++) {
        err = inplace_path(&p, args->words[i]);
    }
    if (err == AG_OK && report_fd >= 0) {
        err = report_write(report_fd, inplace_report(&p));
    }
    return err == AG_OK ? inplace_end(&p) : err;
}

static enum ag_err
redact_to_stdout(struct redaction *r, const struct args *args, int report_fd)
{
    char dash[] = "-";
    char *only_stdin[] = {dash};
    enum ag_err err = args->count == 0
                          ? filter_all(r, only_stdin, 1)
                          : filter_all(r, args->words, args->count);

    return err == AG_OK && report_fd >= 0
               ? report_write(report_fd, json_pack("{s:I,s:O}", "hits",
                                                   (json_int_t)r->hits,
                                                   "streams", r->streams))
               : err;
}

/* Which options go together. */
static enum ag_err
check_options(const struct args *args, const struct options *o)
{
    if (o->dry_run && !o->in_place) {
        return err_why(AG_EUSAGE, "--dry-run goes with --in-place");
    }
    if (o->unpack && o->in_place) {
        return err_why(AG_EUSAGE, "--decompress: with --in-place a packed file "
                                  "is packed again");
    }
    if (o->in_place && args->count == 0) {
        return err_why(AG_EUSAGE, "--in-place needs the FILEs or DIRs");
    }
    return AG_OK;
}

static enum ag_err
redact(struct cli *cli, const struct args *args, const struct options *o)
{
    struct redaction r = {.cli = cli, .unpack = o->unpack};
    AG_AUTO(fd) int report_fd = -1;
    enum ag_err err = check_options(args, o);

    if (err == AG_OK) {
        err = choose_rules(&r, o);
    }
    if (err == AG_OK && o->report != NULL) {
        err = report_open(o->report, &report_fd);
    }
    if (err == AG_OK) {
        r.streams = json_array();
        err = o->in_place ? redact_in_place(&r, args, o->dry_run, report_fd)
                          : redact_to_stdout(&r, args, report_fd);
    }
    json_decref(r.streams);
    session_close(r.session);
    rule_stage_free(r.stage);
    return err;
}

enum ag_err
verb_redact(struct cli *cli, int argc, char **argv)
{
    struct options o = {.report = NULL};
    const struct arg_opt opts[] = {
        {"rules", ARG_TEXT, &o.rules, "known|default|all|none",
         "what else is looked for: values that only look like\nsecrets; "
         "default unless said otherwise. Without a vault\nthe shipped rules "
         "alone, when they are asked for"},
        {"rules-file", ARG_LIST, &o.files, "FILE",
         "rules of your own, as schema/rule.schema.json says"},
        {"set", ARG_TEXT, &o.set, "FILE",
         "fingerprints from `redaction-set export`, instead of the\n"
         "vault: here"},
        {"in-place", ARG_FLAG, &o.in_place, NULL,
         "change the files, and those below directories, where\nthey lie"},
        {"dry-run", ARG_FLAG, &o.dry_run, NULL,
         "with --in-place: say what is in each, write nothing;\nexit code 1 "
         "if anything is"},
        {"decompress", ARG_FLAG, &o.unpack, NULL,
         "write what was packed (gzip, zstd) as text"},
        {"report", ARG_TEXT, &o.report, "FILE",
         "write counts by name as JSON; never values"},
    };
    const struct arg_spec spec = {
        .usage = "redact [options] [FILE…]",
        .about =
            "Copies stdin, or the files, to stdout and takes every known "
            "secret out, in every\nencoding, and what rules take for a secret. "
            "Refuses while the vault is locked,\nrather than pass values. A "
            "FILE in gzip or zstd comes out in gzip or zstd.\n\nWith "
            "--in-place each file is written anew beside itself, exchanged in "
            "one step\nand only if something was found, its old content "
            "overwritten. Mode, owner and\ntimes stay. A file that another "
            "process has open, that has a second name (hard\nlink), that is a "
            "credential file of a profile, or that changes meanwhile is\nleft, "
            "and named; links are not followed, "
            "and what is binary is\npassed over. Who opens a file at that "
            "moment waits.",
        .opts = opts,
        .opt_count = AG_COUNT(opts),
        .words_max = FILES_MAX_COUNT};
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    return err != AG_OK || args.help ? err : redact(cli, &args, &o);
}
