#include "hook/credential.h"

#include <sys/stat.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <fnmatch.h>

#include "base/buf.h"
#include "cli.h"
#include "move/own_path.h"
#include "move/profile_set.h"
#include "profile/expand.h"
#include "profile/load.h"

void
credentials_done(struct credentials *c)
{
    profiles_free(c->profiles);
    c->profiles = NULL;
}

/* ---- paths ---- */

/* Absolute, without "", "." and ".." in it; links stay. False: too long. */
static bool
absolute(const struct credentials *c, const char *word,
         char out[CREDENTIAL_PATH_BYTES])
{
    const char *home = getenv("HOME");
    bool is_home = word[0] == '~' && (word[1] == '/' || word[1] == '\0');
    const char *base = is_home ? home : *word == '/' ? "" : c->cwd;
    const char *rest = is_home ? word + 1 : word;
    char whole[CREDENTIAL_PATH_BYTES];
    size_t len = 0;
    char *save = NULL;
    int n;

    if (base == NULL) {
        return false;
    }
    n = snprintf(whole, sizeof(whole), "%s/%s", base, rest);
    if (n < 0 || (size_t)n >= sizeof(whole)) {
        return false;
    }
    for (char *part = strtok_r(whole, "/", &save); part != NULL;
         part = strtok_r(NULL, "/", &save)) {
        if (strcmp(part, "..") == 0) {
            while (len > 0 && out[--len] != '/') {
            }
        } else if (strcmp(part, ".") != 0) {
            out[len++] = '/';
            len = (size_t)(stpcpy(out + len, part) - out);
        }
    }
    out[len] = '\0';
    return len > 0;
}

void
credentials_cd(struct credentials *c, const char *dir)
{
    char path[CREDENTIAL_PATH_BYTES];

    if (absolute(c, dir, path)) {
        (void)stpcpy(c->cwd, path);
    }
}

static bool
is_file(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && !S_ISDIR(st.st_mode);
}

static bool
is_environment(const char *path)
{
    size_t len = strlen(path);

    return strncmp(path, "/proc/", 6) == 0 && len > 8 &&
           strcmp(path + len - 8, "/environ") == 0;
}

static enum ag_err
found(const char *path, const char *what, struct buf *out, bool *ret)
{
    *ret = true;
    return buf_fmt(out, "%s (%s)", path, what);
}

/* ---- one file ---- */

static enum ag_err
find_by_place(const struct credentials *c, const char *path,
              struct profile_match *match)
{
    const struct expand_env env = expand_env_process();
    char *real = realpath(path, NULL);
    char *own = NULL;
    enum ag_err err = profile_for_path(c->profiles, &env, path, match);

    if (err == AG_ENOTFOUND && real != NULL) {
        err = own_path(c->profiles, &env, real, &own);
        if (err == AG_OK) {
            err = profile_for_path(c->profiles, &env, own, match);
        }
    }
    free(own);
    free(real);
    return err;
}

static enum ag_err
find_file(const struct credentials *c, const char *path, struct buf *out,
          bool *ret)
{
    const char *passphrase = getenv("AUTH_GUARD_PASSPHRASE_FILE");
    struct profile_match match;
    enum ag_err err;

    if (is_environment(path)) {
        return found(path, "the environment of a process", out, ret);
    }
    if (!is_file(path)) {
        return AG_OK;
    }
    if (passphrase != NULL && strcmp(passphrase, path) == 0) {
        return found(path, "the passphrase of the vault", out, ret);
    }
    err = find_by_place(c, path, &match);
    if (err == AG_OK) {
        return found(path, match.profile->title, out, ret);
    }
    err_clear();
    return err == AG_ENOTFOUND ? AG_OK : err;
}

/* ---- patterns and directories ---- */

static bool
is_below(const char *dir, const char *path)
{
    size_t len = strlen(dir);

    return strncmp(dir, path, len) == 0 && path[len] == '/';
}

static enum ag_err
find_among(const struct profile *p, const char *path, unsigned flags,
           struct buf *out, bool *ret)
{
    const struct expand_env env = expand_env_process();
    enum ag_err err = AG_OK;

    for (size_t i = 0; err == AG_OK && !*ret && i < p->files.count; i++) {
        const struct profile_file *f = &p->files.items[i];
        AG_AUTO(buf) struct buf own;

        buf_init(&own, EXPAND_MAX_BYTES, BUF_PLAIN);
        if (f->path == NULL ||
            expand_path(f->path, &env, EXPAND_USUAL, &own) != AG_OK ||
            buf_cstr(&own) == NULL || !is_file(buf_cstr(&own))) {
            err_clear();
            continue;
        }
        if (((flags & CREDENTIAL_PATTERN) != 0 &&
             fnmatch(path, buf_cstr(&own), FNM_PATHNAME) == 0) ||
            ((flags & CREDENTIAL_BELOW) != 0 &&
             is_below(path, buf_cstr(&own)))) {
            err = found(buf_cstr(&own), p->title, out, ret);
        }
    }
    return err;
}

enum ag_err
credential_find(struct credentials *c, const char *word, unsigned flags,
                struct buf *out, bool *ret)
{
    char path[CREDENTIAL_PATH_BYTES];
    enum ag_err err =
        c->profiles == NULL ? profile_set_load(c->cli, &c->profiles) : AG_OK;

    *ret = false;
    if (err != AG_OK || !absolute(c, word, path)) {
        return err;
    }
    err = find_file(c, path, out, ret);
    if (strpbrk(path, "*?[") == NULL) {
        flags &= ~(unsigned)CREDENTIAL_PATTERN;
    }
    if (flags == CREDENTIAL_FILE) {
        return err;
    }
    for (size_t i = 0; err == AG_OK && !*ret && i < profiles_count(c->profiles);
         i++) {
        err = find_among(profiles_at(c->profiles, i), path, flags, out, ret);
    }
    return err;
}
