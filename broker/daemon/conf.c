#include "daemon/conf.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <ini.h>

#include "base/buf.h"
#include "base/fdx.h"
#include "base/fsx.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/paths.h"

enum {
    FILE_MAX_BYTES = 64 * 1024,
    MINUTE_MS = 60 * 1000,
    HOUR_MS = 60 * MINUTE_MS,
    MARKER_BYTES = sizeof(((struct core_settings){0}).marker),
};

enum kind {
    KIND_DURATION, /* int64_t, milliseconds */
    KIND_NUMBER,   /* int64_t */
    KIND_CHOICE,   /* int: index into choices */
    KIND_FLAG,     /* bool: index into choices */
    KIND_MARKER,   /* core_settings.marker */
    KIND_FILE,     /* SETTINGS_FILE_BYTES: an absolute path or nothing */
};

struct row {
    const char *section;
    const char *key;
    enum kind kind;
    size_t offset;
    int64_t min;
    int64_t max;
    const char *const *choices;
};

static const char *const LEVELS[] = {
    [LOG_ERROR] = "error",
    [LOG_WARN] = "warn",
    [LOG_INFO] = "info",
    [LOG_DEBUG] = "debug",
    NULL,
};

static const char *const RUNNERS[] = {"cron", "broker", NULL};
static const char *const AUDITS[] = {"normal", "strict", NULL};

#define AT(field) offsetof(struct settings, field)
#define DAYS(n)   ((int64_t)(n)*24 * HOUR_MS)

static const struct row ROWS[] = {
    {"vault", "idle_lock", KIND_DURATION, AT(core.idle_lock_ms), 0, DAYS(30),
     NULL},
    {"vault", "audit", KIND_FLAG, AT(core.audit_strict), 0, 0, AUDITS},
    {"operator", "session", KIND_DURATION, AT(core.session_ms), MINUTE_MS,
     DAYS(30), NULL},
    {"operator", "proof", KIND_DURATION, AT(core.proof_ms), 0, HOUR_MS, NULL},
    {"task", "ttl", KIND_DURATION, AT(core.task_ttl_ms), MINUTE_MS, DAYS(30),
     NULL},
    {"task", "ttl_max", KIND_DURATION, AT(core.task_ttl_max_ms), MINUTE_MS,
     DAYS(30), NULL},
    {"task", "wrap_ttl_max", KIND_DURATION, AT(core.wrap_ttl_max_ms), MINUTE_MS,
     DAYS(30), NULL},
    {"token", "renew_overlap", KIND_DURATION, AT(core.renew_overlap_ms), 0,
     MINUTE_MS, NULL},
    {"task", "tokens_max", KIND_NUMBER, AT(core.task_tokens_max), 1, 1000000,
     NULL},
    {"rotation", "run", KIND_FLAG, AT(core.rotation_by_broker), 0, 0, RUNNERS},
    {"redact", "marker", KIND_MARKER, AT(core.marker), 0, 0, NULL},
    {"log", "level", KIND_CHOICE, AT(log_level), 0, 0, LEVELS},
    {"http", "tcp_port", KIND_NUMBER, AT(tcp_port), 0, 65535, NULL},
#define HTTP_ROW(name, otherwise, min, max, what)                              \
    {"http", #name, KIND_NUMBER, AT(http.name), min, max, NULL},
    HTTP_LIMITS(HTTP_ROW)
#undef HTTP_ROW
        {"upstream", "ca_file", KIND_FILE, AT(ca_file), 0, 0, NULL},
#define UPSTREAM_ROW(name, otherwise, min, max, what)                          \
    {"upstream", #name, KIND_NUMBER, AT(upstream.name), min, max, NULL},
    UPSTREAM_LIMITS(UPSTREAM_ROW)
#undef UPSTREAM_ROW
#define FORWARD_ROW(name, otherwise, min, max, what)                           \
    {"forward", #name, KIND_NUMBER, AT(forward.name), min, max, NULL},
        FORWARD_LIMITS(FORWARD_ROW)
#undef FORWARD_ROW
};

void
settings_default(struct settings *ret)
{
    *ret = (struct settings){
        .core = {.idle_lock_ms = (int64_t)8 * HOUR_MS,
                 .session_ms = (int64_t)8 * HOUR_MS,
                 .proof_ms = (int64_t)5 * MINUTE_MS,
                 .task_ttl_ms = (int64_t)8 * HOUR_MS,
                 .task_ttl_max_ms = DAYS(7),
                 .wrap_ttl_max_ms = DAYS(7),
                 .task_tokens_max = 1000,
                 .marker = "[redacted:%s]"},
        .http = http_limits_default(),
        .upstream = upstream_limits_default(),
        .forward = forward_limits_default(),
        .log_level = LOG_INFO,
    };
}

static enum ag_err
set_number(const struct row *row, const char *value, void *at)
{
    uint64_t number = 0;
    int64_t ms = 0;
    enum ag_err err;

    if (row->kind == KIND_DURATION) {
        err = strcmp(value, "0") == 0 ? AG_OK
                                      : parse_duration_ms(span_str(value), &ms);
    } else {
        err = parse_u64(span_str(value), INT64_MAX, &number);
        ms = (int64_t)number;
    }
    if (err != AG_OK) {
        return err_why(AG_EINVAL, "not a %s",
                       row->kind == KIND_DURATION ? "duration such as 15m"
                                                  : "number");
    }
    if (ms < row->min || ms > row->max) {
        return err_why(AG_EINVAL, "must be between %lld and %lld%s",
                       (long long)row->min, (long long)row->max,
                       row->kind == KIND_DURATION ? " milliseconds" : "");
    }
    memcpy(at, &ms, sizeof(ms));
    return AG_OK;
}

static enum ag_err
set_choice(const struct row *row, const char *value, void *at)
{
    for (int i = 0; row->choices[i] != NULL; i++) {
        bool flag = i != 0;

        if (strcmp(row->choices[i], value) != 0) {
            continue;
        }
        if (row->kind == KIND_FLAG) {
            memcpy(at, &flag, sizeof(flag));
        } else {
            memcpy(at, &i, sizeof(i));
        }
        return AG_OK;
    }
    return err_why(AG_EINVAL, "must be %s, ... or %s", row->choices[0],
                   row->choices[1]);
}

/* It becomes part of what people read, and later of a format string's place:
 * at most one %, and that is %s. */
static enum ag_err
set_marker(const char *value, char *at)
{
    const char *percent = strchr(value, '%');
    size_t len = strlen(value);

    if (len == 0 || len >= MARKER_BYTES) {
        return err_why(AG_EINVAL, "must have 1 to 63 bytes");
    }
    if (!parse_is_text(span_str(value)) ||
        (percent != NULL &&
         (percent[1] != 's' || strchr(percent + 1, '%') != NULL))) {
        return err_why(AG_EINVAL, "must be text with at most one %%s");
    }
    memcpy(at, value, len + 1);
    return AG_OK;
}

static enum ag_err
set_file(const char *value, char *at)
{
    size_t len = strlen(value);

    if (len >= SETTINGS_FILE_BYTES || (len > 0 && value[0] != '/')) {
        return err_why(AG_EINVAL, "must be an absolute path");
    }
    memcpy(at, value, len + 1);
    return AG_OK;
}

static enum ag_err
set_row(const struct row *row, const char *value, struct settings *s)
{
    void *at = (uint8_t *)s + row->offset;

    switch (row->kind) {
    case KIND_DURATION:
    case KIND_NUMBER:
        return set_number(row, value, at);
    case KIND_CHOICE:
    case KIND_FLAG:
        return set_choice(row, value, at);
    case KIND_MARKER:
        return set_marker(value, at);
    case KIND_FILE:
        return set_file(value, at);
    }
    return AG_EINTERNAL;
}

/* inih goes on after a failure, so the first sentence is kept here. */
struct reading {
    struct settings *settings;
    enum ag_err err;
    char why[160];
};

static int
on_value(void *user, const char *section, const char *name, const char *value)
{
    struct reading *r = user;

    if (r->err != AG_OK) {
        return 0;
    }
    for (size_t i = 0; i < AG_COUNT(ROWS); i++) {
        const struct row *row = &ROWS[i];

        if (strcmp(row->section, section) == 0 && strcmp(row->key, name) == 0) {
            r->err = set_row(row, value, r->settings);
            if (r->err != AG_OK) {
                (void)snprintf(r->why, sizeof(r->why), "[%s] %s: %s",
                               row->section, row->key, err_text(r->err));
            }
            return r->err == AG_OK ? 1 : 0;
        }
    }
    r->err = AG_EINVAL;
    (void)snprintf(r->why, sizeof(r->why), "[%.30s] %.60s: no such setting",
                   section, name);
    return 0;
}

static enum ag_err
check_together(const struct settings *s)
{
    if (s->core.task_ttl_ms > s->core.task_ttl_max_ms) {
        return err_why(AG_EINVAL, "[task] ttl: is above ttl_max");
    }
    if (s->http.admin_spare >= s->http.connections) {
        return err_why(AG_EINVAL,
                       "[http] admin_spare: must be below connections");
    }
    return AG_OK;
}

enum ag_err
settings_parse(struct span text, struct settings *ret)
{
    AG_AUTO(buf) struct buf copy;
    struct settings wanted = *ret;
    struct reading r = {.settings = &wanted, .err = AG_OK};
    enum ag_err err;
    int line;

    buf_init(&copy, FILE_MAX_BYTES, BUF_PLAIN);
    err = buf_add(&copy, text);
    if (err != AG_OK) {
        return err_why(err, "settings.ini is longer than %d bytes",
                       FILE_MAX_BYTES);
    }
    if (memchr(copy.ptr, '\0', copy.len) != NULL) {
        return err_why(AG_EINVAL, "settings.ini holds a NUL byte");
    }
    line = ini_parse_string(buf_cstr(&copy), on_value, &r);
    if (r.err != AG_OK) {
        return err_why(r.err, "settings.ini, line %d: %s", line, r.why);
    }
    if (line != 0) {
        return err_why(AG_EINVAL, "settings.ini, line %d: not understood",
                       line);
    }
    err = check_together(&wanted);
    if (err == AG_OK) {
        *ret = wanted;
    }
    return err;
}

/* Settings decide how long a session lasts: nobody else may write them, nor
 * exchange or remove their file. */
static enum ag_err
check_dir(int dir_fd, const char *path)
{
    struct stat st;
    bool is_open = false;

    if (fstat(dir_fd, &st) != 0) {
        return err_from_errno(errno);
    }
    is_open =
        (st.st_mode & (S_IWGRP | S_IWOTH)) != 0 && (st.st_mode & S_ISVTX) == 0;
    if (is_open || (st.st_uid != geteuid() && st.st_uid != 0)) {
        return err_why(AG_EMODE,
                       "others can exchange settings.ini in %s (mode %04o); "
                       "it must be yours; run: chmod go-w %s",
                       path, (unsigned)(st.st_mode & 07777), path);
    }
    return AG_OK;
}

static enum ag_err
check_mode(int dir_fd)
{
    struct stat st;

    if (fstatat(dir_fd, "settings.ini", &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return err_from_errno(errno);
    }
    if (!S_ISREG(st.st_mode) || (st.st_uid != geteuid() && st.st_uid != 0) ||
        (st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return err_why(AG_EMODE, "settings.ini: must be a plain file that "
                                 "nobody else can write");
    }
    return AG_OK;
}

enum ag_err
settings_load(const struct paths *paths, struct settings *ret)
{
    AG_AUTO(fd) int dir_fd = -1;
    AG_AUTO(buf) struct buf text;
    enum ag_err err;

    buf_init(&text, FILE_MAX_BYTES, BUF_PLAIN);
    settings_default(ret);
    dir_fd = open(paths->config, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0) {
        return errno == ENOENT ? AG_OK : err_from_errno(errno);
    }
    err = check_dir(dir_fd, paths->config);
    if (err != AG_OK) {
        return err;
    }
    err = check_mode(dir_fd);
    if (err == AG_ENOTFOUND) {
        return AG_OK;
    }
    if (err == AG_OK) {
        err = fs_read(dir_fd, "settings.ini", FILE_MAX_BYTES, &text);
    }
    return err == AG_OK ? settings_parse(buf_view(&text), ret) : err;
}
