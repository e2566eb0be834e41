/* What the operator's stream is searched for beside the forms. */
#include <stdlib.h>

#include "redact/fragments.h"
#include "redact/redactor_impl.h"

enum ag_err
redactor_looks_use(struct redactor *r, const struct matcher *set)
{
    enum ag_err err;

    if (!set->has_looks) {
        r->views = NULL;
        return AG_OK;
    }
    if (r->views_own == NULL) {
        r->views_own = calloc(1, sizeof(*r->views_own));
    }
    if (r->views_own == NULL) {
        return AG_ENOMEM;
    }
    err = views_use(r->views_own, set, r->offset);
    if (err == AG_OK) {
        r->views = r->views_own;
    }
    return err;
}

void
redactor_looks_done(struct redactor *r)
{
    if (r->views_own != NULL) {
        views_done(r->views_own);
    }
    free(r->views_own);
    r->views_own = NULL;
    r->views = NULL;
}

static struct views_request
views_request(struct redactor *r, struct span text, bool at_end)
{
    return (struct views_request){.set = r->set,
                                  .text = text,
                                  .behind = span_of(r->behind, r->behind_len),
                                  .offset = r->offset,
                                  .is_at_end = at_end,
                                  .scan = &r->scan};
}

size_t
redactor_look(struct redactor *r, struct span text, bool at_end)
{
    struct views_request views = views_request(r, text, at_end);
    struct fragments_request fragments = {.set = r->set,
                                          .text = text,
                                          .behind = views.behind,
                                          .offset = r->offset,
                                          .marked = r->marked,
                                          .is_at_end = at_end};
    size_t of_views;
    size_t of_fragments;

    r->marked[0].is_all = false;
    r->marked[1].is_all = false;
    if (r->views == NULL || r->options.audience == REDACTOR_TASK) {
        return text.len;
    }
    of_views = views_find(r->views, &views);
    fragments.most = r->views->span_bytes;
    of_fragments = fragments_find(&fragments, &r->views->holes);
    return of_views < of_fragments ? of_views : of_fragments;
}

size_t
redactor_look_show(struct redactor *r, struct span text, size_t most)
{
    struct views_request views = views_request(r, text, false);
    size_t upto;

    if (r->views == NULL) {
        return text.len;
    }
    upto = views_show(r->views, &views, most);
    if (most != SIZE_MAX && r->views->holes.count > 0) {
        uint64_t first = r->views->holes.list[0].start; /* for the idle */
        size_t start = first > r->offset ? (size_t)(first - r->offset) : 0;

        upto = start < upto ? start : upto;
    }
    return upto;
}
