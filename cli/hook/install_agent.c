/* hook install codex|claude, hook remove codex|claude. */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "base/buf.h"
#include "base/fdx.h"
#include "base/fsx.h"
#include "base/wipealloc.h"
#include "cli.h"
#include "hook/agent.h"
#include "hook/hook.h"
#include "shim.h"

enum {
    FILE_MAX_BYTES = 1024 * 1024, /* settings of an agent */
    COMMAND_MAX_BYTES = 8 * PATH_BYTES,
    FILE_MODE = 0600,
};

/* How an entry is known for ours, wherever the program lies. */
static const char MARK[] = " hook run ";

/* ---- the file ---- */

struct settings {
    const struct agent *agent;
    char dir[PATH_BYTES]; /* links resolved: it is exchanged where it is */
    char name[NAME_MAX + 1];
    char path[PATH_BYTES]; /* as the person knows it */
    json_t *root;
    mode_t mode;
    bool is_there;
    bool must_know;
    char *set; /* absolute, or NULL; owned */
};

static void
settings_done(struct settings *s)
{
    json_decref(s->root);
    free(s->set);
}
AG_DEFINE_CLEANUP_INPLACE(settings, settings_done)

/* Directory and name, of where links lead if it is there; takes `real`. */
static enum ag_err
split(struct settings *s, char *real)
{
    const char *whole = real == NULL ? s->path : real;
    const char *slash = strrchr(whole, '/');
    bool fits = slash != NULL && strlen(slash + 1) < sizeof(s->name) &&
                (size_t)(slash - whole) < sizeof(s->dir);

    if (fits) {
        (void)stpcpy(s->name, slash + 1);
        (void)snprintf(s->dir, sizeof(s->dir), "%.*s", (int)(slash - whole),
                       whole);
    }
    free(real);
    return fits ? AG_OK : err_why(AG_ELIMIT, "%s has too long a name", s->path);
}

static enum ag_err
find_path(struct settings *s)
{
    const char *dir = getenv(s->agent->home_var);
    const char *home = getenv("HOME");
    char *real = NULL;
    int n =
        dir != NULL && *dir != '\0'
            ? snprintf(s->path, sizeof(s->path), "%s/%s", dir, s->agent->file)
            : snprintf(s->path, sizeof(s->path), "%s/%s/%s",
                       home == NULL ? "" : home, s->agent->home_default,
                       s->agent->file);

    if (n < 0 || (size_t)n >= sizeof(s->path)) {
        return err_why(AG_ELIMIT, "the directory of %s has too long a name",
                       s->agent->title);
    }
    real = realpath(s->path, NULL);
    s->is_there = real != NULL;
    if (real == NULL && errno != ENOENT) {
        return err_why(err_from_errno(errno), "%s: %s", s->path,
                       strerrordesc_np(errno));
    }
    return split(s, real);
}

static enum ag_err
read_settings(struct settings *s)
{
    AG_AUTO(buf) struct buf text;
    json_error_t wrong;
    struct stat st;
    enum ag_err err = find_path(s);

    buf_init(&text, FILE_MAX_BYTES, BUF_PLAIN);
    if (err != AG_OK) {
        return err;
    }
    if (!s->is_there) {
        s->mode = FILE_MODE;
        s->root = json_object();
        return s->root == NULL ? AG_ENOMEM : AG_OK;
    }
    err = fs_read(AT_FDCWD, s->path, FILE_MAX_BYTES, &text);
    if (err != AG_OK || stat(s->path, &st) != 0) {
        return err_why(err == AG_OK ? AG_EIO : err, "%s: can't be read",
                       s->path);
    }
    s->mode = st.st_mode & 07777;
    s->root = json_loadb((const char *)text.ptr, text.len,
                         JSON_REJECT_DUPLICATES, &wrong);
    if (!json_is_object(s->root)) {
        return err_why(AG_EINVAL,
                       "%s: line %d is not JSON as we can change it: %s",
                       s->path, wrong.line, wrong.text);
    }
    return AG_OK;
}

static enum ag_err
write_settings(const struct settings *s)
{
    AG_AUTO(fd) int dir = -1;
    char *text = json_dumps(s->root, JSON_INDENT(2));
    enum ag_err err = text == NULL ? AG_ENOMEM : AG_OK;

    if (err == AG_OK && mkdir(s->dir, 0700) != 0 && errno != EEXIST) {
        err = err_from_errno(errno);
    }
    if (err == AG_OK) {
        dir = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        err = dir < 0 ? err_from_errno(errno)
                      : fs_replace(dir, s->name, span_str(text));
    }
    if (err == AG_OK && fchmodat(dir, s->name, s->mode, 0) != 0) {
        err = err_from_errno(errno);
    }
    wipe_free(text); /* jansson's */
    return err == AG_OK ? AG_OK
                        : err_why(err, "%s: %s", s->path, err_title(err));
}

/* ---- entries ---- */

static bool
is_ours(const struct agent *agent, const json_t *hook)
{
    const char *command = json_string_value(json_object_get(hook, "command"));
    const char *at = command == NULL ? NULL : strstr(command, MARK);

    return at != NULL && strstr(command, "auth-guard") != NULL &&
           strncmp(at + sizeof(MARK) - 1, agent->name, strlen(agent->name)) ==
               0;
}

/* Of one event: ours are taken out, and groups that only had ours. */
static size_t
take_out(const struct agent *agent, json_t *groups)
{
    size_t taken = 0;

    for (size_t g = json_array_size(groups); g-- > 0;) {
        json_t *hooks = json_object_get(json_array_get(groups, g), "hooks");
        size_t before = json_array_size(hooks);

        for (size_t i = before; i-- > 0;) {
            if (is_ours(agent, json_array_get(hooks, i))) {
                (void)json_array_remove(hooks, i);
                taken++;
            }
        }
        if (before > 0 && json_array_size(hooks) == 0) {
            (void)json_array_remove(groups, g);
        }
    }
    return taken;
}

static json_t *
event_groups(const struct settings *s, enum agent_event event)
{
    return json_object_get(json_object_get(s->root, "hooks"),
                           agent_event_name(event));
}

/* `|| exit 2`: a hook that can't be run says no. Exit codes other than 2 would
 * let the call go on. */
static enum ag_err
command_line(const struct settings *s, enum agent_event event, struct buf *out)
{
    const char *home = getenv("AUTH_GUARD_HOME");
    char program[PATH_BYTES];
    enum ag_err err = hook_program(program);

    if (err == AG_OK && home != NULL && *home != '\0') {
        err = buf_add_str(out, "AUTH_GUARD_HOME=");
        if (err == AG_OK) {
            err = shim_add_quoted(out, home);
        }
        err = err == AG_OK ? buf_add_byte(out, ' ') : err;
    }
    if (err == AG_OK) {
        err = shim_add_quoted(out, program);
    }
    if (err == AG_OK) {
        err = buf_fmt(out, "%s%s%s", MARK, s->agent->name,
                      s->must_know ? " --require-vault" : "");
    }
    if (err == AG_OK && s->set != NULL) {
        err = buf_add_str(out, " --set ");
        err = err == AG_OK ? shim_add_quoted(out, s->set) : err;
    }
    return err == AG_OK ? buf_fmt(out, " %s || exit 2", agent_event_name(event))
                        : err;
}

static enum ag_err
add_event(const struct settings *s, enum agent_event event)
{
    json_t *hooks = json_object_get(s->root, "hooks");
    json_t *groups = event_groups(s, event);
    AG_AUTO(buf) struct buf command;
    json_t *group;
    enum ag_err err;

    buf_init(&command, COMMAND_MAX_BYTES, BUF_PLAIN);
    if (groups == NULL) {
        groups = json_array();
        if (json_object_set_new(hooks, agent_event_name(event), groups) != 0) {
            return AG_ENOMEM;
        }
    }
    if (!json_is_array(groups)) {
        return err_why(AG_EINVAL, "%s: %s is no list", s->path,
                       agent_event_name(event));
    }
    (void)take_out(s->agent, groups);
    err = command_line(s, event, &command);
    if (err != AG_OK) {
        return err;
    }
    group =
        json_pack("{s:[{s:s, s:s, s:i}]}", "hooks", "type", "command",
                  "command", buf_cstr(&command), "timeout", AGENT_TIMEOUT_S);
    return group == NULL || json_array_append_new(groups, group) != 0
               ? AG_ENOMEM
               : AG_OK;
}

/* ---- acts ---- */

static enum ag_err
install(struct cli *cli, struct settings *s)
{
    json_t *hooks;
    enum ag_err err = read_settings(s);

    if (err != AG_OK) {
        return err;
    }
    hooks = json_object_get(s->root, "hooks");
    if (hooks == NULL) {
        hooks = json_object();
        if (json_object_set_new(s->root, "hooks", hooks) != 0) {
            return AG_ENOMEM;
        }
    }
    if (!json_is_object(hooks)) {
        return err_why(AG_EINVAL, "%s: \"hooks\" is no object", s->path);
    }
    for (unsigned i = 0; err == AG_OK && i < AGENT_EVENT_COUNT; i++) {
        err = add_event(s, (enum agent_event)i);
    }
    if (err == AG_OK) {
        err = write_settings(s);
    }
    if (err == AG_OK) {
        out_say(&cli->out, "%s asks auth-guard now, by %s.%s%s",
                s->agent->title, s->path, s->agent->trust == NULL ? "" : " ",
                s->agent->trust == NULL ? "" : s->agent->trust);
    }
    return err;
}

enum ag_err
hook_install_agent(struct cli *cli, int argc, char **argv)
{
    AG_AUTO(settings) struct settings s = {.agent = agent_find(argv[0])};
    const char *set = NULL;
    const struct arg_opt opts[] = {
        {"require-vault", ARG_FLAG, &s.must_know, NULL,
         "refuse while values of the vault can't be looked for;\n"
         "else rules alone are used then"},
        {"set", ARG_TEXT, &set, "FILE",
         "look for the values by their fingerprints, from\n"
         "`redaction-set export`: Codex runs its hooks in sessions\n"
         "of their own, which the vault does not answer outside\nof a task"},
    };
    const struct arg_spec spec = {
        .usage = "hook install codex|claude [options]",
        .about =
            "Has the agent ask before it calls a tool: one that reads a "
            "credential file, prints\na variable that looks like a secret, or "
            "holds a secret is asked about, or\nrefused. Secrets are taken out "
            "of what a tool answered, and a prompt that\nholds one is not "
            "sent. In its file of hooks all other entries stay.",
        .opts = opts,
        .opt_count = AG_COUNT(opts)};
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    if (err != AG_OK || args.help) {
        return err;
    }
    if (set != NULL) {
        s.set = realpath(set, NULL);
        err = s.set == NULL ? err_why(err_from_errno(errno), "%s: %s", set,
                                      strerrordesc_np(errno))
                            : AG_OK;
    }
    return err == AG_OK ? install(cli, &s) : err;
}

static size_t
take_out_all(struct settings *s)
{
    json_t *hooks = json_object_get(s->root, "hooks");
    size_t taken = 0;

    for (unsigned i = 0; i < AGENT_EVENT_COUNT; i++) {
        json_t *groups = event_groups(s, (enum agent_event)i);
        size_t now = take_out(s->agent, groups);

        if (now > 0 && json_array_size(groups) == 0) {
            (void)json_object_del(hooks, agent_event_name((enum agent_event)i));
        }
        taken += now;
    }
    if (taken > 0 && json_object_size(hooks) == 0) {
        (void)json_object_del(s->root, "hooks");
    }
    return taken;
}

enum ag_err
hook_remove_agent(struct cli *cli, int argc, char **argv)
{
    AG_AUTO(settings) struct settings s = {.agent = agent_find(argv[0])};
    static const struct arg_spec spec = {
        .usage = "hook remove codex|claude",
        .about = "Has the agent ask no more; its other hooks stay."};
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    if (err != AG_OK || args.help) {
        return err;
    }
    err = read_settings(&s);
    if (err == AG_OK && take_out_all(&s) == 0) {
        return err_why(AG_ENOTFOUND, "%s has no hook of auth-guard", s.path);
    }
    if (err == AG_OK) {
        err = write_settings(&s);
    }
    if (err == AG_OK) {
        out_say(&cli->out, "%s asks auth-guard no more.", s.agent->title);
    }
    return err;
}

/* ---- list ---- */

static enum ag_err
list_event(const struct settings *s, enum agent_event event, json_t *rows)
{
    const json_t *group;
    size_t g;

    json_array_foreach(event_groups(s, event), g, group)
    {
        const json_t *hooks = json_object_get(group, "hooks");

        for (size_t i = 0; i < json_array_size(hooks); i++) {
            if (is_ours(s->agent, json_array_get(hooks, i)) &&
                json_array_append_new(
                    rows,
                    json_pack("{s:s, s:s, s:s, s:s}", "tool", s->agent->name,
                              "hook", agent_event_name(event), "state", "ready",
                              "place", s->path)) != 0) {
                return AG_ENOMEM;
            }
        }
    }
    return AG_OK;
}

enum ag_err
hook_list_agents(struct cli *cli, json_t *rows)
{
    const struct agent *agent;
    enum ag_err err = AG_OK;

    for (size_t i = 0; err == AG_OK && (agent = agent_at(i)) != NULL; i++) {
        AG_AUTO(settings) struct settings s = {.agent = agent};

        if (read_settings(&s) != AG_OK) {
            out_warn(&cli->out, "%s", err_text(AG_EINVAL));
            err_clear();
            continue;
        }
        for (unsigned k = 0; err == AG_OK && k < AGENT_EVENT_COUNT; k++) {
            err = list_event(&s, (enum agent_event)k, rows);
        }
    }
    return err;
}
