/*
 * moves_fake.h - the broker's side of a move, as a few lines in shared memory,
 * so that it outlives a process that is killed. A test names the calls in its
 * WRAP line: line_lock line_begin line_take line_deliver line_commit line_done
 * line_undo cli_call.
 */
#ifndef AG_TESTS_MOVES_FAKE_H
#define AG_TESTS_MOVES_FAKE_H

#include <sys/mman.h>
#include <sys/stat.h>

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fdx.h"
#include "base/secret.h"
#include "cli.h"
#include "common/check.h"
#include "move/line.h"

enum {
    FAKE_MAX_BYTES = 64 * 1024,
};

enum fake_state {
    FAKE_NONE,
    FAKE_OPEN,
    FAKE_TAKEN,
    FAKE_ERASING,
    FAKE_DONE,
    FAKE_UNDONE,
    FAKE_CONFLICT,
};

struct fake {
    enum fake_state state;
    char kind[16];
    char name[256];
    char profile[64];
    char path[1024];
    int64_t mode;
    int64_t gid;
    int64_t mtime_ns;
    int64_t atime_ns;
    uint8_t sealed[FAKE_MAX_BYTES];
    size_t sealed_len;
    bool vault_has; /* the vault is the authority */
    bool take_fails;
    bool commit_fails; /* after it took effect: the answer is lost */
    void (*before_commit)(void);
    void (*after_commit)(void);
};

static struct fake *fake;

static inline void
fake_open(void)
{
    if (fake == NULL) {
        fake = mmap(NULL, sizeof(*fake), PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        assert_true(fake != MAP_FAILED);
    }
    memset(fake, 0, sizeof(*fake));
}

static inline const char *
fake_state_word(void)
{
    static const char *const WORDS[] = {"none", "open",   "taken",   "erasing",
                                        "done", "undone", "conflict"};

    return WORDS[fake->state];
}

static inline json_t *
fake_item(void)
{
    bool sealed = fake->state >= FAKE_TAKEN;

    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:s}", "id", "7",
        "kind", fake->kind, "state", fake_state_word(), "name", fake->name,
        "path", fake->path, "profile", fake->profile, "mode",
        (json_int_t)fake->mode, "gid", (json_int_t)fake->gid, "mtime_ns",
        (json_int_t)fake->mtime_ns, "atime_ns", (json_int_t)fake->atime_ns,
        sealed || fake->state == FAKE_OPEN ? "ticket" : "none", "agx_ticket");
}

static inline void
fake_text(const json_t *body, const char *key, char *to, size_t size)
{
    const char *text = json_string_value(json_object_get(body, key));

    if (text != NULL) {
        (void)snprintf(to, size, "%s", text);
    }
}

enum ag_err __wrap_line_lock(struct cli *cli, int *ret_fd);

enum ag_err
__wrap_line_lock(struct cli *cli, int *ret_fd)
{
    (void)cli;
    *ret_fd = -1;
    return AG_OK;
}

enum ag_err __wrap_line_begin(struct cli *cli, const json_t *body,
                              struct line *ret, json_t **ret_answer);

enum ag_err
__wrap_line_begin(struct cli *cli, const json_t *body, struct line *ret,
                  json_t **ret_answer)
{
    bool adopt;

    fake_text(body, "kind", fake->kind, sizeof(fake->kind));
    fake_text(body, "name", fake->name, sizeof(fake->name));
    fake_text(body, "profile", fake->profile, sizeof(fake->profile));
    fake_text(body, "path", fake->path, sizeof(fake->path));
    adopt = strcmp(fake->kind, "adopt") == 0;
    if (adopt) {
        fake->mode = json_integer_value(json_object_get(body, "mode"));
        fake->gid = json_integer_value(json_object_get(body, "gid"));
        fake->mtime_ns = json_integer_value(json_object_get(body, "mtime_ns"));
        fake->atime_ns = json_integer_value(json_object_get(body, "atime_ns"));
    }
    fake->state = FAKE_OPEN;
    *ret_answer = fake_item();
    return line_from(cli, *ret_answer, ret);
}

enum ag_err __wrap_line_take(struct line *line, int fd, int64_t *ret_version,
                             bool *ret_changed);

enum ag_err
__wrap_line_take(struct line *line, int fd, int64_t *ret_version,
                 bool *ret_changed)
{
    AG_AUTO(secret) struct secret *content = NULL;
    enum ag_err err = fd_read_secret(fd, FAKE_MAX_BYTES, &content);

    line->ticket[0] = '\0';
    if (err != AG_OK || fake->take_fails) {
        return err != AG_OK ? err : err_why(AG_EIO, "the take failed");
    }
    *ret_version = 1;
    if (fake->state == FAKE_OPEN) {
        memcpy(fake->sealed, secret_view(content).ptr, secret_len(content));
        fake->sealed_len = secret_len(content);
        fake->state = FAKE_TAKEN;
        *ret_changed = true;
        return AG_OK;
    }
    *ret_changed =
        !secret_equal_span(content, span_of(fake->sealed, fake->sealed_len));
    return AG_OK;
}

enum ag_err __wrap_line_deliver(struct line *line, int fd, int64_t *ret_bytes);

enum ag_err
__wrap_line_deliver(struct line *line, int fd, int64_t *ret_bytes)
{
    line->ticket[0] = '\0';
    fake->state = FAKE_TAKEN;
    *ret_bytes = (int64_t)fake->sealed_len;
    return fd_write_all(fd, span_of(fake->sealed, fake->sealed_len));
}

enum ag_err __wrap_line_commit(struct line *line);

enum ag_err
__wrap_line_commit(struct line *line)
{
    (void)line;
    if (fake->before_commit != NULL) {
        fake->before_commit();
    }
    if (fake->state != FAKE_TAKEN) {
        return err_why(AG_ECONFLICT, "commit from state %s", fake_state_word());
    }
    fake->vault_has = strcmp(fake->kind, "adopt") == 0;
    fake->state = FAKE_ERASING;
    if (fake->after_commit != NULL) {
        fake->after_commit();
    }
    return fake->commit_fails ? err_why(AG_ENOBROKER, "the answer is lost")
                              : AG_OK;
}

enum ag_err __wrap_line_done(struct line *line, const char *outcome);

enum ag_err
__wrap_line_done(struct line *line, const char *outcome)
{
    (void)line;
    if (fake->state != FAKE_ERASING) {
        return err_why(AG_ECONFLICT, "done from state %s", fake_state_word());
    }
    fake->state = strcmp(outcome, "conflict") == 0 ? FAKE_CONFLICT : FAKE_DONE;
    return AG_OK;
}

enum ag_err __wrap_line_undo(struct line *line);

enum ag_err
__wrap_line_undo(struct line *line)
{
    (void)line;
    if (fake->state != FAKE_OPEN && fake->state != FAKE_TAKEN) {
        return err_why(AG_ECONFLICT, "undo from state %s", fake_state_word());
    }
    fake->state = FAKE_UNDONE;
    return AG_OK;
}

enum ag_err __wrap_cli_call(struct cli *cli, const char *method,
                            const char *path, const json_t *body, json_t **ret);

enum ag_err
__wrap_cli_call(struct cli *cli, const char *method, const char *path,
                const json_t *body, json_t **ret)
{
    bool open = fake->state >= FAKE_OPEN && fake->state <= FAKE_ERASING;

    (void)cli;
    (void)body;
    assert_string_equal(method, "GET");
    assert_string_equal(path, "/v1/moves");
    *ret = open ? json_pack("{s:[o]}", "moves", fake_item())
                : json_pack("{s:[]}", "moves");
    return AG_OK;
}

/* ---- a directory of its own ---- */

struct place {
    char dir[64];
    char path[128]; /* of the credential file */
    struct cli cli;
};

static inline void
place_make(struct place *p, const char *name)
{
    memset(p, 0, sizeof(*p));
    (void)snprintf(p->dir, sizeof(p->dir), "/tmp/ag-move-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    (void)snprintf(p->path, sizeof(p->path), "%s/%s", p->dir, name);
    p->cli.hardened = true;
    p->cli.out.quiet = true;
    p->cli.exit_code = -1;
    (void)snprintf(p->cli.paths.data, sizeof(p->cli.paths.data), "%s/schema",
                   AG_SOURCE_DIR);
    (void)snprintf(p->cli.paths.config, sizeof(p->cli.paths.config), "%s/none",
                   p->dir);
}

static inline void
place_write(const struct place *p, const char *name, const char *text,
            mode_t mode)
{
    char path[256];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/%s", p->dir, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

/* How many files below the directory hold `text`; removes them all when asked
 * to clean. */
static inline size_t
place_count(const struct place *p, const char *text, bool clean)
{
    struct dirent **entries = NULL;
    int count = scandir(p->dir, &entries, NULL, alphasort);
    size_t found = 0;

    for (int i = 0; i < count; i++) {
        char path[512];
        char content[4096]; /* its files are small */
        int fd;
        ssize_t len;

        (void)snprintf(path, sizeof(path), "%s/%s", p->dir, entries[i]->d_name);
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        len = fd < 0 ? 0 : read(fd, content, sizeof(content));
        if (len > 0 && memmem(content, (size_t)len, text, strlen(text))) {
            found++;
        }
        if (fd >= 0) {
            (void)close(fd);
        }
        if (clean && entries[i]->d_name[0] != '\0' &&
            strcmp(entries[i]->d_name, ".") != 0 &&
            strcmp(entries[i]->d_name, "..") != 0) {
            (void)remove(path);
        }
        free(entries[i]);
    }
    free(entries);
    return found;
}

static inline bool
place_has(const struct place *p, const char *name)
{
    char path[256];
    struct stat st;

    (void)snprintf(path, sizeof(path), "%s/%s", p->dir, name);
    return lstat(path, &st) == 0;
}

static inline void
place_remove(struct place *p)
{
    (void)place_count(p, "", true);
    assert_int_equal(rmdir(p->dir), 0);
}

#endif
