/*
 * redact: stdin, or files, through the filter to stdout, or back to where they
 * lie.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "base/fdx.h"
#include "client.h"
#include "hook/redact_check.h"
#include "printset.h"
#include "redaction.h"
#include "report.h"
#include "rules.h"
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
    const char *format;
    struct arg_list files;
    bool in_place;
    bool check;
    bool dry_run;
    bool unpack;
    struct receipt_ask receipt;
};

/* A FILE, open, and how it is packed; "-" is stdin. */
static enum ag_err
open_file(const char *name, struct packed *ret)
{
    AG_AUTO(fd) int fd = -1;
    struct stat st;

    if (strcmp(name, "-") == 0) {
        ret->src_fd = STDIN_FILENO;
        return AG_OK;
    }
    fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return err_why(err_from_errno(errno), "%s: %s", name,
                       strerrordesc_np(errno));
    }
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        return err_why(AG_EINVAL,
                       "%s is a directory; name the files in it, or redact "
                       "them where they lie by --in-place",
                       name);
    }
    ret->kind = pack_kind_of(fd);
    ret->src_fd = FD_TAKE(fd);
    return AG_OK;
}

static enum ag_err
filter_file(struct redaction *r, const char *name, bool unpack,
            json_t **ret_report)
{
    struct passage passage = {.run = redaction_run, .ctx = r};
    struct packed text = {.plain_out = unpack, .dst_fd = STDOUT_FILENO};
    enum ag_err err = open_file(name, &text);

    if (err != AG_OK) {
        return err;
    }
    if (text.kind != PACK_NONE) {
        cli_harden_bare(r->cli); /* unpacked in this process */
        err = receipt_ask_refuse(&r->receipt, "packed text");
    }
    if (err == AG_OK) {
        err = packed_run(&passage, name, &text, ret_report);
    }
    if (text.src_fd != STDIN_FILENO) {
        fd_close(text.src_fd);
    }
    if (err != AG_OK && !passage.failed) {
        redaction_end_as_filters_do();
        return err_why(err, "%s: %s", name, err_text(err));
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
    return AG_OK;
}

static enum ag_err
load_rules(struct redaction *r, const struct options *o)
{
    const struct arg_list *files = &o->files;
    enum ag_err err;

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
    struct passage passage = {.run = redaction_run, .ctx = r};
    AG_AUTO(inplace)
    struct inplace p = {.cli = r->cli, .passage = &passage, .dry_run = dry_run};
    enum ag_err err;

    cli_harden_bare(r->cli); /* what is packed is unpacked in this process */
    err = redaction_open(r);
    for (size_t i = 0; err == AG_OK && i < args->count; i++) {
        err = inplace_path(&p, args->words[i]);
    }
    if (err == AG_OK && report_fd >= 0) {
        err = report_write(report_fd, inplace_report(&p));
    }
    return err == AG_OK ? inplace_end(&p) : err;
}

/* Adds the report of one text to `streams`. */
static enum ag_err
filter_named(struct redaction *r, const char *name, bool unpack,
             json_t *streams)
{
    json_t *report = NULL;
    enum ag_err err = filter_file(r, name, unpack, &report);

    return err == AG_OK && json_array_append_new(streams, report) != 0
               ? AG_ENOMEM
               : err;
}

static enum ag_err
redact_to_stdout(struct redaction *r, const struct args *args, bool unpack,
                 int report_fd)
{
    json_auto_t *streams = json_array();
    json_int_t hits = 0;
    const json_t *one;
    size_t i;
    enum ag_err err = redaction_open(r);

    if (err == AG_OK && args->count == 0) {
        err = filter_named(r, "-", unpack, streams);
    }
    for (i = 0; err == AG_OK && i < args->count; i++) {
        err = filter_named(r, args->words[i], unpack, streams);
    }
    json_array_foreach(streams, i, one)
    {
        hits += out_member_int(one, "hits");
    }
    if (err == AG_OK) {
        err = receipt_ask_write(&r->receipt, json_array_size(streams));
    }
    return err == AG_OK && report_fd >= 0
               ? report_write(report_fd, json_pack("{s:I,s:O}", "hits", hits,
                                                   "streams", streams))
               : err;
}

/* --check: the same things looked for, nothing passed on. */
static enum ag_err
only_check(const struct redaction *r, const struct args *args,
           const struct options *o)
{
    const struct search_terms terms = {.known = r->is_local ? SEARCH_KNOWN_NOT
                                                            : SEARCH_KNOWN_MUST,
                                       .rules = r->rules,
                                       .files = &o->files,
                                       .set = o->set};

    return redact_check(r->cli, &terms, &r->format, args);
}

/* Which format; transcripts where they lie go by their names. */
static enum ag_err
choose_format(struct redaction *r, const struct options *o)
{
    r->format.by_name = o->in_place;
    return o->format == NULL ? AG_OK : format_wish_parse(o->format, &r->format);
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
    if (o->check && (o->in_place || o->unpack)) {
        return err_why(AG_EUSAGE, "--check takes neither --in-place nor "
                                  "--decompress");
    }
    if (o->check && o->report != NULL) {
        return err_why(AG_EUSAGE, "--check writes no report; say --json");
    }
    if (o->check) {
        return receipt_ask_refuse(&o->receipt, "--check");
    }
    return o->in_place ? receipt_ask_refuse(&o->receipt, "--in-place") : AG_OK;
}

static enum ag_err
redact(struct cli *cli, const struct args *args, const struct options *o)
{
    struct redaction r = {.cli = cli, .receipt = o->receipt};
    AG_AUTO(fd) int report_fd = -1;
    enum ag_err err = check_options(args, o);

    if (err == AG_OK) {
        err = choose_rules(&r, o);
    }
    if (err == AG_OK) {
        err = choose_format(&r, o);
    }
    if (err == AG_OK && o->check) {
        return only_check(&r, args, o);
    }
    if (err == AG_OK) {
        err = load_rules(&r, o);
    }
    if (err == AG_OK) {
        err = receipt_ask_begin(&r.receipt, r.stage != NULL);
    }
    if (err == AG_OK && o->report != NULL) {
        err = report_open(o->report, &report_fd);
    }
    if (err == AG_OK) {
        err = o->in_place ? redact_in_place(&r, args, o->dry_run, report_fd)
                          : redact_to_stdout(&r, args, o->unpack, report_fd);
    }
    redaction_close(&r);
    return err;
}

enum ag_err
verb_redact(struct cli *cli, int argc, char **argv)
{
    struct options o = {.receipt = {.fd = -1, .opening_fd = -1}};
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
        {"format", ARG_TEXT, &o.format,
         "text|jsonl|json|sse|markdown|diff|auto",
         "as what it is searched: text unless said otherwise; auto:\nby the "
         "end of each FILE's name, as --in-place does"},
        {"in-place", ARG_FLAG, &o.in_place, NULL,
         "change the files, and those below directories, where\nthey lie"},
        {"dry-run", ARG_FLAG, &o.dry_run, NULL,
         "with --in-place: say what is in each, write nothing;\nexit code 1 "
         "if anything is"},
        {"decompress", ARG_FLAG, &o.unpack, NULL,
         "write what was packed (gzip, zstd) as text"},
        {"report", ARG_TEXT, &o.report, "FILE",
         "write counts by name as JSON; never values"},
        {"check", ARG_FLAG, &o.check, NULL,
         "pass nothing on; say where secrets stand, on stderr or\nas --json. "
         "Exit code 1 when there is one, 0 when none"},
        RECEIPT_ASK_OPTS(&o.receipt),
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
            "and what is binary is\npassed over, but for SQLite databases: "
            "of these all texts are changed. Who opens\na file at that moment "
            "waits.",
        .opts = opts,
        .opt_count = AG_COUNT(opts),
        .words_max = FILES_MAX_COUNT};
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    return err != AG_OK || args.help ? err : redact(cli, &args, &o);
}
