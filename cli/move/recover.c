#include "move/recover.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fdx.h"
#include "base/fsx.h"
#include "base/secret.h"
#include "cli.h"
#include "move/erase.h"
#include "move/line.h"
#include "move/locks.h"
#include "move/own_path.h"
#include "move/profile_set.h"
#include "move/source.h"
#include "profile/expand.h"
#include "profile/load.h"

struct found {
    struct line line;
    const char *kind;
    const char *state;
    const char *name; /* of the secret */
    const char *path;
    const char *base; /* within path */
    const char *profile;
    int dir_fd;
    struct erase_names names;
    json_t *notes; /* lines about copies */
};

/* What became of a move, in words for people. */
enum outcome {
    OUTCOME_ERASED,
    OUTCOME_CONFLICT,
    OUTCOME_UNDONE,
    OUTCOME_WRITTEN,
};

static const struct {
    const char *word;
    const char *sentence;
} OUTCOMES[] = {
    [OUTCOME_ERASED] = {"erased", "finished: the vault has it, the file is "
                                  "erased"},
    [OUTCOME_CONFLICT] = {"conflict",
                          "the file changed after the vault took it: both were "
                          "kept, adopt the file again"},
    [OUTCOME_UNDONE] = {"undone", "undone: nothing had been moved"},
    [OUTCOME_WRITTEN] = {"written", "finished: the file is in place, the vault "
                                    "has let go of it"},
};

static bool
is_regular(int dir_fd, const char *name, struct stat *ret)
{
    return fstatat(dir_fd, name, ret, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISREG(ret->st_mode);
}

/* Asks the broker whether the file is the one it sealed. */
static enum ag_err
is_ours(struct found *f, const char *name, bool *ret)
{
    AG_AUTO(fd)
    int fd =
        openat(f->dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    int64_t version = 0;
    bool changed = true;
    enum ag_err err = AG_OK;

    *ret = false;
    if (fd < 0 || fstat(fd, &st) != 0) {
        return err_from_errno(errno);
    }
    if (st.st_size > 0 && st.st_size <= SOURCE_MAX_BYTES) {
        err = line_take(&f->line, fd, &version, &changed);
    }
    *ret = err == AG_OK && !changed;
    return err;
}

static void
note_copy(void *arg, const char *name, enum copy_fate fate)
{
    struct found *f = arg;

    if (fate != COPY_ERASED) {
        (void)json_array_append_new(f->notes, json_string(name));
    }
}

static const struct profile_file *
file_of(const struct profiles *ps, const struct found *f)
{
    struct expand_env env = expand_env_process();
    const struct profile *p = NULL;
    char *path = NULL;
    size_t index = 0;

    if (f->profile == NULL || f->profile[0] == '\0' ||
        profile_find(ps, f->profile, &p) != AG_OK || p->files.count == 0) {
        return NULL;
    }
    if (own_path(ps, &env, f->path, &path) != AG_OK ||
        profile_file_for_path(p, &env, path, &index) != AG_OK) {
        index = 0;
    }
    free(path);
    return &p->files.items[index];
}

static enum ag_err
read_content(int dir_fd, const char *name, struct secret **ret)
{
    AG_AUTO(fd)
    int fd =
        openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

    return fd < 0 ? err_from_errno(errno)
                  : fd_read_secret(fd, SOURCE_MAX_BYTES, ret);
}

/* `from` is the file with our content, hidden already or not. */
static enum ag_err
finish_erasing(struct found *f, const struct profiles *ps, bool hidden)
{
    AG_AUTO(secret) struct secret *content = NULL;
    struct erase_told told = {.copy = note_copy, .arg = f};
    enum ag_err err =
        read_content(f->dir_fd, hidden ? f->names.hidden : f->base, &content);

    if (err != AG_OK) {
        return err;
    }
    return hidden ? erase_hidden(f->dir_fd, f->base, &f->names, file_of(ps, f),
                                 content, &told)
                  : erase_original(f->dir_fd, f->base, &f->names,
                                   file_of(ps, f), content, &told);
}

/* A rename in two steps (a file system without RENAME_NOREPLACE) can leave one
 * file under both names: back to the first. */
static enum ag_err
split_names(struct found *f, const struct stat *hidden)
{
    struct stat st;

    if (hidden->st_nlink == 2 && is_regular(f->dir_fd, f->base, &st) &&
        st.st_ino == hidden->st_ino && st.st_dev == hidden->st_dev &&
        unlinkat(f->dir_fd, f->base, 0) != 0) {
        return AG_EIO;
    }
    return AG_OK;
}

static enum ag_err
recover_hidden(struct found *f, const struct profiles *ps,
               const struct stat *hidden, enum outcome *ret)
{
    bool ours = false;
    enum ag_err err = split_names(f, hidden);

    if (err == AG_OK) {
        err = is_ours(f, f->names.hidden, &ours);
    }
    if (err != AG_OK) {
        return err;
    }
    if (ours) {
        return finish_erasing(f, ps, true);
    }
    *ret = OUTCOME_CONFLICT;
    err = rename_new(f->dir_fd, f->names.hidden, f->base);
    if (err == AG_EEXISTS) {
        return err_why(AG_EEXISTS,
                       "%s and %s beside it are both newer than the vault's "
                       "copy; remove one of them",
                       f->path, f->names.hidden);
    }
    return err == AG_OK ? fs_sync_dir(f->dir_fd) : err;
}

static enum ag_err
recover_erasing(struct found *f, const struct profiles *ps, enum outcome *ret)
{
    const struct profile_file *file = file_of(ps, f);
    AG_AUTO(locks) struct locks *locks = NULL;
    struct stat st;
    bool wiped = false;
    bool ours = false;
    enum ag_err err = AG_OK;

    *ret = OUTCOME_ERASED;
    if (file != NULL) {
        err = locks_take(f->dir_fd, file, LOCKS_WAIT_MS, &locks);
    }
    if (err != AG_OK) {
        return err;
    }
    if (is_regular(f->dir_fd, f->names.gone, &st)) {
        err = erase_file(f->dir_fd, f->names.gone, &wiped);
    }
    if (err != AG_OK) {
        return err;
    }
    if (is_regular(f->dir_fd, f->names.hidden, &st)) {
        return recover_hidden(f, ps, &st, ret);
    }
    if (!is_regular(f->dir_fd, f->base, &st)) {
        return AG_OK;
    }
    err = is_ours(f, f->base, &ours);
    if (err != AG_OK) {
        return err;
    }
    if (!ours) {
        *ret = OUTCOME_CONFLICT;
        return AG_OK;
    }
    return finish_erasing(f, ps, false);
}

static enum ag_err
recover_release(struct found *f, enum outcome *ret)
{
    struct stat st;
    bool wiped = false;
    bool ours = false;
    enum ag_err err = AG_OK;

    *ret = OUTCOME_UNDONE;
    if (is_regular(f->dir_fd, f->names.coming, &st)) {
        /* Linked but not renamed: the second name is no plaintext of its own
         * and goes; the file is then in place. */
        err = erase_file(f->dir_fd, f->names.coming, &wiped);
        if (err != AG_OK || st.st_nlink == 1) {
            return err;
        }
    }
    if (f->line.ticket[0] == '\0' || !is_regular(f->dir_fd, f->base, &st)) {
        return AG_OK;
    }
    err = is_ours(f, f->base, &ours);
    if (err == AG_OK && ours) {
        *ret = OUTCOME_WRITTEN;
        err = fs_sync_dir(f->dir_fd);
    }
    return err;
}

static enum ag_err
close_move(struct found *f, enum outcome outcome)
{
    enum ag_err err = AG_OK;

    switch (outcome) {
    case OUTCOME_UNDONE:
        return line_undo(&f->line);
    case OUTCOME_WRITTEN:
        if (strcmp(f->state, "erasing") != 0) {
            err = line_commit(&f->line);
        }
        break;
    case OUTCOME_ERASED:
    case OUTCOME_CONFLICT:
        break;
    }
    return err == AG_OK ? line_done(&f->line, OUTCOMES[outcome].word) : err;
}

/* The directory may be gone, with everything in it. */
static enum ag_err
open_dir(struct found *f)
{
    char *dir = strdup(f->path);
    char *slash = dir == NULL ? NULL : strrchr(dir, '/');

    if (slash == NULL) {
        free(dir);
        return dir == NULL ? AG_ENOMEM : AG_ECORRUPT;
    }
    slash[slash == dir ? 1 : 0] = '\0';
    f->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(dir);
    if (f->dir_fd < 0 && errno != ENOENT && errno != ENOTDIR) {
        return err_why(err_from_errno(errno), "the directory of %s: %s",
                       f->path, strerrordesc_np(errno));
    }
    f->base = strrchr(f->path, '/') + 1;
    return AG_OK;
}

static enum ag_err
decide(struct found *f, const struct profiles *ps, enum outcome *ret)
{
    bool adopt = strcmp(f->kind, "adopt") == 0;
    bool committed = strcmp(f->state, "erasing") == 0;
    enum ag_err err = open_dir(f);

    if (err != AG_OK) {
        return err;
    }
    if (!adopt && committed) {
        *ret = OUTCOME_WRITTEN;
        return AG_OK;
    }
    if (f->dir_fd < 0 || (adopt && !committed)) {
        *ret = adopt && committed ? OUTCOME_ERASED : OUTCOME_UNDONE;
        return AG_OK;
    }
    return adopt ? recover_erasing(f, ps, ret) : recover_release(f, ret);
}

static void
say(struct cli *cli, const struct found *f, enum outcome outcome, json_t *list)
{
    size_t i = 0;
    const json_t *note = NULL;

    out_say(&cli->out, "found an unfinished %s of %s (%s): %s", f->kind,
            f->name, f->path, OUTCOMES[outcome].sentence);
    json_array_foreach(f->notes, i, note)
    {
        out_warn(&cli->out, "%s beside it still holds secrets",
                 json_string_value(note));
    }
    (void)json_array_append_new(
        list,
        json_pack("{s:s, s:s, s:s, s:s, s:s}", "name", f->name, "path", f->path,
                  "kind", f->kind, "outcome", OUTCOMES[outcome].word, "detail",
                  OUTCOMES[outcome].sentence));
}

static enum ag_err
recover_one(struct cli *cli, const json_t *item, const struct profiles *ps,
            json_t *list)
{
    struct found f = {
        .kind = out_member(item, "kind"),
        .state = out_member(item, "state"),
        .name = out_member(item, "name"),
        .path = json_string_value(json_object_get(item, "path")),
        .profile = json_string_value(json_object_get(item, "profile")),
        .dir_fd = -1,
    };
    enum outcome outcome = OUTCOME_UNDONE;
    enum ag_err err = line_from(cli, item, &f.line);

    if (err == AG_OK) {
        err = erase_names(f.line.id, &f.names);
    }
    if (err == AG_OK && (f.path == NULL || f.path[0] != '/')) {
        err = err_why(AG_ECORRUPT, "move %s has no path", f.line.id);
    }
    if (err != AG_OK) {
        return err;
    }
    f.notes = json_array();
    err = decide(&f, ps, &outcome);
    if (err == AG_OK) {
        err = close_move(&f, outcome);
    }
    if (err == AG_OK) {
        say(cli, &f, outcome, list);
    }
    json_decref(f.notes);
    fd_close(f.dir_fd);
    return err;
}

static enum ag_err
recover_all(struct cli *cli, const json_t *moves, json_t *list)
{
    AG_AUTO(profiles) struct profiles *ps = NULL;
    AG_AUTO(fd) int lock = -1;
    const json_t *item = NULL;
    size_t i = 0;
    enum ag_err first = line_lock(cli, &lock);

    if (first != AG_OK) {
        return first == AG_EBUSY ? AG_OK : first;
    }
    first = cli_harden(cli);
    if (first == AG_OK) {
        first = profile_set_load(cli, &ps);
    }
    if (first != AG_OK) {
        return first;
    }
    json_array_foreach(moves, i, item)
    {
        enum ag_err err = recover_one(cli, item, ps, list);

        if (err != AG_OK) {
            out_warn(&cli->out, "an unfinished %s of %s: %s",
                     out_member(item, "kind"), out_member(item, "name"),
                     err_text(err));
            first = first == AG_OK ? err : first;
        }
    }
    return first;
}

enum ag_err
moves_recover(struct cli *cli, json_t **ret_found)
{
    json_auto_t *answer = NULL;
    json_auto_t *list = json_array();
    const json_t *moves;
    enum ag_err err = cli_call(cli, "GET", "/v1/moves", NULL, &answer);

    if (err == AG_ELOCKED || err == AG_EOPERATOR || err == AG_EDENIED ||
        err == AG_ENOBROKER || err == AG_ENOVAULT) {
        return AG_OK; /* not now: the next one who may will */
    }
    if (err != AG_OK) {
        return err;
    }
    moves = json_object_get(answer, "moves");
    if (json_array_size(moves) > 0) {
        err = recover_all(cli, moves, list);
    }
    if (ret_found != NULL) {
        *ret_found = AG_TAKE(list);
    }
    return err;
}
