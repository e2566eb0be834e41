/* scan: plaintext credentials on this machine. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "base/buf.h"
#include "base/fdx.h"
#include "move/find.h"
#include "move/profile_set.h"
#include "report.h"
#include "sarif.h"
#include "scan_texts.h"
#include "stray.h"
#include "verb.h"

struct report {
    struct cli *cli;
    json_t *findings;
    bool unasked; /* nobody could tell placeholders from values */
    size_t counts[SEVERITY_COUNT];
    bool with_texts;
    struct scan_texts texts;
    int sarif_fd; /* -1: none */
    bool sarif_is_stdout;
};

enum {
    ABOUT_MAX_BYTES = 512,
};

/* Values are never part of it: path, profile, how bad and why. */
static enum ag_err
add(void *arg, const struct finding *finding)
{
    struct report *r = arg;
    char mode[8];
    json_t *item;

    (void)snprintf(mode, sizeof(mode), "%04o", finding->mode & 07777);
    item =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I}", "path", finding->path,
                  "severity", severity_word(finding->severity), "kind",
                  finding_kind_word(finding->kind), "profile",
                  finding->profile->name, "mode", mode, "why", finding->why,
                  "secrets", (json_int_t)finding->field_count);
    if (item == NULL) {
        return AG_OK; /* a path that is not UTF-8 can't be written as JSON */
    }
    r->counts[finding->severity]++;
    return json_array_append_new(r->findings, item) == 0 ? AG_OK : AG_ENOMEM;
}

static void
tick(void *arg, uint64_t entries)
{
    struct report *r = arg;
    char text[64];

    (void)snprintf(text, sizeof(text), "looking: %llu files",
                   (unsigned long long)entries);
    out_progress(&r->cli->out, text);
}

static enum out_tone
tone_of(const char *severity)
{
    return strcmp(severity, "low") == 0      ? OUT_DIM
           : strcmp(severity, "medium") == 0 ? OUT_WARN
                                             : OUT_BAD;
}

/* Whose placeholders stand in what was found. What was found is told even if
 * nobody can say. */
static void
ask_broker(struct report *r)
{
    json_t *item = NULL;
    size_t i = 0;

    r->unasked = json_array_size(r->findings) > 0 && !stray_can_ask(r->cli);
    json_array_foreach(r->findings, i, item)
    {
        json_t *found = NULL;

        r->unasked = r->unasked || stray_ask(r->cli, out_member(item, "path"),
                                             &found) != AG_OK;
        if (r->unasked ||
            json_object_set_new(item, "placeholders", found) != 0) {
            break;
        }
    }
    err_clear();
}

static void
print_placeholders(const struct out *out, const json_t *item)
{
    const json_t *row = NULL;
    size_t i = 0;

    json_array_foreach(json_object_get(item, "placeholders"), i, row)
    {
        out_line(out, OUT_BAD, "          a placeholder of task %lld, which %s",
                 (long long)out_member_int(row, "task"),
                 json_is_true(json_object_get(row, "running"))
                     ? "ran until now and is ended: it wrote it here, or "
                       "somebody else did"
                     : "has ended: no service takes it, but somebody kept it");
    }
}

static void
print_findings(const struct report *r)
{
    const struct out *out = &r->cli->out;

    for (int severity = SEVERITY_COUNT - 1; severity >= 0; severity--) {
        const char *word = severity_word((enum severity)severity);
        const json_t *item = NULL;
        size_t i = 0;

        json_array_foreach(r->findings, i, item)
        {
            if (strcmp(out_member(item, "severity"), word) == 0) {
                out_line(out, tone_of(word), "%-8s  %s  (%s, mode %s)", word,
                         out_member(item, "path"), out_member(item, "profile"),
                         out_member(item, "mode"));
                out_line(out, OUT_PLAIN, "          %s",
                         out_member(item, "why"));
                print_placeholders(out, item);
            }
        }
    }
}

static void
print_end(const struct report *r, const struct find *f)
{
    const struct out *out = &r->cli->out;

    if (f->cut) {
        out_warn(out, "the walk was cut off at a limit; scan smaller trees");
    }
    if (f->unreadable_count > 0) {
        out_say(out, "%llu director%s could not be read",
                (unsigned long long)f->unreadable_count,
                f->unreadable_count == 1 ? "y" : "ies");
    }
    if (f->unknown_count > 0) {
        out_say(out, "%llu named file%s no profile's, and not looked into",
                (unsigned long long)f->unknown_count,
                f->unknown_count == 1 ? " is" : "s are");
    }
    if (json_array_size(r->findings) == 0) {
        out_say(out, "no plaintext credentials found in %llu file%s",
                (unsigned long long)f->entry_count,
                f->entry_count == 1 ? "" : "s");
        return;
    }
    out_say(out,
            "%zu critical, %zu high, %zu medium, %zu low; move them into the "
            "vault by: auth-guard adopt FILE, or --all",
            r->counts[SEVERITY_CRITICAL], r->counts[SEVERITY_HIGH],
            r->counts[SEVERITY_MEDIUM], r->counts[SEVERITY_LOW]);
    if (r->unasked && !cli_vault_absent(r->cli)) {
        out_say(out, "Placeholders of tasks among them would be known by the "
                     "broker: auth-guard unlock, and scan again.");
    }
}

/* ---- in texts ---- */

static void
print_texts(const struct report *r)
{
    const struct out *out = &r->cli->out;
    const json_t *row = NULL;
    uint64_t count = json_array_size(r->texts.found) + r->texts.more_count;
    size_t i = 0;

    json_array_foreach(r->texts.found, i, row)
    {
        out_line(
            out, tone_of(out_member(row, "severity")), "%-8s  %s:%lld:%lld %s",
            out_member(row, "severity"), out_member(row, "path"),
            (long long)out_member_int(row, "line"),
            (long long)out_member_int(row, "column"), out_member(row, "what"));
    }
    out_say(out, "%llu secret%s in %llu text%s%s", (unsigned long long)count,
            count == 1 ? "" : "s", (unsigned long long)r->texts.file_count,
            r->texts.file_count == 1 ? "" : "s",
            count > 0 ? "; take them out of transcripts by: auth-guard redact "
                        "--in-place, and rotate them"
                      : "");
    if (r->texts.left_count > 0) {
        out_say(out, "%llu could not be looked into",
                (unsigned long long)r->texts.left_count);
    }
    if (scan_texts_without(&r->texts) != NULL) {
        out_say(out,
                "only what looks like a secret was looked for, not the "
                "vault's values: %s",
                scan_texts_without(&r->texts));
    }
}

static enum ag_err
sarif_file(json_t *rows, const json_t *item)
{
    const char *severity = out_member(item, "severity");
    AG_AUTO(buf) struct buf text;
    enum ag_err err;

    buf_init(&text, ABOUT_MAX_BYTES, BUF_PLAIN);
    err = buf_fmt(&text, "A credential file (%s): %s",
                  out_member(item, "profile"), out_member(item, "why"));
    if (err != AG_OK || buf_cstr(&text) == NULL) {
        return err == AG_OK ? AG_ENOMEM : err;
    }
    return sarif_add(rows,
                     &(struct sarif_find){
                         .rule = "credential-file",
                         .about = "A file that holds a credential in "
                                  "plain text",
                         .level = strcmp(severity, "low") == 0      ? "note"
                                  : strcmp(severity, "medium") == 0 ? "warning"
                                                                    : "error",
                         .text = buf_cstr(&text),
                         .path = out_member(item, "path")});
}

static enum ag_err
sarif_text(json_t *rows, const json_t *item)
{
    const char *name = out_member(item, "name");
    bool is_rule = strncmp(name, "rule:", 5) == 0;
    AG_AUTO(buf) struct buf text;
    enum ag_err err;

    buf_init(&text, 4 * (size_t)ABOUT_MAX_BYTES, BUF_PLAIN);
    err = buf_fmt(&text, "This line %s.", out_member(item, "what"));
    if (err != AG_OK || buf_cstr(&text) == NULL) {
        return err == AG_OK ? AG_ENOMEM : err;
    }
    return sarif_add(
        rows, &(struct sarif_find){
                  .rule = is_rule ? name + 5 : "vault-value",
                  .about = is_rule ? "A text that looks like a secret"
                                   : "A value of the vault stands in a text",
                  .level = is_rule ? "warning" : "error",
                  .text = buf_cstr(&text),
                  .path = out_member(item, "path"),
                  .line = (uint64_t)out_member_int(item, "line")});
}

static enum ag_err
write_sarif(const struct report *r)
{
    json_auto_t *rows = json_array();
    const json_t *item = NULL;
    size_t i = 0;
    enum ag_err err = rows == NULL ? AG_ENOMEM : AG_OK;

    json_array_foreach(r->findings, i, item)
    {
        err = err == AG_OK ? sarif_file(rows, item) : err;
    }
    json_array_foreach(r->texts.found, i, item)
    {
        err = err == AG_OK ? sarif_text(rows, item) : err;
    }
    return err == AG_OK ? sarif_write(rows, r->sarif_fd) : err;
}

/* ---- all of it ---- */

static enum ag_err
print(const struct report *r, const struct find *f)
{
    json_auto_t *object = NULL;
    enum ag_err err = r->sarif_fd < 0 ? AG_OK : write_sarif(r);

    out_progress(&r->cli->out, NULL);
    if (err != AG_OK || r->sarif_is_stdout) {
        return err;
    }
    if (!r->cli->out.json) {
        print_findings(r);
        print_end(r, f);
        if (r->with_texts) {
            print_texts(r);
        }
        return AG_OK;
    }
    object = json_pack("{s:O, s:{s:I, s:I, s:I, s:I}, s:I, s:I, s:I, s:b}",
                       "findings", r->findings, "counts", "critical",
                       (json_int_t)r->counts[SEVERITY_CRITICAL], "high",
                       (json_int_t)r->counts[SEVERITY_HIGH], "medium",
                       (json_int_t)r->counts[SEVERITY_MEDIUM], "low",
                       (json_int_t)r->counts[SEVERITY_LOW], "files",
                       (json_int_t)f->entry_count, "unreadable",
                       (json_int_t)f->unreadable_count, "other_file_systems",
                       (json_int_t)f->mount_count, "cut", (int)f->cut);
    if (object != NULL && r->with_texts) {
        (void)json_object_update_new(
            object,
            json_pack("{s:O, s:I, s:I, s:I}", "texts", r->texts.found,
                      "texts_looked_into", (json_int_t)r->texts.file_count,
                      "texts_left", (json_int_t)r->texts.left_count,
                      "texts_more", (json_int_t)r->texts.more_count));
    }
    return object == NULL ? AG_ENOMEM : out_json(&r->cli->out, object);
}

static enum ag_err
look_into_texts(struct report *r, const struct args *args)
{
    struct expand_env here = expand_env_process();
    enum ag_err err = r->with_texts ? scan_texts_open(&r->texts) : AG_OK;

    if (err != AG_OK || !r->with_texts) {
        return err;
    }
    for (size_t i = 0; err == AG_OK && i < args->count; i++) {
        err = scan_texts_path(&r->texts, args->words[i]);
    }
    return err == AG_OK && args->count == 0 ? scan_texts_usual(&r->texts, &here)
                                            : err;
}

/* A tree that is named may be a home: its profiles' files are looked for too.
 */
static enum ag_err
scan_paths(struct find *f, const struct args *args)
{
    struct expand_env here = expand_env_process();
    enum ag_err err = AG_OK;

    if (args->count == 0) {
        err = find_profiles(f, &here);
        return err == AG_OK && here.home != NULL
                   ? find_tree(f, here.home, &here)
                   : err;
    }
    for (size_t i = 0; err == AG_OK && i < args->count; i++) {
        char *real = realpath(args->words[i], NULL);
        struct expand_env there = {.home = real};

        err = real == NULL ? AG_OK : find_profiles(f, &there);
        if (err == AG_OK) {
            err = find_tree(f, args->words[i], &here);
        }
        free(real);
    }
    return err;
}

/* Before anything is done. */
static enum ag_err
open_sarif(struct report *r, const char *path)
{
    r->sarif_is_stdout = path != NULL && strcmp(path, "-") == 0;
    if (r->sarif_is_stdout) {
        r->sarif_fd = STDOUT_FILENO;
    }
    return path == NULL || r->sarif_is_stdout ? AG_OK
                                              : report_open(path, &r->sarif_fd);
}

static enum ag_err
scan(struct report *r, const struct args *args)
{
    AG_AUTO(profiles) struct profiles *ps = NULL;
    AG_AUTO(find) struct find f = {.each = add, .tick = tick, .arg = r};
    enum ag_err err = profile_set_load(r->cli, &ps);

    if (err != AG_OK) {
        return err;
    }
    f.profiles = ps;
    r->findings = json_array();
    err = scan_paths(&f, args);
    if (err == AG_OK) {
        err = look_into_texts(r, args);
    }
    if (err == AG_OK) {
        ask_broker(r);
        err = print(r, &f);
    }
    if (err == AG_OK && json_array_size(r->findings) +
                                json_array_size(r->texts.found) +
                                r->texts.more_count >
                            0) {
        r->cli->exit_code = err_exit(AG_EFOUND); /* an answer, no failure */
    }
    json_decref(r->findings);
    scan_texts_done(&r->texts);
    return err;
}

enum ag_err
verb_scan(struct cli *cli, int argc, char **argv)
{
    struct report r = {.cli = cli, .texts = {.cli = cli}, .sarif_fd = -1};
    const char *sarif = NULL;
    const struct arg_opt opts[] = {
        {"texts", ARG_FLAG, &r.with_texts, NULL,
         "look into texts too: every file below PATH, or without\n"
         "PATH shell histories, agents' transcripts and what they\n"
         "are told (AGENTS.md, CLAUDE.md)"},
        {"sarif", ARG_TEXT, &sarif, "FILE",
         "write what was found as SARIF 2.1.0, for code scanning;\n"
         "- is stdout"},
    };
    const struct arg_spec spec = {
        .usage = "scan [options] [PATH…]",
        .about =
            "Looks for credentials in plain text: the files of every tool that "
            "has a\nprofile, copies that editors left beside them, and "
            "environment files in the\ntree. Without PATH: the home "
            "directory. Never shows a value.\n\nExit code 1 when there is "
            "anything. Severity: critical (others can read it),\nhigh (works "
            "elsewhere; a value of the vault in a text), medium (one project, "
            "a\ntool's own store, what looks like a secret in a text), low "
            "(guarded by a\npassphrase).\n\nWith the vault open the broker is "
            "asked "
            "whether a placeholder of a task is\namong them: that goes on the "
            "record, and a task that still runs is ended.",
        .opts = opts,
        .opt_count = AG_COUNT(opts),
        .words_max = SIZE_MAX};
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    if (err != AG_OK || args.help) {
        return err;
    }
    err = cli_harden(cli);
    if (err == AG_OK) {
        err = open_sarif(&r, sarif);
    }
    if (err == AG_OK) {
        err = scan(&r, &args);
    }
    if (!r.sarif_is_stdout) {
        fd_close(r.sarif_fd);
    }
    return err;
}
