#include "run/gitconf.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/buf.h"
#include "base/fsx.h"
#include "run/view.h"

/* What init, clone, submodule and branch write. None runs anything, whatever
 * its value (a URL of the kind `ext::` needs protocol.ext.allow). */
static const char *const HARMLESS[] = {
    "core.repositoryformatversion",
    "core.filemode",
    "core.bare",
    "core.logallrefupdates",
    "core.symlinks",
    "core.ignorecase",
    "core.precomposeunicode",
    "core.worktree",
    "core.autocrlf",
    "core.eol",
    "core.sparsecheckout",
    "core.sparsecheckoutcone",
    "index.sparse",
    "extensions.objectformat",
    "extensions.partialclone",
    "extensions.refstorage",
    "extensions.worktreeconfig", /* config.worktree is looked at too */
    "init.defaultbranch",
    "remote.url",
    "remote.pushurl",
    "remote.fetch",
    "remote.push",
    "remote.tagopt",
    "remote.promisor",
    "remote.partialclonefilter",
    "branch.remote",
    "branch.merge",
    "branch.rebase",
    "submodule.url",
    "submodule.active",
    "user.name",
    "user.email",
    "pull.rebase",
    "push.default",
    "gc.auto",
};

struct reading {
    char section[GITCONF_LINE_MAX_BYTES];
    gitconf_each_fn each;
    void *arg;
};

static const char *
skip_space(const char *at)
{
    while (*at == ' ' || *at == '\t') {
        at++;
    }
    return at;
}

static char
small(char c)
{
    static const char BIG[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const char *at = c == '\0' ? NULL : strchr(BIG, c);

    if (at != NULL) {
        return "abcdefghijklmnopqrstuvwxyz"[at - BIG];
    }
    return c;
}

static bool
is_of_name(char c, char also)
{
    return (small(c) >= 'a' && small(c) <= 'z') || (c >= '0' && c <= '9') ||
           c == '-' || (c != '\0' && c == also);
}

/* A name, [A-Za-z0-9-]+, in small letters. Returns what follows it. */
static const char *
take_name(const char *at, char also, char *out, size_t cap)
{
    size_t len = 0;

    for (; is_of_name(*at, also) && len + 1 < cap; at++) {
        out[len++] = small(*at);
    }
    out[len] = '\0';
    return at;
}

/* [section], [section "sub"] or the old [section.sub], alone on its line. */
static bool
take_section(struct reading *r, const char *at)
{
    const char *quote = NULL;

    at = take_name(at + 1, '.', r->section, sizeof(r->section));
    r->section[strcspn(r->section, ".")] = '\0';
    at = skip_space(at);
    if (*at == '"') {
        quote = strchr(at + 1, '"');
        if (quote == NULL || memchr(at, '\\', (size_t)(quote - at)) != NULL) {
            return false;
        }
        at = quote + 1;
    }
    return r->section[0] != '\0' && *at == ']' && *skip_space(at + 1) == '\0';
}

static void
take_setting(struct reading *r, const char *at)
{
    const char *line = at;
    char name[GITCONF_LINE_MAX_BYTES];
    char key[2 * GITCONF_LINE_MAX_BYTES];
    char value[GITCONF_LINE_MAX_BYTES];
    size_t len = 0;

    at = skip_space(take_name(at, '\0', name, sizeof(name)));
    if (name[0] == '\0' || r->section[0] == '\0' ||
        (*at != '=' && *at != '\0')) {
        r->each(r->arg, "", line);
        return;
    }
    (void)snprintf(key, sizeof(key), "%s.%s", r->section, name);
    (void)snprintf(value, sizeof(value), "%s",
                   *at == '=' ? skip_space(at + 1) : "true");
    len = strlen(value);
    while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t')) {
        value[--len] = '\0';
    }
    /* A value in quotes, the whole of it. */
    if (len > 1 && value[0] == '"' && value[len - 1] == '"' &&
        strchr(value + 1, '"') == value + len - 1) {
        value[len - 1] = '\0';
        r->each(r->arg, key, value + 1);
        return;
    }
    /* A line that goes on with the next one is not read: what it says is. */
    if (len > 0 && value[len - 1] == '\\') {
        r->each(r->arg, "", line);
        return;
    }
    r->each(r->arg, key, value);
}

static void
take_line(struct reading *r, const char *line)
{
    const char *at = skip_space(line);

    if (*at == '\0' || *at == '#' || *at == ';') {
        return;
    }
    if (*at != '[') {
        take_setting(r, at);
    } else if (!take_section(r, at)) {
        r->section[0] = '\0';
        r->each(r->arg, "", at);
    }
}

static void
take_lines(struct reading *r, struct span text)
{
    char line[GITCONF_LINE_MAX_BYTES];

    while (text.len > 0) {
        size_t len = span_find(text, '\n');
        struct span one = span_sub(text, 0, len);

        text = span_sub(text, len < text.len ? len + 1 : len, text.len);
        if (one.len > 0 && one.ptr[one.len - 1] == '\r') {
            one.len--;
        }
        if (one.len >= sizeof(line) || span_find(one, '\0') != one.len) {
            r->each(r->arg, "", "");
            continue;
        }
        memcpy(line, one.ptr, one.len);
        line[one.len] = '\0';
        take_line(r, line);
    }
}

bool
gitconf_each(int dir_fd, const char *path, gitconf_each_fn each, void *arg)
{
    struct reading r = {.each = each, .arg = arg};
    AG_AUTO(buf) struct buf text = {0};

    buf_init(&text, GITCONF_FILE_MAX_BYTES, BUF_PLAIN);
    if (fs_read(dir_fd, path, GITCONF_FILE_MAX_BYTES, &text) != AG_OK) {
        return false;
    }
    take_lines(&r, buf_view(&text));
    return true;
}

struct judging {
    crypto_generichash_state state;
    bool names;
    bool dark;
};

static bool
is_harmless(const char *key)
{
    for (size_t i = 0; i < AG_COUNT(HARMLESS); i++) {
        if (strcmp(key, HARMLESS[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void
judge(void *arg, const char *key, const char *value)
{
    struct judging *j = arg;

    if (is_harmless(key)) {
        return;
    }
    j->names = true;
    j->dark = j->dark || (key[0] == '\0' && value[0] == '\0');
    (void)crypto_generichash_update(&j->state, (const uint8_t *)key,
                                    strlen(key) + 1);
    (void)crypto_generichash_update(&j->state, (const uint8_t *)value,
                                    strlen(value) + 1);
}

void
gitconf_look(int dir_fd, const char *path, struct gitconf_facts *ret)
{
    struct judging j = {.names = false};

    (void)crypto_generichash_init(&j.state, NULL, 0, sizeof(ret->digest));
    j.dark = !gitconf_each(dir_fd, path, judge, &j) || j.dark;
    ret->kind = j.dark    ? GITCONF_DARK
                : j.names ? GITCONF_NAMES
                          : GITCONF_HARMLESS;
    (void)crypto_generichash_final(&j.state, ret->digest, sizeof(ret->digest));
}

char *
gitconf_leads_to(const char *key, const char *value, const char *dir,
                 const char *tree)
{
    char path[PATH_MAX];
    char *real = NULL;
    bool include =
        strcmp(key, "include.path") == 0 || strcmp(key, "includeif.path") == 0;

    if (value[0] == '~' || (!include && strcmp(key, "core.hookspath") != 0)) {
        return NULL;
    }
    /* Hooks are as seen from the working tree, files from where they are named. */
    (void)snprintf(path, sizeof(path), "%s%s%s",
                   value[0] == '/' ? ""
                   : include       ? dir
                                   : tree,
                   value[0] == '/' ? "" : "/", value);
    real = realpath(path, NULL);
    if (real == NULL || !view_is_below(real, tree) || strcmp(real, tree) == 0) {
        free(real);
        return NULL;
    }
    return real;
}
