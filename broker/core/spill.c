/* Write-backs that a supervisor sealed because the broker was gone
 * (intake.h, intake_spilled). */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fdx.h"
#include "base/fsx.h"
#include "base/paths.h"
#include "base/secret.h"
#include "core/intake.h"
#include "core/redaction.h"
#include "core/state.h"
#include "core/values.h"
#include "crypt/box.h"
#include "profile/conflict.h"
#include "store/leases.h"
#include "store/versions.h"

enum {
    SPILL_FILES_MAX_COUNT = 256, /* a broker dies once; each task has a few */
};

static const char SUFFIX[] = ".sealed";

struct spill {
    struct core_job job;
    int64_t lease_id;
    const struct secret *content;
    char name[NAME_MAX_BYTES + 1];
};

/* LEASE.sealed */
static bool
parse_spill_name(const char *name, int64_t *ret_lease)
{
    size_t len = strlen(name);
    uint64_t id = 0;

    if (len <= sizeof(SUFFIX) - 1 ||
        strcmp(name + len - (sizeof(SUFFIX) - 1), SUFFIX) != 0 ||
        parse_u64(span_of(name, len - (sizeof(SUFFIX) - 1)), INT64_MAX, &id) !=
            AG_OK) {
        return false;
    }
    *ret_lease = (int64_t)id;
    return true;
}

static enum ag_err
winner_of(struct core *core, struct db_read *r, const struct secret_row *row,
          const struct spill *s, enum conflict_winner *ret)
{
    AG_AUTO(secret) struct secret *current = NULL;
    const struct profile_file *file = NULL;
    const struct profile *profile = value_profile(core, row, &file);
    enum ag_err err = versions_value(r, row->id, 0, NULL, &current);

    if (err != AG_OK) {
        return err;
    }
    err = conflict_decide(profile,
                          profile != NULL && file != NULL
                              ? (size_t)(file - profile->files.items)
                              : 0,
                          current, s->content, ret);
    /* Where the rule is not known, or not trusted, what is there stays. */
    if (err == AG_OK && profile == NULL && row->profile[0] != '\0' &&
        *ret == WINNER_INCOMING) {
        *ret = WINNER_CURRENT;
    }
    return err;
}

/* A box says nothing about who made it: what it holds is kept, but becomes
 * current only by the profile's rule. */
static enum ag_err
run_spill(struct core *core, struct db_tx *tx, struct core_job *job)
{
    struct spill *s = (struct spill *)job;
    AG_AUTO(lease_row) struct lease_row lease = {0};
    AG_AUTO(secret_row) struct secret_row row = {0};
    enum conflict_winner winner = WINNER_SAME;
    struct version_row added = {0};
    struct version_new add = {.value = s->content,
                              .state = VERSION_CURRENT,
                              .if_version = -1,
                              .maker = MAKER_TASK};
    struct db_read *r = db_tx_read(tx);
    enum ag_err err = leases_get(r, s->lease_id, &lease);

    if (err == AG_OK) {
        err = secrets_get(r, lease.secret_id, &row);
    }
    if (err == AG_OK) {
        err = winner_of(core, r, &row, s, &winner);
    }
    (void)snprintf(s->name, sizeof(s->name), "%s", row.name);
    if (err != AG_OK || winner == WINNER_SAME) {
        return err;
    }
    add.secret_id = row.id;
    add.task_id = lease.task_id;
    if (winner != WINNER_INCOMING) {
        add.state = VERSION_RETAINED;
    }
    err = versions_add(tx, &add, &added);
    if (err == AG_OK) {
        err = core_note(tx, NULL, AUDIT_VAULT_RECOVERED, lease.task_id, row.id,
                        json_pack("{s:s, s:I}", "name", row.name, "version",
                                  (json_int_t)added.number));
    }
    return err == AG_OK ? redaction_add(core, &row, added.id, s->content) : err;
}

static enum ag_err
open_box(struct core *core, int dir_fd, const char *name, struct secret **ret)
{
    AG_AUTO(buf) struct buf blob = {0};
    AG_AUTO(secret) struct secret *seed = NULL;
    enum ag_err err = core_key(core, KDF_SPILL, &seed);

    buf_init(&blob, BOX_PLAIN_MAX_BYTES + BOX_OVERHEAD_BYTES, BUF_PLAIN);
    if (err == AG_OK) {
        err = fs_read(dir_fd, name, blob.max, &blob);
    }
    return err == AG_OK ? box_open(seed, buf_view(&blob), ret) : err;
}

static enum ag_err
take_one(struct core *core, int dir_fd, const char *name, json_t *found)
{
    AG_AUTO(secret) struct secret *content = NULL;
    struct spill s = {.job.run = run_spill};
    json_t *sentence = NULL;
    bool unfit = false;
    enum ag_err err = AG_OK;

    if (!parse_spill_name(name, &s.lease_id)) {
        return AG_OK;
    }
    err = open_box(core, dir_fd, name, &content);
    if (err == AG_OK) {
        err = redaction_fits(content);
    }
    s.content = content;
    if (err != AG_OK && err != AG_ENOMEM) {
        unfit = true; /* whatever lies there: it must not keep the vault shut */
    } else if (err == AG_OK) {
        err = core_write_wait(core, &s.job);
    }
    if (err == AG_OK) {
        sentence = json_sprintf("%s was refreshed while the broker was gone; "
                                "the new login is in the vault",
                                s.name);
        if (unlinkat(dir_fd, name, 0) != 0) {
            err = err_from_errno(errno);
        }
    } else if (unfit || err == AG_ECORRUPT || err == AG_ENOTFOUND) {
        /* Not ours, or of another vault: left where it is, and said. */
        sentence =
            json_sprintf("spill/%s can't be opened: %s", name, err_text(err));
        err = AG_OK;
    }
    if (sentence != NULL && json_array_append_new(found, sentence) != 0) {
        err = AG_ENOMEM;
    }
    return err;
}

static enum ag_err
take_all(struct core *core, DIR *dir, json_t *found)
{
    enum ag_err err = AG_OK;
    size_t count = 0;

    for (const struct dirent *entry =
             readdir(dir); // NOLINT(concurrency-mt-unsafe)
         entry != NULL && err == AG_OK && count < SPILL_FILES_MAX_COUNT;
         entry = readdir(dir)) { // NOLINT(concurrency-mt-unsafe)
        err = take_one(core, dirfd(dir), entry->d_name, found);
        count++;
    }
    return err;
}

enum ag_err
intake_spilled(struct core *core, json_t *found)
{
    DIR *dir = NULL;
    enum ag_err err = AG_OK;
    int fd = openat(store_dir_fd(core->store), "spill",
                    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0 && (errno == ELOOP || errno == ENOTDIR)) {
        return json_array_append_new(
                   found, json_string("spill is not a directory; it was not "
                                      "looked into")) == 0
                   ? AG_OK
                   : AG_ENOMEM;
    }
    if (fd < 0) {
        return errno == ENOENT ? AG_OK : err_from_errno(errno);
    }
    dir = fdopendir(fd);
    if (dir == NULL) {
        fd_close(fd);
        return AG_ENOMEM;
    }
    err = take_all(core, dir, found);
    (void)closedir(dir);
    return err == AG_OK ? redaction_commit(core) : err;
}
