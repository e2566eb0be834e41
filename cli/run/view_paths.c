/* The lists of a view (view.h). */
#include <stdlib.h>
#include <string.h>

#include "run/view.h"

void
view_free(struct view *v)
{
    if (v == NULL) {
        return;
    }
    for (size_t i = 0; i < v->given_count; i++) {
        free(v->given[i].path);
    }
    for (size_t i = 0; i < v->hidden_count; i++) {
        free(v->hidden[i]);
    }
    for (size_t i = 0; i < v->link_count; i++) {
        free(v->links[i].path);
        free(v->links[i].target);
    }
    preset_free(v->preset);
    trail_done(&v->trail);
    free(v->hidden);
    free(v->home);
    free(v->home_real);
    free(v->tree);
    free(v->cwd);
    free(v->keep);
    for (size_t i = 0; i < v->line_count; i++) {
        free(v->lines[i].sock);
    }
    free(v->task_sock);
    free(v->place);
    free(v->trust_file);
    free(v);
}

bool
view_is_below(const char *path, const char *above)
{
    size_t len = strlen(above);

    while (len > 0 && above[len - 1] == '/') {
        len--;
    }
    return strncmp(path, above, len) == 0 &&
           (path[len] == '/' || path[len] == '\0');
}

bool
view_is_host(const struct view *v, const char *path)
{
    for (size_t i = 0; i < v->given_count; i++) {
        if (view_is_below(path, v->given[i].path)) {
            return true;
        }
    }
    return view_is_below(path, v->tree);
}

enum ag_err
view_hide(struct view *v, const char *path)
{
    char **more;

    if (v->hidden_count == VIEW_HIDDEN_MAX_COUNT) {
        return err_why(AG_ELIMIT, "more than %d paths to hide",
                       VIEW_HIDDEN_MAX_COUNT);
    }
    /* Doubled whenever it is full: the count is a power of two then. */
    if ((v->hidden_count & (v->hidden_count - 1)) == 0) {
        more = realloc(v->hidden, (v->hidden_count == 0 ? 1 : v->hidden_count) *
                                      2 * sizeof(*more));
        if (more == NULL) {
            return AG_ENOMEM;
        }
        v->hidden = more;
    }
    v->hidden[v->hidden_count] = strdup(path);
    if (v->hidden[v->hidden_count] == NULL) {
        return AG_ENOMEM;
    }
    v->hidden_count++;
    return AG_OK;
}

enum ag_err
view_link(struct view *v, const char *path, const char *target)
{
    struct view_link *link = &v->links[v->link_count];

    if (v->link_count == VIEW_LINKS_MAX_COUNT) {
        return AG_ELIMIT;
    }
    *link = (struct view_link){strdup(path), strdup(target)};
    v->link_count++;
    return link->path != NULL && link->target != NULL ? AG_OK : AG_ENOMEM;
}
