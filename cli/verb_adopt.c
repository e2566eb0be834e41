/* adopt: credential files into the vault. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "base/fdx.h"
#include "move/adopt.h"
#include "move/find.h"
#include "move/line.h"
#include "move/profile_set.h"
#include "move/recover.h"
#include "verb.h"

/* What --all finds: the tools' own files, not copies and not stores. */
struct finds {
    json_t *paths;
};

static enum ag_err
add_path(void *arg, const struct finding *finding)
{
    struct finds *finds = arg;
    json_t *path;

    if (finding->kind != FINDING_FILE || finding->profile == NULL) {
        return AG_OK;
    }
    path = json_string(finding->path);
    return path == NULL || json_array_append_new(finds->paths, path) == 0
               ? AG_OK
               : AG_ENOMEM;
}

static enum ag_err
find_all(const struct profiles *ps, json_t *paths)
{
    struct expand_env env = expand_env_process();
    struct finds finds = {.paths = paths};
    AG_AUTO(find)
    struct find f = {.profiles = ps, .each = add_path, .arg = &finds};

    return find_profiles(&f, &env);
}

static void
say(struct cli *cli, const json_t *r)
{
    bool dry = json_is_true(json_object_get(r, "dry_run"));
    const json_t *item = NULL;
    size_t i = 0;

    if (!cli->out.json) {
        const char *profile = out_member(r, "profile");

        out_line(&cli->out, OUT_GOOD, "%s %s as %s (%s, %lld bytes)",
                 dry ? "would move" : "moved", out_member(r, "path"),
                 out_member(r, "name"),
                 strcmp(profile, "-") == 0 ? "no profile" : profile,
                 (long long)out_member_int(r, "bytes"));
        json_array_foreach(json_object_get(r, "erased"), i, item)
        {
            out_line(&cli->out, OUT_PLAIN, "  erased %s beside it",
                     json_string_value(item));
        }
    }
    json_array_foreach(json_object_get(r, "warnings"), i, item)
    {
        out_warn(&cli->out, "%s", json_string_value(item));
    }
}

/* Each file by itself: one that fails does not keep the others. */
static enum ag_err
adopt_each(const struct adopt *a, const json_t *paths, json_t *moved,
           json_t *failed)
{
    const json_t *path = NULL;
    size_t i = 0;
    enum ag_err first = AG_OK;

    json_array_foreach(paths, i, path)
    {
        json_t *result = NULL;
        const char *text = json_string_value(path);
        enum ag_err err = adopt_file(a, text, &result);

        if (err == AG_OK) {
            say(a->cli, result);
            (void)json_array_append_new(moved, result);
            continue;
        }
        (void)json_array_append_new(
            failed, json_pack("{s:s, s:s, s:s}", "path", text, "code",
                              err_code(err), "detail", err_text(err)));
        if (json_array_size(paths) == 1) {
            return err; /* its sentence is the verb's own */
        }
        /* Most sentences name the file. */
        out_warn(&a->cli->out, "not moved: %s%s%s",
                 strstr(err_text(err), text) != NULL ? "" : text,
                 strstr(err_text(err), text) != NULL ? "" : ": ",
                 err_text(err));
        first = first == AG_OK ? err : first;
        if (err == AG_ELOCKED || err == AG_EOPERATOR || err == AG_ENOBROKER) {
            break; /* the next would end the same way */
        }
    }
    return first == AG_OK
               ? AG_OK
               : err_why(first, "%zu of %zu files were not moved",
                         json_array_size(failed), json_array_size(paths));
}

static enum ag_err
collect(const struct profiles *ps, const struct args *args, bool all,
        json_t *paths)
{
    if (all != (args->count == 0)) {
        return err_why(AG_EUSAGE, all ? "name the files or say --all, not both"
                                      : "name the files, or say --all");
    }
    for (size_t i = 0; i < args->count; i++) {
        json_t *path = json_string(args->words[i]);

        if (path == NULL) {
            return err_why(AG_EINVAL, "a path must be UTF-8");
        }
        (void)json_array_append_new(paths, path);
    }
    return all ? find_all(ps, paths) : AG_OK;
}

static enum ag_err
adopt_all(struct adopt *a, const struct args *args, bool all)
{
    json_auto_t *paths = json_array();
    json_auto_t *moved = json_array();
    json_auto_t *failed = json_array();
    json_auto_t *object = NULL;
    enum ag_err err = collect(a->profiles, args, all, paths);
    enum ag_err printed = AG_OK;

    if (err != AG_OK) {
        return err;
    }
    if (a->name != NULL && json_array_size(paths) != 1) {
        return err_why(AG_EUSAGE, "--name is for one file");
    }
    if (json_array_size(paths) == 0) {
        out_say(&a->cli->out, "there is nothing to move");
    }
    err = adopt_each(a, paths, moved, failed);
    if (a->cli->out.json) {
        object = json_pack("{s:O, s:O}", "moved", moved, "failed", failed);
        printed = object == NULL ? AG_ENOMEM : out_json(&a->cli->out, object);
    }
    return err == AG_OK ? printed : err;
}

enum ag_err
verb_adopt(struct cli *cli, int argc, char **argv)
{
    struct adopt a = {.cli = cli};
    bool all = false;
    const struct arg_opt opts[] = {
        {"profile", ARG_TEXT, &a.profile, "P",
         "whose file it is (default: found by its path)"},
        {"name", ARG_TEXT, &a.name, "N", "the secret's name"},
        {"all", ARG_FLAG, &all, NULL,
         "every file that scan finds at the tools' own places"},
        {"opaque", ARG_FLAG, &a.opaque, NULL,
         "as plain bytes, whatever is in it"},
        {"dry-run", ARG_FLAG, &a.dry_run, NULL,
         "check everything, change nothing"}};
    const struct arg_spec spec = {
        .usage = "adopt [options] FILE… | --all",
        .about =
            "Moves credential files into the vault: read under the tool's own "
            "lock, sealed,\nread back and compared, then overwritten and "
            "unlinked with the copies editors\nleft beside them. A crash at "
            "any point leaves one good copy; the next run says\nwhat it "
            "found.\n\nOverwriting can't reach old blocks of copy-on-write "
            "file systems, snapshots and\nflash: rotate what was exposed.",
        .opts = opts,
        .opt_count = AG_COUNT(opts),
        .words_max = SIZE_MAX};
    AG_AUTO(profiles) struct profiles *ps = NULL;
    AG_AUTO(fd) int lock = -1;
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    if (err != AG_OK || args.help) {
        return err;
    }
    if (a.opaque && a.profile != NULL) {
        return err_why(AG_EUSAGE, "--opaque and --profile exclude each other");
    }
    err = cli_harden(cli);
    if (err == AG_OK) {
        err = profile_set_load(cli, &ps);
    }
    if (err == AG_OK && !a.dry_run) {
        (void)!moves_recover(cli, NULL); /* said; it keeps no other move */
    }
    if (err == AG_OK && !a.dry_run) {
        err = line_lock(cli, &lock);
    }
    a.profiles = ps;
    return err == AG_OK ? adopt_all(&a, &args, all) : err;
}
