#include "run/isolate.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fdx.h"
#include "base/fsx.h"
#include "run/hide.h"
#include "run/ports.h"
#include "run/sweep.h"

enum {
    PATH_TEXT_BYTES = PATH_MAX,
    SOCKET_NAME_BYTES = 16,
    TICK_PAUSES_MAX_COUNT = 100, /* a tick is at most 10 ms */
};

/* ---- hidden paths ---- */

static enum ag_err
hide_list(struct view *v, const json_t *list, enum hide_patterns how)
{
    const json_t *item;
    size_t i;
    enum ag_err err = AG_OK;

    if (!json_is_array(list)) {
        return err_why(AG_ECORRUPT, "the broker's answer lacks what to hide; "
                                    "are auth-guard and auth-guardd of one "
                                    "version?");
    }
    json_array_foreach(list, i, item)
    {
        if (err == AG_OK && json_is_string(item)) {
            err = hide_template(v, json_string_value(item), how);
        }
    }
    return err;
}

enum ag_err
isolation_hide(struct isolation *is, const json_t *answer)
{
    struct view *v = isolation_shown(is);
    enum ag_err err;

    if (v == NULL) {
        return AG_OK;
    }
    err = hide_list(v, json_object_get(answer, "hide"), HIDE_FOLDER);
    return err == AG_OK ? hide_list(v, json_object_get(answer, "hide_copies"),
                                    HIDE_MATCHES)
                        : err;
}

/* ---- places ---- */

static enum ag_err
find_home(struct view *v)
{
    const char *home = getenv("HOME");
    char real[PATH_TEXT_BYTES];

    if (home == NULL || home[0] != '/' || realpath(home, real) == NULL ||
        strcmp(real, "/") == 0) {
        return err_why(AG_EUSAGE,
                       "isolation needs HOME to name your home; or say "
                       "--no-isolate");
    }
    v->home = strdup(home);
    v->home_real = strdup(real);
    return v->home != NULL && v->home_real != NULL ? AG_OK : AG_ENOMEM;
}

/* The repository we stand in, unless that is the home or around it: a tree that
 * may be written is never the home. */
static enum ag_err
find_tree(struct view *v)
{
    char tree[PATH_TEXT_BYTES];

    v->cwd = getcwd(NULL, 0);
    if (v->cwd == NULL) {
        return err_why(AG_EUSAGE, "isolation: there is no directory here");
    }
    if (!plan_repository(tree, sizeof(tree)) ||
        view_is_below(v->home_real, tree)) {
        (void)snprintf(tree, sizeof(tree), "%s", v->cwd);
    }
    if (view_is_below(v->home_real, tree)) {
        return err_why(AG_EUSAGE,
                       "isolation: the working tree would be %s with your "
                       "whole home; change to the project's directory first, "
                       "or say --no-isolate",
                       tree);
    }
    v->tree = strdup(tree);
    return v->tree != NULL ? AG_OK : AG_ENOMEM;
}

/* auth-guard's own places are never opened. */
static enum ag_err
check_own(const struct paths *paths, const char *option, const char *path)
{
    const char *const own[] = {paths->home, paths->run};
    char real[PATH_TEXT_BYTES];

    for (size_t i = 0; i < AG_COUNT(own); i++) {
        const char *place = realpath(own[i], real) != NULL ? real : own[i];

        if (view_is_below(path, place)) {
            return err_why(AG_EUSAGE, "%s: %s is a place of auth-guard's own",
                           option, path);
        }
    }
    return AG_OK;
}

static enum ag_err
open_one(struct view *v, const struct paths *paths, const char *option,
         const char *item, enum view_access access)
{
    char *real = realpath(item, NULL);
    enum ag_err err;

    if (real == NULL) {
        return err_why(AG_EUSAGE, "%s: %s: %s", option, item,
                       strerrordesc_np(errno));
    }
    err = view_is_below(v->home_real, real)
              ? err_why(AG_EUSAGE,
                        "%s: %s holds your whole home; name the directories "
                        "that are needed",
                        option, real)
              : check_own(paths, option, real);
    if (err != AG_OK) {
        free(real);
        return err;
    }
    v->given[v->given_count] = (struct view_given){real, access};
    v->given_count++;
    return AG_OK;
}

static enum ag_err
open_to_task(struct view *v, const struct paths *paths, const char *option,
             const struct arg_list *list, enum view_access access)
{
    enum ag_err err = AG_OK;

    for (size_t i = 0; err == AG_OK && i < list->count; i++) {
        err = open_one(v, paths, option, list->items[i], access);
    }
    return err;
}

_Static_assert(VIEW_GIVEN_MAX_COUNT >= 2 * ARG_LIST_MAX_COUNT, "no overflow");

/* What a task keeps between runs must not be in its reach by another way: there
 * it could take the marks away that hide things. */
static enum ag_err
keep_home(struct isolation *is, const char *dir, bool dry_run)
{
    AG_AUTO(fd) int fd = -1;
    char real[PATH_TEXT_BYTES];
    enum ag_err err = AG_OK;

    if (dry_run) {
        is->view->keep = strdup(dir);
        return is->view->keep != NULL ? AG_OK : AG_ENOMEM;
    }
    err = fs_private_dir(dir, &fd);
    if (err != AG_OK || realpath(dir, real) == NULL) {
        return err_why(AG_EUSAGE,
                       "--keep-home: %s must be a directory of yours that "
                       "nobody else can open (chmod 700)",
                       dir);
    }
    if (view_is_host(is->view, real)) {
        return err_why(AG_EUSAGE,
                       "--keep-home: %s can be reached by the task; name a "
                       "directory outside of the working tree",
                       real);
    }
    if ((mkdirat(fd, "upper", 0700) != 0 && errno != EEXIST) ||
        (mkdirat(fd, "work", 0700) != 0 && errno != EEXIST)) {
        return err_why(AG_EUSAGE, "--keep-home: %s: %s", real,
                       strerrordesc_np(errno));
    }
    err = fs_lock(fd, "lock", &is->keep_lock);
    if (err != AG_OK) {
        return err_why(err, "--keep-home: %s is in use by another task", real);
    }
    is->view->keep = strdup(real);
    return is->view->keep == NULL ? AG_ENOMEM : hide_path(is->view, real);
}

static enum ag_err
add_line(struct view *v, const struct paths *paths, const char *sock,
         const char *port_name, uint16_t else_port)
{
    struct relay_line *line = &v->lines[v->line_count];

    *line = (struct relay_line){.sock = strdup(sock), .fd = -1};
    v->line_count++;
    if (ports_read(paths, port_name, &line->port) != AG_OK) {
        line->port = else_port;
    }
    return line->sock != NULL ? AG_OK : AG_ENOMEM;
}

/* Out of the task's network to the broker, by the broker's own ports, so that
 * an address is the same inside and outside. */
static enum ag_err
add_lines(struct view *v, const struct paths *paths)
{
    char proxy[PATH_BYTES + SOCKET_NAME_BYTES];
    enum ag_err err;

    if (v->preset->network == PRESET_NETWORK_NONE) {
        return AG_OK;
    }
    err = add_line(v, paths, paths->task_sock, PORTS_TASK, RELAY_TASK_PORT);
    (void)snprintf(proxy, sizeof(proxy), "%s/proxy.sock", paths->run);
    if (err == AG_OK && access(proxy, F_OK) == 0) {
        err = add_line(v, paths, proxy, PORTS_PROXY, RELAY_PROXY_PORT);
    }
    return err;
}

static enum ag_err
own_places(struct view *v, const struct paths *paths)
{
    char place[PATH_BYTES + SOCKET_NAME_BYTES];

    (void)snprintf(place, sizeof(place), "%s/jail", paths->run);
    v->task_sock = strdup(paths->task_sock);
    v->place = strdup(place);
    return v->task_sock != NULL && v->place != NULL ? add_lines(v, paths)
                                                    : AG_ENOMEM;
}

static enum ag_err
hide_own(struct view *v, const struct paths *paths, const struct run_options *o)
{
    const char *const own[] = {paths->home, paths->run, paths->config,
                               getenv("AUTH_GUARD_PASSPHRASE_FILE"),
                               getenv("CREDENTIALS_DIRECTORY")};
    enum ag_err err = AG_OK;

    for (size_t i = 0; err == AG_OK && i < AG_COUNT(own); i++) {
        if (own[i] != NULL) {
            err = hide_as_written(v, own[i]);
        }
    }
    for (size_t i = 0; err == AG_OK && i < v->preset->hide.count; i++) {
        err = hide_template(v, v->preset->hide.items[i], HIDE_MATCHES);
    }
    for (size_t i = 0; err == AG_OK && i < o->hide.count; i++) {
        err = hide_as_written(v, o->hide.items[i]);
    }
    return err;
}

static enum ag_err
check_unisolated(const struct run_options *o)
{
    const struct {
        bool given;
        const char *name;
    } only[] = {{o->ro.count > 0, "--ro"},
                {o->rw.count > 0, "--rw"},
                {o->hide.count > 0, "--hide"},
                {o->keep_home != NULL, "--keep-home"}};

    for (size_t i = 0; i < AG_COUNT(only); i++) {
        if (only[i].given) {
            return err_why(AG_EUSAGE, "%s has no meaning with --no-isolate",
                           only[i].name);
        }
    }
    return AG_OK;
}

static enum ag_err
make_view(const struct run_options *o, const struct paths *paths,
          struct isolation *is)
{
    struct view *v = is->view;
    enum ag_err err = find_home(v);

    if (err == AG_OK) {
        err = find_tree(v);
    }
    if (err == AG_OK) {
        err = check_own(paths, "isolation", v->tree);
    }
    if (err == AG_OK) {
        err = own_places(v, paths);
    }
    if (err == AG_OK) {
        err = open_to_task(v, paths, "--ro", &o->ro, VIEW_READ);
    }
    if (err == AG_OK) {
        err = open_to_task(v, paths, "--rw", &o->rw, VIEW_WRITE);
    }
    if (err == AG_OK) {
        err = hide_own(v, paths, o);
    }
    return err == AG_OK && o->keep_home != NULL
               ? keep_home(is, o->keep_home, o->dry_run)
               : err;
}

static bool
has_git(const struct view *v)
{
    char path[PATH_TEXT_BYTES];
    struct stat st;

    (void)snprintf(path, sizeof(path), "%s/.git", v->tree);
    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

enum ag_err
isolation_make(const struct run_options *o, const struct paths *paths,
               struct isolation *ret)
{
    enum ag_err err;

    *ret = (struct isolation){.keep_lock = -1};
    if (o->isolate != NULL && o->no_isolate) {
        return err_why(AG_EUSAGE,
                       "--isolate and --no-isolate exclude each other");
    }
    if (o->no_isolate) {
        return check_unisolated(o);
    }
    ret->view = calloc(1, sizeof(*ret->view));
    if (ret->view == NULL) {
        return AG_ENOMEM;
    }
    err =
        preset_load(paths->data,
                    o->isolate == NULL || o->isolate[0] == '\0' ? PRESET_DEFAULT
                                                                : o->isolate,
                    &ret->view->preset);
    if (err == AG_OK && ret->view->preset->network == PRESET_NETWORK_NONE &&
        o->proxies.count + o->allow.count > 0) {
        err = err_why(AG_EUSAGE, "%s has no network: %s has no meaning",
                      ret->view->preset->name,
                      o->allow.count > 0 ? "--allow" : "--proxy");
    }
    if (err == AG_OK) {
        err = make_view(o, paths, ret);
    }
    if (err == AG_OK) {
        ret->had_git = has_git(ret->view);
        gitcheck_note(ret->view, &ret->notes);
        (void)clock_gettime(CLOCK_REALTIME, &ret->since);
    }
    if (err != AG_OK) {
        isolation_done(ret);
    }
    return err;
}

static bool
is_later(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec > b->tv_sec ||
           (a->tv_sec == b->tv_sec && a->tv_nsec > b->tv_nsec);
}

void
isolation_await_tick(const struct isolation *is)
{
    static const struct timespec pause = {.tv_nsec = 200L * 1000};
    struct timespec now = {0};

    /* A clock that is set back meanwhile stops nobody. */
    for (int i = 0; i < TICK_PAUSES_MAX_COUNT; i++) {
        (void)clock_gettime(CLOCK_REALTIME_COARSE, &now);
        if (is_later(&now, &is->since)) {
            return;
        }
        (void)nanosleep(&pause, NULL);
    }
}

void
isolation_tidy(const struct isolation *is, gitcheck_found_fn found, void *arg)
{
    const struct gitcheck what = {.view = isolation_shown(is),
                                  .notes = &is->notes,
                                  .since = is->since,
                                  .had_git = is->had_git,
                                  .found = found,
                                  .arg = arg};

    if (what.view != NULL) {
        gitcheck_run(&what);
    }
}

void
isolation_done(struct isolation *is)
{
    view_free(is->view);
    view_free(is->fence);
    gitnotes_done(&is->notes);
    is->view = NULL;
    is->fence = NULL;
    if (is->scratch != NULL) {
        sweep_dir(is->scratch);
        free(is->scratch);
        is->scratch = NULL;
    }
    fd_close(is->keep_lock);
    is->keep_lock = -1;
}

struct view *
isolation_shown(const struct isolation *is)
{
    return is->view != NULL ? is->view : is->fence;
}

enum ag_err
isolation_fence(struct isolation *is)
{
    char path[] = "/tmp/auth-guard-XXXXXX";

    is->fence = AG_TAKE(is->view);
    if (mkdtemp(path) == NULL) {
        return err_from_errno(errno);
    }
    is->scratch = strdup(path);
    return is->scratch != NULL ? AG_OK : AG_ENOMEM;
}
