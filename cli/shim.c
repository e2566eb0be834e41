#include "shim.h"

#include <sys/stat.h>

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
#include "base/wipealloc.h"

enum {
    FILE_BYTES = SHIM_NAME_MAX_BYTES + sizeof("..json.tmp"),
    RECORD_MAX_BYTES = 64 * 1024, /* the options of one shell line, and more */
    SCRIPT_MAX_BYTES = 4 * PATH_BYTES,
    SCRIPT_MODE = 0700,
};

static const char DIR_NAME[] = "shims";
static const char RECORD_END[] = ".json";

enum ag_err
shim_dir(const struct paths *paths, char out[PATH_BYTES])
{
    int n = snprintf(out, PATH_BYTES, "%s/%s", paths->home, DIR_NAME);

    return n > 0 && n < PATH_BYTES
               ? AG_OK
               : err_why(AG_EINVAL, "the path of the vault is too long");
}

enum ag_err
shim_dir_open(const struct paths *paths, bool make, int *ret_fd)
{
    char path[PATH_BYTES];
    struct stat st;
    enum ag_err err = shim_dir(paths, path);

    if (err != AG_OK) {
        return err;
    }
    if (!make && stat(path, &st) != 0 && errno == ENOENT) {
        return AG_ENOTFOUND;
    }
    return fs_private_dir(path, ret_fd);
}

enum ag_err
shim_name_check(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-";
    size_t len = strlen(name);

    if (len == 0 || len > SHIM_NAME_MAX_BYTES || name[0] == '.' ||
        name[0] == '-' || strspn(name, allowed) != len) {
        return err_why(AG_EUSAGE,
                       "'%s' is no name of a command: letters, digits and "
                       ". _ + -, %d at most",
                       name, SHIM_NAME_MAX_BYTES);
    }
    if (strcmp(name, "auth-guard") == 0 || strcmp(name, "auth-guardd") == 0) {
        return err_why(AG_EUSAGE, "%s itself gets no shim", name);
    }
    return AG_OK;
}

static void
record_name(const char *name, char out[FILE_BYTES])
{
    (void)snprintf(out, FILE_BYTES, ".%s%s", name, RECORD_END);
}

/* ---- the script ---- */

/* Nothing is special within single quotes but their end. */
enum ag_err
shim_add_quoted(struct buf *out, const char *text)
{
    enum ag_err err = buf_add_byte(out, '\'');

    for (; err == AG_OK && *text != '\0'; text++) {
        err = *text == '\'' ? buf_add_str(out, "'\\''")
                            : buf_add_byte(out, (uint8_t)*text);
    }
    return err == AG_OK ? buf_add_byte(out, '\'') : err;
}

static enum ag_err
script_text(const char *name, const char *program, const char *home,
            struct buf *out)
{
    enum ag_err err =
        buf_fmt(out,
                "#!/bin/sh\n# auth-guard shim: %s runs as a task; "
                "see auth-guard shim list\n",
                name);

    if (err == AG_OK && home != NULL) {
        err = buf_add_str(out, "AUTH_GUARD_HOME=");
        if (err == AG_OK) {
            err = shim_add_quoted(out, home);
        }
        if (err == AG_OK) {
            err = buf_add_str(out, "\nexport AUTH_GUARD_HOME\n");
        }
    }
    if (err == AG_OK) {
        err = buf_add_str(out, "exec ");
    }
    if (err == AG_OK) {
        err = shim_add_quoted(out, program);
    }
    return err == AG_OK ? buf_fmt(out, " shim exec %s -- \"$@\"\n", name) : err;
}

/* As fs_replace(), but to be executed: no moment at which it is there and
 * can't be, since a shell would then go on to the program itself. */
static enum ag_err
write_script(int dir_fd, const char *name, struct span text)
{
    char temporary[FILE_BYTES];
    enum ag_err err = AG_OK;
    int fd;

    (void)snprintf(temporary, sizeof(temporary), ".%s.tmp", name);
    (void)unlinkat(dir_fd, temporary, 0);
    fd = openat(dir_fd, temporary,
                O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                SCRIPT_MODE);
    if (fd < 0) {
        return err_from_errno(errno);
    }
    err = fd_write_all(fd, text);
    if (err == AG_OK && (fchmod(fd, SCRIPT_MODE) != 0 || fsync(fd) != 0)) {
        err = err_from_errno(errno);
    }
    fd_close(fd);
    if (err == AG_OK && renameat(dir_fd, temporary, dir_fd, name) != 0) {
        err = err_from_errno(errno);
    }
    if (err != AG_OK) {
        (void)unlinkat(dir_fd, temporary, 0);
        return err;
    }
    return fs_sync_dir(dir_fd);
}

enum ag_err
shim_write(int dir_fd, const json_t *record, const char *program,
           const char *home)
{
    const char *name = json_string_value(json_object_get(record, "name"));
    AG_AUTO(buf) struct buf script;
    char file[FILE_BYTES];
    char *text;
    enum ag_err err;

    AG_ASSERT(name != NULL);
    buf_init(&script, SCRIPT_MAX_BYTES, BUF_PLAIN);
    err = script_text(name, program, home, &script);
    if (err != AG_OK) {
        return err;
    }
    text = json_dumps(record, JSON_INDENT(2));
    if (text == NULL) {
        return AG_ENOMEM;
    }
    record_name(name, file);
    err = strlen(text) <= RECORD_MAX_BYTES
              ? fs_replace(dir_fd, file, span_str(text))
              : err_why(AG_ELIMIT, "the options of %s are too long", name);
    wipe_free(text);
    return err == AG_OK ? write_script(dir_fd, name, buf_view(&script)) : err;
}

/* ---- records ---- */

static bool
is_whole(const json_t *record, const char *name)
{
    static const char *const texts[] = {"path", "real", "hash", "seen"};
    const json_t *options = json_object_get(record, "options");
    const char *own = json_string_value(json_object_get(record, "name"));
    const char *path = json_string_value(json_object_get(record, "path"));
    const json_t *word;
    size_t i;

    if (own == NULL || strcmp(own, name) != 0 || !json_is_array(options)) {
        return false;
    }
    for (i = 0; i < AG_COUNT(texts); i++) {
        if (!json_is_string(json_object_get(record, texts[i]))) {
            return false;
        }
    }
    json_array_foreach(options, i, word)
    {
        if (!json_is_string(word)) {
            return false;
        }
    }
    return path != NULL && path[0] == '/';
}

enum ag_err
shim_read(int dir_fd, const char *name, json_t **ret)
{
    AG_AUTO(buf) struct buf text;
    AG_AUTO(fd) int fd = -1;
    json_auto_t *record = NULL;
    char file[FILE_BYTES];
    enum ag_err err = shim_name_check(name);

    buf_init(&text, RECORD_MAX_BYTES, BUF_PLAIN);
    if (err != AG_OK) {
        return err;
    }
    record_name(name, file);
    err = fs_open_private(dir_fd, file, &fd);
    if (err == AG_ENOTFOUND) {
        return err_why(AG_ENOTFOUND,
                       "there is no shim '%s'; see: auth-guard shim list",
                       name);
    }
    if (err == AG_OK) {
        err = fs_read(dir_fd, file, RECORD_MAX_BYTES, &text);
    }
    if (err != AG_OK) {
        return err_why(err,
                       "the record of the shim %s can't be read; make it "
                       "anew: auth-guard shim install %s",
                       name, name);
    }
    record = json_loadb((const char *)text.ptr, text.len,
                        JSON_REJECT_DUPLICATES, NULL);
    if (!is_whole(record, name)) {
        return err_why(AG_ECORRUPT,
                       "the record of the shim %s is damaged; make it anew: "
                       "auth-guard shim install %s",
                       name, name);
    }
    *ret = AG_TAKE(record);
    return AG_OK;
}

enum ag_err
shim_remove(int dir_fd, const char *name)
{
    char file[FILE_BYTES];
    bool had;

    record_name(name, file);
    had = unlinkat(dir_fd, name, 0) == 0;
    if (!had && errno != ENOENT) {
        return err_from_errno(errno);
    }
    if (unlinkat(dir_fd, file, 0) != 0) {
        return errno != ENOENT ? err_from_errno(errno)
               : had           ? fs_sync_dir(dir_fd)
                               : AG_ENOTFOUND;
    }
    return fs_sync_dir(dir_fd);
}

static int
is_record(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);
    size_t end = sizeof(RECORD_END) - 1;

    return entry->d_name[0] == '.' && len > end + 1 &&
           strcmp(entry->d_name + len - end, RECORD_END) == 0;
}

static int
by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

enum ag_err
shim_names(int dir_fd, json_t **ret)
{
    struct dirent **found = NULL;
    json_t *names = json_array();
    int count = scandirat(dir_fd, ".", &found, is_record, by_name);
    bool ok = names != NULL && count >= 0;

    for (int i = 0; i < count; i++) {
        const char *name = found[i]->d_name + 1;

        ok = ok &&
             json_array_append_new(
                 names, json_stringn(name, strlen(name) - sizeof(RECORD_END) +
                                               1)) == 0;
        free(found[i]);
    }
    free(found);
    if (!ok) {
        json_decref(names);
        return count < 0 ? err_from_errno(errno) : AG_ENOMEM;
    }
    *ret = names;
    return AG_OK;
}
