#include "run/task.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/buf.h"
#include "profile/expand.h"

enum {
    DIR_HASH_BYTES = 8, /* a name's; who makes two alike harms only himself */
};

static const char *
text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static enum ag_err
lacking(const char *what)
{
    return err_why(AG_ECORRUPT,
                   "the broker's answer lacks %s; are "
                   "auth-guard and auth-guardd of one version?",
                   what);
}

/* One segment that can't lead elsewhere. */
static bool
is_segment(const char *name)
{
    return name != NULL && *name != '\0' && strchr(name, '/') == NULL &&
           strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static const char *
base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? path : slash + 1;
}

static enum ag_err
expand_link(const char *tmpl, char out[TASK_PATH_BYTES])
{
    struct expand_env env = expand_env_process();
    struct buf path;
    enum ag_err err;

    buf_init(&path, TASK_PATH_BYTES - 1, BUF_PLAIN);
    err = expand_path(tmpl, &env, EXPAND_USUAL, &path);
    if (err == AG_OK) {
        memcpy(out, path.ptr, path.len);
        out[path.len] = '\0';
    }
    buf_done(&path);
    return err;
}

static mode_t
decode_mode(const char *octal)
{
    mode_t mode = 0;

    for (; octal != NULL && *octal >= '0' && *octal <= '7'; octal++) {
        mode = mode * 8 + (mode_t)(*octal - '0');
    }
    return (mode & 0700) == 0 ? 0600 : mode & 0700; /* nobody else's, ever */
}

/* Two files of one profile, or of one name, lie apart. Whoever links the same
 * path in another run must name the same target, since they share the link: so
 * the directory goes by the link, and only without one by the number. */
static void
name_dir(struct delivery *d, const char *profile, size_t index)
{
    uint8_t hash[crypto_generichash_BYTES_MIN];
    char hex[DIR_HASH_BYTES * 2 + 1];

    if (d->link[0] == '\0') {
        (void)snprintf(d->dir, sizeof(d->dir), "%.50s-%zu", profile, index);
        return;
    }
    (void)crypto_generichash(hash, sizeof(hash), (const uint8_t *)d->link,
                             strlen(d->link), NULL, 0);
    (void)sodium_bin2hex(hex, sizeof(hex), hash, DIR_HASH_BYTES);
    (void)snprintf(d->dir, sizeof(d->dir), "%.50s-%s", profile, hex);
}

/* By --file: {path}; by a profile: {profile, name, by, var, dir, link}. */
static enum ag_err
decode_file(const json_t *item, size_t index, struct delivery *d)
{
    const char *path = text(item, "path");
    const char *profile = text(item, "profile");
    const char *link = text(item, "link");
    enum ag_err err = AG_OK;

    d->name = path != NULL ? base_name(path) : text(item, "name");
    d->var = text(item, "var");
    d->var_names_dir = json_is_true(json_object_get(item, "dir"));
    d->mode = decode_mode(text(item, "mode"));
    if (!is_segment(d->name)) {
        return lacking("the name of a file");
    }
    if (path != NULL && path[0] != '/') {
        return lacking("an absolute path");
    }
    if (path != NULL) {
        (void)snprintf(d->link, sizeof(d->link), "%s", path);
    } else if (link != NULL) {
        err = expand_link(link, d->link);
    }
    if (err == AG_OK) {
        name_dir(d, is_segment(profile) ? profile : "file", index);
    }
    return err;
}

static enum ag_err
decode_delivery(const json_t *item, size_t index, struct delivery *d)
{
    const char *kind = text(item, "kind");

    d->secret = text(item, "secret");
    d->ticket = text(item, "ticket");
    d->take = text(item, "take");
    d->proxied = text(item, "grade") != NULL &&
                 strcmp(text(item, "grade"), "proxy") == 0;
    if (kind == NULL || d->ticket == NULL) {
        return lacking("a delivery's ticket");
    }
    if (strcmp(kind, "env") == 0) {
        d->kind = DELIVERY_ENV;
        d->var = text(item, "var");
        return d->var != NULL ? AG_OK : lacking("a variable");
    }
    d->kind = DELIVERY_FILE;
    return decode_file(item, index, d);
}

static enum ag_err
decode_all(struct task *t)
{
    const json_t *streams = json_object_get(t->answer, "streams");
    const json_t *list = json_object_get(t->answer, "deliveries");
    const json_t *item;
    size_t i;
    enum ag_err err = AG_OK;

    json_array_foreach(streams, i, item)
    {
        if (i < AG_COUNT(t->streams)) {
            t->streams[t->stream_count++] = json_string_value(item);
        }
    }
    if (json_array_size(list) > TASK_DELIVERIES_MAX) {
        return AG_ELIMIT;
    }
    json_array_foreach(list, i, item)
    {
        if (err == AG_OK) {
            err = decode_delivery(item, i, &t->deliveries[i]);
            t->delivery_count++;
            t->file_count += t->deliveries[i].kind == DELIVERY_FILE ? 1 : 0;
        }
    }
    return err;
}

/* The broker's authority besides the system's roots (forward.h). */
static void
add_trust(struct task *t)
{
    const json_t *forward = json_object_get(t->answer, "forward");
    struct delivery *d = &t->deliveries[t->delivery_count];

    if (text(forward, "ca") == NULL) {
        return;
    }
    *d = (struct delivery){
        .kind = DELIVERY_TRUST, .name = "roots.pem", .mode = 0600};
    (void)snprintf(d->dir, sizeof(d->dir), "trust");
    t->delivery_count++;
    t->file_count++;
}

enum ag_err
task_decode(json_t *answer, struct task **ret)
{
    AG_AUTO(task) struct task *t = calloc(1, sizeof(*t));
    enum ag_err err;

    if (t == NULL) {
        json_decref(answer);
        return AG_ENOMEM;
    }
    t->answer = answer;
    t->id = text(answer, "id");
    t->token = text(answer, "token");
    t->life = text(answer, "life");
    t->spill_key = text(answer, "spill_key");
    if (t->id == NULL || t->token == NULL || t->life == NULL) {
        return lacking("the task's id, token or life");
    }
    err = decode_all(t);
    if (err == AG_OK) {
        add_trust(t);
        *ret = AG_TAKE(t);
    }
    return err;
}

void
task_free(struct task *t)
{
    if (t != NULL) {
        json_decref(t->answer);
        free(t);
    }
}
