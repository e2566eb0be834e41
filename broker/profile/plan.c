#include "profile/plan.h"

#include <string.h>

#include "base/span.h"

/* The last segment of a path or template, patterns not allowed. */
static const char *
base_of(const char *path)
{
    const char *slash = path == NULL ? NULL : strrchr(path, '/');

    if (slash == NULL || slash[1] == '\0' || strchr(slash, '*') != NULL ||
        strchr(slash, '}') != NULL) {
        return NULL;
    }
    return slash + 1;
}

enum ag_err
delivery_plan(const struct profile *p, size_t file_index, const char *path,
              struct delivery_plan *ret)
{
    const struct profile_file *f;
    const char *own;
    const char *base;
    size_t len;

    if (file_index >= p->files.count) {
        return err_why(AG_EUNSUPPORTED,
                       "profile %s has no file; give the value by --env",
                       p->name);
    }
    f = &p->files.items[file_index];
    own = base_of(f->path);
    path = path == NULL || path[0] == '\0' ? f->path : path;
    base = base_of(path);
    if (f->deliver->points == POINTS_DIR && own != NULL) {
        base = own; /* the tool looks for this name and no other */
    }
    if (f->deliver->by == DELIVER_NONE) {
        return err_why(AG_EUNSUPPORTED,
                       "%s can't be told where its file is; give the value by "
                       "--env VAR=ag://… or the file by --file PATH=ag://…",
                       p->title);
    }
    len = base == NULL ? 0 : strlen(base);
    if (len == 0 || len > PLAN_BASENAME_MAX_BYTES || strcmp(base, ".") == 0 ||
        strcmp(base, "..") == 0) {
        return err_why(AG_EINVAL, "profile %s: no usable file name", p->name);
    }
    *ret = (struct delivery_plan){
        .by = f->deliver->by,
        .points = f->deliver->points,
        .var = f->deliver->var,
        .link = f->deliver->by == DELIVER_LINK ? path : NULL,
        .rewrite = f->rewrite,
        .watch = f->rewrite != REWRITE_NEVER,
        .single_holder = p->single_holder,
    };
    memcpy(ret->basename, base, len + 1);
    return AG_OK;
}
