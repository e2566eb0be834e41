#include "run/preset.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/fsx.h"
#include "base/parse.h"
#include "profile/expand.h"
#include "wire/msg.h"

enum {
    TITLE_MAX_BYTES = 128,
    NAME_BYTES = 32,
    LAYER_MIN_MIB = 16,
    LAYER_MAX_MIB = 1024 * 1024,
    PATH_TEXT_BYTES = 2048,
};

static const char *const NETWORKS[] = {"broker", "none", NULL};
static const char *const ELSES[] = {"refuse", "landlock", NULL};
static const char *const HOMES[] = {"layer", "empty", NULL};

/* What `--isolate` finds; the names are fixed so that a wrong one is answered
 * with the right ones. */
static const char NAMES[] = "workspace, strict, offline";

static enum ag_err
check_absolute(struct span text)
{
    if (text.len < 2 || text.ptr[0] != '/' || !parse_is_text(text)) {
        return err_why(AG_EINVAL, "a path from the root is needed");
    }
    return AG_OK;
}

static enum ag_err
check_template(struct span text)
{
    char copy[PATH_TEXT_BYTES];

    if (text.len >= sizeof(copy)) {
        return err_why(AG_EINVAL, "a path is too long");
    }
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    return expand_check(copy);
}

/* The broker reads it whole. */
static enum ag_err
check_host(struct span text)
{
    if (text.len < 4 || !parse_is_text(text) ||
        span_find(text, '/') != text.len) {
        return err_why(AG_EINVAL, "a host is needed, HOST or HOST:PORT");
    }
    return AG_OK;
}

_Static_assert(sizeof(struct preset_texts) == sizeof(struct msg_list) &&
                   offsetof(struct preset_texts, count) ==
                       offsetof(struct msg_list, count),
               "layout differs");

static const struct msg_field FIELDS[] = {
    MSG_FIELD_INT(struct preset, preset, 1, 1, MSG_REQUIRED, 0),
    MSG_FIELD_STRING(struct preset, name, 1, NAME_BYTES - 1, MSG_REQUIRED,
                     parse_name),
    MSG_FIELD_STRING(struct preset, title, 1, TITLE_MAX_BYTES, MSG_REQUIRED,
                     NULL),
    MSG_FIELD_CHOICE(struct preset, network, NETWORKS, MSG_REQUIRED, 0),
    MSG_FIELD_CHOICE(struct preset, home, HOMES, MSG_REQUIRED, 0),
    MSG_FIELD_CHOICE(struct preset, without_namespaces, ELSES, MSG_REQUIRED, 0),
    MSG_FIELD_INT(struct preset, layer_mib, LAYER_MIN_MIB, LAYER_MAX_MIB,
                  MSG_REQUIRED, 0),
    MSG_FIELD_STRINGS(struct preset, system, 1, PRESET_PATHS_MAX_COUNT,
                      MSG_REQUIRED, check_absolute),
    MSG_FIELD_STRINGS(struct preset, hide, 0, PRESET_PATHS_MAX_COUNT,
                      MSG_REQUIRED, check_template),
    MSG_FIELD_STRINGS(struct preset, allow, 0, PRESET_HOSTS_MAX_COUNT,
                      MSG_REQUIRED, check_host),
    MSG_FIELD_STRINGS(struct preset, unset, 0, PRESET_PATHS_MAX_COUNT,
                      MSG_REQUIRED, parse_env_name),
};
static const struct msg_spec SPEC = MSG_SPEC(struct preset, FIELDS);

enum ag_err
preset_decode(struct span json, struct preset **ret)
{
    AG_AUTO(preset) struct preset *p = calloc(1, sizeof(*p));
    enum ag_err err = AG_ENOMEM;

    if (p != NULL) {
        err = msg_decode(&SPEC, json, PRESET_FILE_MAX_BYTES, p);
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(p);
    }
    return err;
}

enum ag_err
preset_load(const char *data_dir, const char *name, struct preset **ret)
{
    AG_AUTO(preset) struct preset *p = NULL;
    AG_AUTO(buf) struct buf text;
    char path[PATH_TEXT_BYTES];
    int n = snprintf(path, sizeof(path), "%s/presets/%s.json", data_dir, name);
    enum ag_err err = AG_EUSAGE;

    buf_init(&text, PRESET_FILE_MAX_BYTES, BUF_PLAIN);
    if (n > 0 && (size_t)n < sizeof(path) && strlen(name) < NAME_BYTES &&
        parse_name(span_str(name)) == AG_OK && strchr(name, '/') == NULL) {
        err = fs_read(AT_FDCWD, path, PRESET_FILE_MAX_BYTES, &text);
    }
    if (err != AG_OK) {
        return err_why(AG_EUSAGE, "there is no preset '%s'; take %s", name,
                       NAMES);
    }
    err = preset_decode(buf_view(&text), &p);
    if (err == AG_OK && strcmp(p->name, name) != 0) {
        err = err_why(AG_EINVAL, "name: must be the file's name");
    }
    if (err != AG_OK) {
        char why[TITLE_MAX_BYTES];

        (void)snprintf(why, sizeof(why), "%s", err_text(err));
        return err_why(err, "preset %s: %s", name, why);
    }
    *ret = AG_TAKE(p);
    return AG_OK;
}

void
preset_free(struct preset *p)
{
    if (p != NULL) {
        msg_done(&SPEC, p);
        free(p);
    }
}

const char *
preset_network_word(enum preset_network network)
{
    return NETWORKS[network];
}

const char *
preset_home_word(enum preset_home home)
{
    return HOMES[home];
}
