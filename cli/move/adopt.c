#include "move/adopt.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fdx.h"
#include "base/secret.h"
#include "cli.h"
#include "move/erase.h"
#include "move/judge.h"
#include "move/line.h"
#include "move/locks.h"
#include "move/naming.h"
#include "move/own_path.h"
#include "move/source.h"
#include "profile/expand.h"
#include "profile/fields.h"
#include "redact/strength.h"

/* One file on its way. */
struct job {
    const struct adopt *a;
    struct source src;
    char *own_path;             /* as the tool says it: own_path.h */
    struct profile_match match; /* profile NULL: none */
    const struct profile_file *file;
    char name[NAME_MAX_BYTES + 1];
    struct secret *content;
    json_t *warnings;
    json_t *erased;
    json_t *left;
    size_t field_count;
};

static void
job_done(struct job *j)
{
    source_close(&j->src);
    free(j->own_path);
    secret_free(j->content);
    json_decref(j->warnings);
    json_decref(j->erased);
    json_decref(j->left);
}

AG_DEFINE_CLEANUP_INPLACE(job, job_done)

AG_PRINTF(2, 3)

static void
warn(struct job *j, const char *fmt, ...)
{
    char text[512];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    (void)json_array_append_new(j->warnings, json_string(text));
}

/* ---- what the file is ---- */

static enum ag_err
use_profile(struct job *j, const struct expand_env *env)
{
    enum ag_err err =
        profile_find(j->a->profiles, j->a->profile, &j->match.profile);

    if (err != AG_OK) {
        return err;
    }
    if (profile_file_for_path(j->match.profile, env, j->own_path,
                              &j->match.file_index) != AG_OK) {
        j->match.file_index = 0;
    }
    return AG_OK;
}

static const char *
owner(const struct job *j)
{
    return j->match.profile == NULL ? "nobody" : j->match.profile->title;
}

static enum ag_err
find_profile(struct job *j)
{
    struct expand_env env = expand_env_process();
    bool by_name = false;
    enum ag_err err = own_path(j->a->profiles, &env, j->src.path, &j->own_path);

    if (err != AG_OK) {
        return err;
    }
    if (j->a->profile != NULL) {
        err = use_profile(j, &env);
    } else if (!j->a->opaque &&
               profile_for_path(j->a->profiles, &env, j->own_path, &j->match) !=
                   AG_OK) {
        j->match.profile = NULL;
    }
    if (err != AG_OK) {
        return err;
    }
    if (j->match.profile != NULL && j->match.profile->files.count > 0) {
        j->file = &j->match.profile->files.items[j->match.file_index];
        by_name = !profile_is_own_path(j->file, &env, j->own_path);
    }
    if (j->file != NULL && j->file->scan_only) {
        return err_why(AG_EFILE,
                       "%s is a store of %s's own that can't be moved; log out "
                       "there and use a token instead",
                       j->src.path, owner(j));
    }
    naming_default(j->file == NULL ? NULL : &j->match, by_name, j->own_path,
                   j->name);
    if (j->a->name != NULL) {
        (void)snprintf(j->name, sizeof(j->name), "%s", j->a->name);
    }
    return parse_name(span_str(j->a->name != NULL ? j->a->name : j->name));
}

static enum ag_err
look_at_field(void *arg, const char *pointer, struct secret *value)
{
    struct job *j = arg;
    const char *text = strength_warning(strength_of(secret_view(value)));

    j->field_count++;
    if (text != NULL) {
        warn(j, "%s%s%s: %s", j->name, pointer[0] != '\0' ? "#" : "", pointer,
             text);
    }
    secret_free(value);
    return AG_OK;
}

static enum ag_err
check_format(struct job *j)
{
    struct span content = secret_view(j->content);
    enum file_format format =
        j->file == NULL ? format_guess(content) : j->file->format;
    bool any = j->a->opaque || (j->file != NULL && format == FORMAT_OPAQUE);
    enum ag_err err;

    if (!any && !parse_is_utf8(content)) {
        return err_why(AG_EFILE,
                       "%s is not UTF-8 text; --opaque moves it as bytes",
                       j->src.path);
    }
    if (j->a->opaque) {
        return AG_OK;
    }
    err = fields_check(content, format);
    if (err == AG_EINVAL || err == AG_ELIMIT) {
        return err_why(AG_EFILE,
                       "%s is malformed as %s: %s; --opaque moves it as bytes",
                       j->src.path, file_format_word(format), err_text(err));
    }
    return err;
}

static enum ag_err
check_content(struct job *j)
{
    struct span content = secret_view(j->content);
    static const struct profile_file BYTES = {.format = FORMAT_OPAQUE};
    const char *caveat = erase_caveat(j->src.fd);
    enum ag_err err = check_format(j);

    if (err == AG_OK) {
        err = fields_secret(content, j->a->opaque ? &BYTES : j->file,
                            look_at_field, j);
    }
    if (err != AG_OK) {
        return err;
    }
    if (j->field_count == 0 && j->file != NULL && j->file->secrets.count > 0) {
        return err_why(AG_EFILE,
                       "%s holds no secret that profile %s knows; --opaque "
                       "moves it as bytes",
                       j->src.path, j->match.profile->name);
    }
    if (judge_is_open(j->src.dir_fd, &j->src.st)) {
        warn(j,
             "%s was open to other users (mode %03o): take it as exposed and "
             "rotate it",
             j->src.path, (unsigned)(j->src.st.st_mode & 0777));
    }
    if (caveat != NULL) {
        warn(j, "%s: %s; rotate it if that matters", j->src.path, caveat);
    }
    return AG_OK;
}

/* ---- the move ---- */

static json_t *
begin_body(const struct job *j)
{
    const struct stat *st = &j->src.st;
    json_t *body = json_pack(
        "{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "kind",
        "adopt", "name", j->name, "path", j->src.path, "dev",
        (json_int_t)st->st_dev, "ino", (json_int_t)st->st_ino, "mode",
        (json_int_t)(st->st_mode & 07777), "uid", (json_int_t)st->st_uid, "gid",
        (json_int_t)st->st_gid, "mtime_ns",
        (json_int_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec,
        "atime_ns",
        (json_int_t)st->st_atim.tv_sec * 1000000000 + st->st_atim.tv_nsec,
        "size_bytes", (json_int_t)st->st_size);

    if (body != NULL && j->match.profile != NULL) {
        (void)json_object_set_new(body, "profile",
                                  json_string(j->match.profile->name));
    }
    return body;
}

/* Undoes a move that did not come to its commit; the failure stays the one
 * that was raised. */
static enum ag_err
give_up(struct line *line, enum ag_err err)
{
    char why[256];

    (void)snprintf(why, sizeof(why), "%s", err_text(err));
    (void)!line_undo(line); /* else recovery does it */
    return err_why(err, "%s", why);
}

static void
copy_told(void *arg, const char *name, enum copy_fate fate)
{
    struct job *j = arg;

    switch (fate) {
    case COPY_ERASED:
        (void)json_array_append_new(j->erased, json_string(name));
        return;
    case COPY_OTHER:
        (void)json_array_append_new(j->left, json_string(name));
        warn(j, "%s beside it holds other secrets: adopt or delete it", name);
        return;
    }
}

/* The vault is the authority now; the file must go. */
static enum ag_err
take_away(struct job *j, struct line *line)
{
    struct erase_told told = {.copy = copy_told, .arg = j};
    struct erase_names names;
    char why[256];
    enum ag_err err = erase_names(line->id, &names);

    if (err == AG_OK) {
        err = erase_original(j->src.dir_fd, j->src.name, &names, j->file,
                             j->content, &told);
    }
    if (err == AG_ECHANGED) {
        (void)snprintf(why, sizeof(why), "%s", err_text(err));
        (void)!line_done(line, "conflict");
        return err_why(AG_ECHANGED, "%s", why);
    }
    if (err == AG_ENOTFOUND) {
        warn(j, "%s was gone before it could be erased", j->src.path);
        err = AG_OK;
    }
    if (err != AG_OK) {
        return err_why(err,
                       "%s is in the vault, but %s is not erased yet: %s; run: "
                       "auth-guard status",
                       j->name, j->src.path, err_text(err));
    }
    if (told.not_wiped) {
        warn(j, "%s is unlinked, but could not be overwritten", j->src.path);
    }
    return line_done(line, "erased");
}

static enum ag_err
move_in(struct job *j, int64_t *ret_version)
{
    json_auto_t *body = begin_body(j);
    json_auto_t *answer = NULL;
    struct line line = {.cli = j->a->cli};
    bool changed = false;
    enum ag_err err =
        body == NULL ? AG_ENOMEM : line_begin(j->a->cli, body, &line, &answer);

    if (err != AG_OK) {
        return err;
    }
    err = line_take(&line, j->src.fd, ret_version, &changed);
    if (err == AG_OK) {
        err = source_unchanged(&j->src);
    }
    if (err != AG_OK) {
        return give_up(&line, err);
    }
    err = line_commit(&line); /* lost answers are recovery's */
    return err == AG_OK ? take_away(j, &line) : err;
}

static enum ag_err
report(struct job *j, int64_t version, json_t **ret)
{
    json_t *r = json_pack(
        "{s:s, s:s, s:s?, s:I, s:b, s:O, s:O, s:O}", "path", j->src.path,
        "name", j->name, "profile",
        j->match.profile == NULL ? NULL : j->match.profile->name, "bytes",
        (json_int_t)secret_len(j->content), "dry_run", j->a->dry_run, "erased",
        j->erased, "left", j->left, "warnings", j->warnings);

    if (r == NULL) {
        return AG_ENOMEM;
    }
    if (!j->a->dry_run) {
        (void)json_object_set_new(r, "version", json_integer(version));
    }
    *ret = r;
    return AG_OK;
}

static enum ag_err
prepare(struct job *j, const char *path, struct locks **ret_locks)
{
    enum ag_err err = source_open(path, &j->src);

    if (err == AG_OK) {
        err = find_profile(j);
    }
    if (err == AG_OK && j->file != NULL && !j->a->dry_run) {
        err = locks_take(j->src.dir_fd, j->file, LOCKS_WAIT_MS, ret_locks);
    }
    if (err == AG_OK) {
        err = source_read(&j->src, &j->content);
    }
    return err == AG_OK ? check_content(j) : err;
}

enum ag_err
adopt_file(const struct adopt *a, const char *path, json_t **ret)
{
    AG_AUTO(job) struct job j = {.a = a, .src = SOURCE_NONE};
    AG_AUTO(locks) struct locks *locks = NULL;
    int64_t version = 0;
    sigset_t all;
    sigset_t before;
    enum ag_err err;

    j.warnings = json_array();
    j.erased = json_array();
    j.left = json_array();
    err = cli_harden(a->cli);
    if (err == AG_OK) {
        err = prepare(&j, path, &locks);
    }
    if (err == AG_OK && !a->dry_run) {
        /* Ctrl-C waits: recovery could go on, but need not have to. */
        (void)sigfillset(&all);
        (void)pthread_sigmask(SIG_BLOCK, &all, &before);
        err = move_in(&j, &version);
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    return err == AG_OK ? report(&j, version, ret) : err;
}
