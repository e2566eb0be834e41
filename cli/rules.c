#include "rules.h"

#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <spawn.h>

#include "base/buf.h"
#include "base/fdx.h"
#include "redact/lockmem.h"
#include "redact/prints_filter.h"
#include "redact/rule_filter.h"
#include "redact/rule_pack.h"
#include "redact/rule_set.h"
#include "redact/variants.h"

enum {
    READ_BYTES = 64 * 1024, /* what a pipe holds */
    SENTENCE_BYTES = 1024,
};

static const struct {
    const char *text;
    enum rule_level_word word;
} WORDS[] = {
    {"known", RULE_WORD_KNOWN},
    {"default", RULE_WORD_DEFAULT},
    {"all", RULE_WORD_ALL},
    {"none", RULE_WORD_NONE},
};

enum ag_err
rule_word_parse(const char *text, enum rule_level_word *ret)
{
    if (text == NULL) {
        *ret = RULE_WORD_UNSAID;
        return AG_OK;
    }
    for (size_t i = 0; i < AG_COUNT(WORDS); i++) {
        if (strcmp(text, WORDS[i].text) == 0) {
            *ret = WORDS[i].word;
            return AG_OK;
        }
    }
    return err_why(AG_EUSAGE, "--rules is known, default, all or none, not %s",
                   text);
}

const char *
rule_word_text(enum rule_level_word word)
{
    return word == RULE_WORD_DEFAULT ? "default"
           : word == RULE_WORD_ALL   ? "all"
                                     : NULL;
}

/* ---- files of rules ---- */

/* auth-guard-rules beside this program. */
static enum ag_err
find_compiler(char out[PATH_BYTES])
{
    char exe[PATH_BYTES];
    ssize_t len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    char *slash;
    int n = -1;

    if (len > 0) {
        exe[len] = '\0';
        slash = strrchr(exe, '/');
        n = slash == NULL ? -1
                          : snprintf(out, PATH_BYTES, "%.*s/auth-guard-rules",
                                     (int)(slash - exe), exe);
    }
    if (n < 0 || n >= PATH_BYTES || access(out, X_OK) != 0) {
        return err_why(AG_EUNSUPPORTED,
                       "auth-guard-rules, which compiles files "
                       "of rules, is not beside this program");
    }
    return AG_OK;
}

static enum ag_err
read_all(int fd, struct buf *out)
{
    ssize_t n = 1;

    while (n != 0) {
        uint8_t *room = NULL;
        enum ag_err err = buf_room(out, READ_BYTES, &room);

        if (err != AG_OK) {
            return err;
        }
        n = read(fd, room, READ_BYTES);
        if (n < 0 && errno != EINTR) {
            return err_from_errno(errno);
        }
        buf_grew(out, n > 0 ? (size_t)n : 0);
    }
    return AG_OK;
}

/* Its output; what it says is on our stderr, so that there is nothing to add. */
static enum ag_err
spawn_compiler(const struct arg_list *files, int out_fd, pid_t *ret)
{
    char path[PATH_BYTES];
    char *argv[ARG_LIST_MAX_COUNT + 3];
    posix_spawn_file_actions_t actions;
    size_t n = 0;
    int failed;
    enum ag_err err = find_compiler(path);

    if (err != AG_OK) {
        return err;
    }
    argv[n++] = path;
    argv[n++] = (char[]){"pack"};
    for (size_t i = 0; i < files->count; i++) {
        memcpy(&argv[n++], &files->items[i], sizeof(argv[0]));
    }
    argv[n] = NULL;
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO);
    failed = posix_spawn(ret, path, &actions, NULL, argv, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    return failed == 0 ? AG_OK : err_from_errno(failed);
}

static enum ag_err
compile(const struct arg_list *files, struct buf *out)
{
    AG_AUTO(fd) int in = -1;
    int pair[2];
    int status = 0;
    pid_t pid = 0;
    enum ag_err err;

    if (pipe2(pair, O_CLOEXEC) != 0) {
        return err_from_errno(errno);
    }
    in = pair[0];
    err = spawn_compiler(files, pair[1], &pid);
    fd_close(pair[1]);
    if (err != AG_OK) {
        return err;
    }
    err = read_all(in, out);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (err == AG_OK && (!WIFEXITED(status) || WEXITSTATUS(status) != 0)) {
        err = err_why(AG_EINVAL, "the file of rules is not right");
    }
    return err;
}

/* ---- the stage ---- */

struct rule_stage {
    struct rule_set *set;  /* NULL: no rules */
    struct prints *prints; /* NULL: no set of fingerprints */
    struct lockmem input;
    struct prints_filter *by_prints; /* NULL: none */
    struct rule_filter *filter;      /* behind it; NULL: none */
    struct format_filter *format;    /* in the stead of both; NULL: text */
    struct sink first;               /* where text goes in */
    int dst_fd;
    uint64_t bytes_in;
    uint64_t bytes_out;
    uint64_t hits;
    json_t *counts;
    struct buf out;
};

void
rule_stage_free(struct rule_stage *s)
{
    if (s == NULL) {
        return;
    }
    prints_filter_free(s->by_prints);
    prints_free(s->prints);
    rule_filter_free(s->filter);
    format_free(s->format);
    rule_set_free(s->set);
    lockmem_done(&s->input);
    buf_done(&s->out);
    json_decref(s->counts);
    free(s);
}

enum ag_err
rule_stage_new(const struct paths *paths, enum rule_level_word word,
               const struct arg_list *files, struct rule_stage **ret)
{
    AG_AUTO(rule_stage) struct rule_stage *s = calloc(1, sizeof(*s));
    AG_AUTO(buf) struct buf own = {0};
    struct rule_source source = {.dir = paths->rules, .flags = RULE_SET_LAZY};
    struct span pack;
    enum ag_err err = s == NULL ? AG_ENOMEM : AG_OK;

    if (err != AG_OK) {
        return err;
    }
    buf_init(&s->out, (size_t)4 * READ_BYTES, BUF_WIPE);
    buf_init(&own, RULE_PACK_MAX_BYTES, BUF_PLAIN);
    source.level = word == RULE_WORD_ALL       ? RULES_ALL
                   : word == RULE_WORD_DEFAULT ? RULES_DEFAULT
                                               : RULES_NONE;
    if (files->count > 0) {
        err = compile(files, &own);
        pack = buf_view(&own);
        source.own = &pack;
    }
    if (err == AG_OK && (source.level != RULES_NONE || source.own != NULL)) {
        err = rule_set_load(&source, &s->set);
    }
    if (err == AG_OK) {
        err = lockmem_init(READ_BYTES, &s->input);
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(s);
    }
    return err;
}

void
rule_stage_use(struct rule_stage *s, struct prints *set)
{
    prints_free(s->prints);
    s->prints = set;
}

static void
count_hit(void *ctx, const struct redactor_hit *hit)
{
    struct rule_stage *s = ctx;
    char name[MATCHER_NAME_MAX_BYTES + 1]; /* a rule's is shorter */

    (void)snprintf(name, sizeof(name), "%.*s", (int)hit->name.len,
                   (const char *)hit->name.ptr);
    s->hits++;
    (void)json_object_set_new(
        s->counts, name,
        json_integer(json_integer_value(json_object_get(s->counts, name)) + 1));
}

static enum ag_err
gather(void *ctx, struct span part)
{
    struct rule_stage *s = ctx;

    return buf_add(&s->out, part);
}

static enum ag_err
write_out(struct rule_stage *s)
{
    struct span out = buf_view(&s->out);
    enum ag_err err = fd_write_all(s->dst_fd, out);

    s->bytes_out += out.len;
    buf_clear(&s->out);
    return err;
}

/* `len` bytes of text; 0: the end. */
static enum ag_err
pass_on(struct rule_stage *s, size_t len)
{
    struct span part = span_of(s->input.ptr, len);
    enum ag_err err;

    if (s->format != NULL) {
        err =
            len == 0 ? format_finish(s->format) : format_feed(s->format, part);
    } else {
        err = len == 0 ? sink_finish(&s->first) : sink_feed(&s->first, part);
    }
    if (err == AG_OK && len > 0 && s->format != NULL) {
        err = format_settle(s->format);
    } else if (err == AG_OK && len > 0 && s->filter != NULL) {
        err = rule_filter_settle(s->filter);
    }
    return err == AG_OK ? write_out(s) : err;
}

static bool
is_holding(const struct rule_stage *s)
{
    return s->format != NULL
               ? format_is_holding(s->format)
               : s->filter != NULL && rule_filter_is_holding(s->filter);
}

static enum ag_err
let_out(struct rule_stage *s)
{
    enum ag_err err = s->format != NULL ? format_idle(s->format)
                                        : rule_filter_idle(s->filter);

    return err == AG_OK ? write_out(s) : err;
}

/* One step: text, a pause, or the end. *ret_ended: it was the end. */
static enum ag_err
step(struct rule_stage *s, int src_fd, bool *ret_ended)
{
    bool holds = is_holding(s);
    struct pollfd p = {.fd = src_fd, .events = POLLIN};
    int ready = poll(&p, 1, holds ? REDACTOR_IDLE_MS : -1);
    ssize_t n;

    if (ready < 0 && errno != EINTR) {
        return err_from_errno(errno);
    }
    if (ready <= 0) {
        return holds && ready == 0 ? let_out(s) : AG_OK;
    }
    n = read(src_fd, s->input.ptr, READ_BYTES);
    if (n < 0) {
        return errno == EINTR || errno == EAGAIN ? AG_OK
                                                 : err_from_errno(errno);
    }
    *ret_ended = n == 0;
    s->bytes_in += (uint64_t)n;
    return pass_on(s, (size_t)n);
}

/* What text passes on its way to `next`; `beside`: rules and fingerprints see
 * the text each by itself, unless a format has both. */
static enum ag_err
set_up(struct rule_stage *s, enum format format,
       const struct redactor_options *options, struct sink next, bool beside)
{
    const struct rule_filter_terms terms = {
        .set = s->set, .level = RULES_ALL, .options = *options};
    const struct scrub_terms scrub = {
        .options = *options, .rules = terms, .prints = s->prints};
    enum ag_err err = AG_OK;

    if (format != STREAM_TEXT) {
        return format_new(format, &scrub, &next, &s->format);
    }
    if (s->set != NULL) {
        err = rule_filter_new(&terms, &next, &s->filter);
    }
    if (err == AG_OK && s->filter != NULL && !beside) {
        next = rule_filter_sink(s->filter);
    }
    if (err == AG_OK && s->prints != NULL) {
        err = prints_filter_new(s->prints, options, &next, &s->by_prints);
    }
    s->first = s->by_prints != NULL ? prints_filter_sink(s->by_prints) : next;
    return err;
}

/* Of one text. */
static void
drop_filters(struct rule_stage *s)
{
    prints_filter_free(AG_TAKE(s->by_prints));
    rule_filter_free(AG_TAKE(s->filter));
    format_free(AG_TAKE(s->format));
}

enum ag_err
rule_stage_copy(struct rule_stage *s, enum format format, int src_fd,
                int dst_fd, json_t **ret_report)
{
    const struct redactor_options options = {.hit_ctx = s, .on_hit = count_hit};
    const struct sink next = {.ctx = s, .feed = gather};
    bool ended = false;
    enum ag_err err = set_up(s, format, &options, next, false);

    s->dst_fd = dst_fd;
    s->bytes_in = 0;
    s->bytes_out = 0;
    s->hits = 0;
    s->counts = json_object();
    while (err == AG_OK && !ended) {
        err = step(s, src_fd, &ended);
    }
    drop_filters(s);
    if (err == AG_OK) {
        *ret_report =
            json_pack("{s:I,s:I,s:I,s:O}", "hits", (json_int_t)s->hits,
                      "bytes_in", (json_int_t)s->bytes_in, "bytes_out",
                      (json_int_t)s->bytes_out, "counts", s->counts);
        err = *ret_report == NULL ? AG_ENOMEM : AG_OK;
    }
    json_decref(s->counts);
    s->counts = NULL;
    return err;
}

/* ---- only looking ---- */

struct finding_run {
    rule_found_fn *found;
    void *ctx;
    enum ag_err err; /* the first of `found` */
};

static void
tell_hit(void *ctx, const struct redactor_hit *hit)
{
    struct finding_run *f = ctx;

    if (f->err == AG_OK) {
        f->err = f->found(f->ctx, hit->offset,
                          span_str(variant_name(hit->form)), hit->name);
    }
}

static enum ag_err
drop(void *ctx, struct span part)
{
    (void)ctx;
    (void)part;
    return AG_OK;
}

/* One part of the text to both, each as if alone. */
static enum ag_err
find_in_part(struct rule_stage *s, int src_fd, bool *ret_ended)
{
    ssize_t n = read(src_fd, s->input.ptr, READ_BYTES);
    struct span part;
    enum ag_err err = AG_OK;

    if (n < 0) {
        return errno == EINTR ? AG_OK : err_from_errno(errno);
    }
    *ret_ended = n == 0;
    part = span_of(s->input.ptr, (size_t)n);
    if (s->format != NULL) {
        err = n == 0 ? format_finish(s->format) : format_feed(s->format, part);
        return err == AG_OK && n > 0 ? format_settle(s->format) : err;
    }
    if (s->by_prints != NULL) {
        err = n == 0 ? prints_filter_finish(s->by_prints)
                     : prints_filter_feed(s->by_prints, part);
    }
    if (err != AG_OK || s->filter == NULL) {
        return err;
    }
    err = n == 0 ? rule_filter_finish(s->filter)
                 : rule_filter_feed(s->filter, part);
    return err == AG_OK && n > 0 ? rule_filter_settle(s->filter) : err;
}

enum ag_err
rule_stage_find(struct rule_stage *s, enum format format, int src_fd,
                rule_found_fn *found, void *ctx)
{
    struct finding_run run = {.found = found, .ctx = ctx};
    const struct redactor_options options = {.hit_ctx = &run,
                                             .on_hit = tell_hit};
    const struct sink next = {.feed = drop};
    bool ended = false;
    enum ag_err err = set_up(s, format, &options, next, true);

    while (err == AG_OK && !ended) {
        err = find_in_part(s, src_fd, &ended);
        if (err == AG_OK) {
            err = run.err;
        }
    }
    drop_filters(s);
    return err;
}
