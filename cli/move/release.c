#include "move/release.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "move/line.h"
#include "move/restore.h"

/* Nothing was named: the temporary file goes, then the move is undone. What
 * does not succeed is recovery's. */
static enum ag_err
give_up(struct line *line, struct restore *r, enum ag_err err)
{
    char why[256];

    (void)snprintf(why, sizeof(why), "%s", err_text(err));
    if (restore_discard(r) == AG_OK) {
        (void)!line_undo(line);
    }
    return err_why(err, "%s", why);
}

static int64_t
fact(const json_t *answer, const char *key, int64_t absent)
{
    const json_t *value = json_object_get(answer, key);

    return json_is_integer(value) ? json_integer_value(value) : absent;
}

/* The file has its name; whatever fails now, the next run goes on. */
static enum ag_err
let_go(struct line *line, const struct restore *r, enum ag_err err)
{
    if (err == AG_OK) {
        err = line_commit(line);
    }
    if (err == AG_OK) {
        err = line_done(line, "written");
    }
    if (err == AG_OK) {
        return AG_OK;
    }
    return err_why(err,
                   "%s is back, but the vault has not let go of it yet: %s; "
                   "run: auth-guard status",
                   r->path, err_text(err));
}

static enum ag_err
put_back(struct line *line, const json_t *answer, struct restore *r,
         int64_t *ret_bytes)
{
    struct restore_facts facts = {
        .mode = fact(answer, "mode", 0600) & 07777,
        .gid = fact(answer, "gid", -1),
        .mtime_ns = fact(answer, "mtime_ns", 0),
        .atime_ns = fact(answer, "atime_ns", 0),
    };
    enum ag_err err = line_deliver(line, r->fd, &facts.size_bytes);

    if (err == AG_OK) {
        err = restore_place(r, &facts);
    }
    if (err != AG_OK && !r->placed) {
        return give_up(line, r, err);
    }
    *ret_bytes = facts.size_bytes;
    return let_go(line, r, err);
}

static enum ag_err
move_out(struct cli *cli, const json_t *body, json_t **ret)
{
    AG_AUTO(restore) struct restore r = RESTORE_NONE;
    json_auto_t *answer = NULL;
    struct line line = {.cli = cli};
    const char *path;
    int64_t bytes = 0;
    enum ag_err err = line_begin(cli, body, &line, &answer);

    if (err != AG_OK) {
        return err;
    }
    path = json_string_value(json_object_get(answer, "path"));
    err = path == NULL ? err_why(AG_ECORRUPT, "the broker gave no path")
                       : restore_open(path, line.id, &r);
    if (err != AG_OK) {
        return give_up(&line, &r, err);
    }
    err = put_back(&line, answer, &r, &bytes);
    if (err == AG_OK) {
        *ret = json_pack("{s:O, s:s, s:I, s:I}", "name",
                         json_object_get(body, "name"), "path", r.path, "bytes",
                         (json_int_t)bytes, "mode",
                         (json_int_t)fact(answer, "mode", 0600));
    }
    return err == AG_OK && *ret == NULL ? AG_ENOMEM : err;
}

enum ag_err
release_file(struct cli *cli, const char *name, const char *path, json_t **ret)
{
    json_auto_t *body = json_pack("{s:s, s:s, s:s*}", "kind", "release", "name",
                                  name, "path", path);
    sigset_t signals;
    sigset_t before;
    enum ag_err err = body == NULL ? AG_ENOMEM : AG_OK;

    if (err == AG_OK && path != NULL) {
        err = restore_possible(path);
    }
    if (err != AG_OK) {
        return err;
    }
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGHUP);
    (void)sigaddset(&signals, SIGTERM);
    (void)pthread_sigmask(SIG_BLOCK, &signals, &before);
    err = move_out(cli, body, ret);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return err;
}
