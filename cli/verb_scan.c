/* scan: plaintext credentials on this machine. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "move/find.h"
#include "move/profile_set.h"
#include "stray.h"
#include "verb.h"

struct report {
    struct cli *cli;
    json_t *findings;
    bool unasked; /* nobody could tell placeholders from values */
    size_t counts[SEVERITY_COUNT];
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

static enum ag_err
print(const struct report *r, const struct find *f)
{
    json_auto_t *object = NULL;

    out_progress(&r->cli->out, NULL);
    if (!r->cli->out.json) {
        print_findings(r);
        print_end(r, f);
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
    return object == NULL ? AG_ENOMEM : out_json(&r->cli->out, object);
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

enum ag_err
verb_scan(struct cli *cli, int argc, char **argv)
{
    static const struct arg_spec spec = {
        .usage = "scan [options] [PATH…]",
        .about =
            "Looks for credentials in plain text: the files of every tool that "
            "has a\nprofile, copies that editors left beside them, and "
            "environment files in the\ntree. Without PATH: the home "
            "directory. Never shows a value.\n\nExit code 1 when there is "
            "anything. Severity: critical (others can read it),\nhigh (works "
            "elsewhere), medium (one project, or a tool's own store), low\n"
            "(guarded by a passphrase).\n\nWith the vault open the broker is "
            "asked "
            "whether a placeholder of a task is\namong them: that goes on the "
            "record, and a task that still runs is ended.",
        .words_max = SIZE_MAX};
    struct report r = {.cli = cli};
    AG_AUTO(profiles) struct profiles *ps = NULL;
    AG_AUTO(find) struct find f = {.each = add, .tick = tick, .arg = &r};
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    if (err != AG_OK || args.help) {
        return err;
    }
    err = cli_harden(cli);
    if (err == AG_OK) {
        err = profile_set_load(cli, &ps);
    }
    if (err != AG_OK) {
        return err;
    }
    f.profiles = ps;
    r.findings = json_array();
    err = scan_paths(&f, &args);
    if (err == AG_OK) {
        ask_broker(&r);
        err = print(&r, &f);
    }
    if (err == AG_OK && json_array_size(r.findings) > 0) {
        cli->exit_code = err_exit(AG_EFOUND); /* an answer, not a failure */
    }
    json_decref(r.findings);
    return err;
}
