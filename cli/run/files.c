/* The files of a task: where they lie, how the command finds them, and that
 * they are followed (run.h). */
#include <sys/stat.h>
#include <sys/vfs.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <linux/magic.h>

#include "base/buf.h"
#include "base/fdx.h"
#include "cli.h"
#include "client.h"
#include "run/forward.h"
#include "run/run.h"

void
files_list(struct run *r)
{
    for (size_t i = 0; i < r->task->delivery_count; i++) {
        const struct delivery *d = &r->task->deliveries[i];

        if (d->kind != DELIVERY_ENV) {
            r->files[r->file_count] =
                (struct run_file){.delivery = d, .dir_fd = -1};
            r->keeper_files[r->file_count] = (struct keeper_file){
                .dir = d->dir, .name = d->name, .mode = d->mode};
            r->file_count++;
        }
    }
}

/* Without namespaces the files lie in a directory of this task's own, in
 * memory; a link would show them to everybody at a well-known place. */
static enum ag_err
make_open_dir(struct run *r)
{
    struct statfs fs;

    for (size_t i = 0; i < r->file_count; i++) {
        if (r->files[i].delivery->link[0] != '\0') {
            return err_why(AG_EUNSUPPORTED,
                           "%s can only be given in a private mount namespace, "
                           "which is forbidden here; see: auth-guard doctor",
                           r->files[i].delivery->link);
        }
    }
    if (statfs(r->cli->paths.run, &fs) != 0 || (long)fs.f_type != TMPFS_MAGIC) {
        return err_why(AG_EUNSUPPORTED,
                       "without namespaces, files need a run directory in "
                       "memory, and %s is on a disk; set XDG_RUNTIME_DIR",
                       r->cli->paths.run);
    }
    (void)snprintf(r->dir, sizeof(r->dir), "%s/task-%s", r->cli->paths.run,
                   r->task->id);
    if (mkdir(r->dir, 0700) != 0) {
        return err_why(AG_EIO, "%s: %s", r->dir, strerrordesc_np(errno));
    }
    return AG_OK;
}

enum ag_err
files_dir(struct run *r, enum jail_kind kind)
{
    if (kind == JAIL_NONE && r->file_count > 0) {
        return make_open_dir(r);
    }
    /* There also without files: a profile's arguments may name it. Empty and not
     * writable, so that nobody outside finds a place below it. */
    (void)snprintf(r->dir, sizeof(r->dir), "%s/jail", r->cli->paths.run);
    if (mkdir(r->dir, 0500) != 0 && errno != EEXIST) {
        return err_why(AG_EIO, "%s: %s", r->dir, strerrordesc_np(errno));
    }
    return AG_OK;
}

enum ag_err
files_name(struct run *r)
{
    char path[RUN_DIR_BYTES + TASK_DIR_BYTES + 256];
    enum ag_err err = AG_OK;

    for (size_t i = 0; err == AG_OK && i < r->file_count; i++) {
        const struct delivery *d = r->files[i].delivery;

        if (d->kind == DELIVERY_TRUST) {
            (void)snprintf(path, sizeof(path), "%s/%s/%s", r->dir, d->dir,
                           d->name);
            err = forward_trust(r, path);
            if (err == AG_OK) {
                err = forward_cover(r, path, &r->keeper_files[i].made);
            }
        }
        if (d->var != NULL) {
            (void)snprintf(path, sizeof(path), "%s/%s%s%s", r->dir, d->dir,
                           d->var_names_dir ? "" : "/",
                           d->var_names_dir ? "" : d->name);
            err = env_set(r->env, d->var, path);
        }
    }
    return err;
}

enum ag_err
files_link_inside(struct run *r)
{
    char target[RUN_DIR_BYTES + TASK_DIR_BYTES + 256];
    enum ag_err err = AG_OK;

    for (size_t i = 0; err == AG_OK && i < r->file_count; i++) {
        const struct delivery *d = r->files[i].delivery;

        if (d->link[0] != '\0' && !view_is_host(r->isolation.view, d->link)) {
            (void)snprintf(target, sizeof(target), "%s/%s/%s", r->dir, d->dir,
                           d->name);
            err = view_link(r->isolation.view, d->link, target);
        }
    }
    return err;
}

enum ag_err
files_link(struct run *r)
{
    const struct view *view = r->isolation.view;
    char target[RUN_DIR_BYTES + TASK_DIR_BYTES + 256];
    enum ag_err err = AG_OK;

    for (size_t i = 0; err == AG_OK && i < r->file_count; i++) {
        const struct delivery *d = r->files[i].delivery;

        if (d->link[0] != '\0' &&
            (view == NULL || view_is_host(view, d->link))) {
            (void)snprintf(target, sizeof(target), "%s/%s/%s", r->dir, d->dir,
                           d->name);
            err = place_link(r->cli->paths.run, d->link, target,
                             &r->files[i].place);
        }
    }
    return err;
}

enum ag_err
files_opened(struct run *r, int index, int fds[2])
{
    enum ag_err err = AG_EINTERNAL;

    if (index >= 0 && (size_t)index < r->file_count) {
        struct run_file *f = &r->files[index];

        err = f->delivery->kind == DELIVERY_TRUST
                  ? forward_fill(r, fds[0])
                  : run_send(r, "deliver", f->delivery->ticket, fds[0]);
        if (f->delivery->take != NULL) {
            f->dir_fd = FD_TAKE(fds[1]);
        }
    }
    fd_close(fds[0]);
    fd_close(fds[1]);
    return err;
}

static bool
follows_any(const struct run *r)
{
    for (size_t i = 0; i < r->file_count; i++) {
        if (r->files[i].delivery->take != NULL) {
            return true;
        }
    }
    return false;
}

/* The lease of each followed file: what a write-back is kept under when the
 * broker is gone. */
static enum ag_err
find_leases(struct run *r)
{
    AG_AUTO(buf) struct buf path;
    json_auto_t *answer = NULL;
    const json_t *lease;
    size_t k;
    enum ag_err err;

    buf_init(&path, CLIENT_PATH_MAX_BYTES, BUF_PLAIN);
    err = client_path(&path, "/v1/leases?task=%s", r->task->id);
    if (err == AG_OK) {
        err = cli_call(r->cli, "GET", buf_cstr(&path), NULL, &answer);
    }
    for (size_t i = 0; err == AG_OK && i < r->file_count; i++) {
        const char *secret = r->files[i].delivery->secret;

        json_array_foreach(json_object_get(answer, "leases"), k, lease)
        {
            if (secret != NULL &&
                strcmp(out_member(lease, "verb"), "file") == 0 &&
                strcmp(out_member(lease, "secret"), secret) == 0) {
                (void)snprintf(r->files[i].lease, RUN_LEASE_BYTES, "%s",
                               out_member(lease, "id"));
            }
        }
    }
    return err;
}

enum ag_err
files_follow(struct run *r)
{
    struct watch_spill spill = {.home = r->cli->paths.home,
                                .key = r->task->spill_key};
    enum ag_err err = watch_new(&spill, &r->watch);

    if (err != AG_OK || !follows_any(r)) {
        return err;
    }
    err = find_leases(r);
    for (size_t i = 0; err == AG_OK && i < r->file_count; i++) {
        struct run_file *f = &r->files[i];

        const struct watch_file file = {
            .dir_fd = f->dir_fd,
            .name = f->delivery->name,
            .ticket = f->delivery->take,
            .renew = f->delivery->proxied ? f->delivery->ticket : NULL,
            .spill_as = f->lease};

        if (f->delivery->take != NULL) {
            f->dir_fd = -1; /* the watch's now */
            err = watch_add(r->watch, &file);
        }
    }
    return err;
}
