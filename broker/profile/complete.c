#include <stddef.h>
#include <string.h>

#include "base/parse.h"
#include "profile/expand.h"
#include "profile/fields.h"
#include "profile/table.h"

/* Stand in for parts a profile leaves out, so that readers need not ask. */
static const struct profile_deliver NO_DELIVERY = {.by = DELIVER_NONE};
static const struct profile_run NO_RUN = {.args = {NULL, 0}};
static const struct profile_conflict LAST_WINS = {.rule = CONFLICT_RULE_LAST};

void
profile_release(struct profile *p)
{
    for (size_t i = 0; i < p->files.count; i++) {
        if (p->files.items[i].deliver == &NO_DELIVERY) {
            p->files.items[i].deliver = NULL;
        }
    }
    if (p->run == &NO_RUN) {
        p->run = NULL;
    }
    if (p->conflict == &LAST_WINS) {
        p->conflict = NULL;
    }
    msg_done(profile_spec(), p);
}

static enum ag_err
check_deliver(const struct profile_deliver *d, size_t index)
{
    if ((d->by == DELIVER_ENV) != (d->var != NULL)) {
        return err_why(AG_EINVAL,
                       "files[%zu].deliver: var belongs to by \"env\" and to "
                       "nothing else",
                       index);
    }
    return AG_OK;
}

static enum ag_err
check_file(struct profile_file *f, size_t index)
{
    enum ag_err err;

    if (f->path == NULL && f->names.count == 0) {
        return err_why(AG_EINVAL, "files[%zu]: path or names is needed", index);
    }
    if (f->path != NULL) {
        err = expand_check(f->path);
        if (err != AG_OK) {
            return err;
        }
    }
    if (f->format == FORMAT_SQLITE && !f->scan_only) {
        return err_why(AG_EINVAL,
                       "files[%zu]: a sqlite file can only be scan_only",
                       index);
    }
    if (f->deliver == NULL) {
        f->deliver = &NO_DELIVERY;
        return AG_OK;
    }
    return check_deliver(f->deliver, index);
}

/* Hosts: letters, digits, '-', '.', a leading "*.", a port. */
static bool
is_host(const char *host)
{
    const char *p = strncmp(host, "*.", 2) == 0 ? host + 2 : host;
    size_t len = strspn(p, "abcdefghijklmnopqrstuvwxyz0123456789-.");

    if (len == 0 || p[0] == '.' || p[0] == '-') {
        return false;
    }
    if (p[len] == ':') {
        size_t digits = strspn(p + len + 1, "0123456789");

        return digits >= 1 && digits <= 5 && p[len + 1 + digits] == '\0';
    }
    return p[len] == '\0';
}

static enum ag_err
check_place(const struct profile_place *place, size_t index)
{
    const char *hole =
        place->format == NULL ? NULL : strstr(place->format, "{}");

    for (size_t i = 0; i < place->hosts.count; i++) {
        if (!is_host(place->hosts.items[i])) {
            return err_why(AG_EINVAL,
                           "places[%zu].hosts[%zu]: not a host in lower case",
                           index, i);
        }
    }
    for (size_t i = 0; i < place->paths.count; i++) {
        if (place->paths.items[i][0] != '/') {
            return err_why(AG_EINVAL,
                           "places[%zu].paths[%zu]: does not start with '/'",
                           index, i);
        }
    }
    if (place->plain && !place->inner) {
        return err_why(AG_EINVAL, "places[%zu]: plain only with inner", index);
    }
    if (place->format != NULL &&
        (hole == NULL || strstr(hole + 2, "{}") != NULL)) {
        return err_why(AG_EINVAL, "places[%zu].format: holds no or several {}",
                       index);
    }
    return AG_OK;
}

/* A host that a way names: one with a place, or the one that refreshes, which
 * the broker answers for itself. */
static bool
is_known_host(const struct profile *p, struct span host)
{
    struct span url = span_str(p->refresh == NULL ? "" : p->refresh->url);
    struct span rest = span_sub(url, sizeof("https://") - 1, url.len);

    for (size_t i = 0; i < p->places.count; i++) {
        for (size_t k = 0; k < p->places.items[i].hosts.count; k++) {
            if (span_is(host, p->places.items[i].hosts.items[k])) {
                return true;
            }
        }
    }
    return host.len > 0 &&
           span_equal(span_sub(rest, 0, span_find(rest, '/')), host);
}

/* Each {url:HOST} of an argument. */
static enum ag_err
check_arg(const struct profile *p, const char *arg, size_t index)
{
    static const char MARK[] = "{url:";
    const char *at = strstr(arg, MARK);

    while (at != NULL) {
        struct span rest = span_str(at + sizeof(MARK) - 1);
        size_t len = span_find(rest, '}');

        if (len == rest.len || !is_known_host(p, span_sub(rest, 0, len))) {
            return err_why(AG_EINVAL,
                           "run.proxy[%zu].args: {url:HOST} needs a host that "
                           "a place names",
                           index);
        }
        at = strstr(at + sizeof(MARK) - 1, MARK);
    }
    return AG_OK;
}

static enum ag_err
check_way(const struct profile *p, const struct profile_way *way, size_t index)
{
    enum ag_err err = AG_OK;

    if (p->places.count == 0) {
        return err_why(AG_EINVAL,
                       "run.proxy[%zu]: no place says where the "
                       "value may go",
                       index);
    }
    if (way->file && p->files.count == 0) {
        return err_why(AG_EINVAL, "run.proxy[%zu].file: it has no file", index);
    }
    for (size_t i = 0; i < way->urls.count; i++) {
        const struct profile_url *url = &way->urls.items[i];

        if (!is_known_host(p, span_str(url->service)) ||
            (url->path != NULL && url->path[0] != '/')) {
            return err_why(AG_EINVAL,
                           "run.proxy[%zu].urls[%zu]: service must be a host "
                           "that a place names, path begin with '/'",
                           index, i);
        }
    }
    for (size_t i = 0; err == AG_OK && i < way->args.count; i++) {
        err = check_arg(p, way->args.items[i], index);
    }
    return err;
}

static enum ag_err
check_refresh(const struct profile_refresh *r)
{
    if (strncmp(r->url, "https://", 8) != 0) {
        return err_why(AG_EINVAL, "refresh.url: must be https");
    }
    if ((r->client_id == NULL) == (r->client_id_field == NULL)) {
        return err_why(AG_EINVAL,
                       "refresh: either client_id or client_id_field");
    }
    if ((r->expiry == EXPIRY_NONE) != (r->expiry_field == NULL)) {
        return err_why(AG_EINVAL,
                       "refresh: expiry and expiry_field belong together");
    }
    return AG_OK;
}

static enum ag_err
check_shape(const struct profile_shape *s, size_t index)
{
    if (s->max_len != 0 && s->max_len < s->min_len) {
        return err_why(AG_EINVAL, "shapes[%zu]: max_len is below min_len",
                       index);
    }
    return AG_OK;
}

static enum ag_err
check_parts(const struct profile *p)
{
    enum ag_err err = AG_OK;

    for (size_t i = 0; err == AG_OK && i < p->places.count; i++) {
        err = check_place(&p->places.items[i], i);
    }
    for (size_t i = 0; err == AG_OK && i < p->shapes.count; i++) {
        err = check_shape(&p->shapes.items[i], i);
    }
    if (err == AG_OK && p->refresh != NULL) {
        err = check_refresh(p->refresh);
    }
    for (size_t i = 0;
         err == AG_OK && p->run != NULL && i < p->run->proxy.count; i++) {
        err = check_way(p, &p->run->proxy.items[i], i);
    }
    if (err == AG_OK && p->conflict != NULL &&
        (p->conflict->rule == CONFLICT_RULE_NEWEST) !=
            (p->conflict->field != NULL)) {
        err = err_why(AG_EINVAL,
                      "conflict: field belongs to rule \"newest\" and to "
                      "nothing else");
    }
    return err;
}

static enum ag_err
check_transcripts(const struct profile *p)
{
    enum ag_err err = AG_OK;

    for (size_t i = 0; err == AG_OK && i < p->transcripts.count; i++) {
        const char *path = p->transcripts.items[i];
        const char *star = strchr(path, '*');

        err = expand_check(path);
        if (err == AG_OK && star != NULL && strchr(star, '/') != NULL) {
            err = err_why(AG_EINVAL,
                          "transcripts[%zu]: `*` stands in the last segment "
                          "only",
                          i);
        }
    }
    return err;
}

enum ag_err
profile_complete(struct profile *p)
{
    enum ag_err err = check_transcripts(p);

    for (size_t i = 0; err == AG_OK && i < p->files.count; i++) {
        err = check_file(&p->files.items[i], i);
    }
    if (err == AG_OK) {
        err = check_parts(p);
    }
    if (p->run == NULL) {
        p->run = &NO_RUN;
    }
    if (p->conflict == NULL) {
        p->conflict = &LAST_WINS;
    }
    return err;
}
