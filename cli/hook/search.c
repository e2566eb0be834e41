#include "hook/search.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fdx.h"
#include "base/parse.h"
#include "cli.h"
#include "printset.h"
#include "session.h"

enum {
    READ_BYTES = 64 * 1024,
    TICKET_BYTES = 160,
};

struct search {
    struct cli *cli;
    enum rule_level_word rules;
    struct session *session;   /* NULL: values are not looked for */
    struct rule_stage *stage;  /* rules in this process, or NULL */
    char ticket[TICKET_BYTES]; /* of the next stream, or "" */
    char *without;
};

static const char RULE_PREFIX[] = "rule:";

void
search_free(struct search *s)
{
    if (s != NULL) {
        session_close(s->session);
        rule_stage_free(s->stage);
        free(s->without);
        free(s);
    }
}

const char *
search_without(const struct search *s)
{
    return s->without;
}

bool
search_knows(const struct search *s)
{
    return s->session != NULL;
}

/* ---- the broker ---- */

static enum ag_err
take_ticket(struct search *s)
{
    json_auto_t *body = json_pack("{s:i}", "count", 1);
    json_auto_t *answer = NULL;
    enum ag_err err = cli_call(s->cli, "POST", "/v1/streams", body, &answer);
    const char *ticket = json_string_value(
        json_array_get(json_object_get(answer, "streams"), 0));

    if (err == AG_OK && (ticket == NULL || strlen(ticket) >= TICKET_BYTES)) {
        err = err_why(AG_ECORRUPT, "the broker gave no ticket for the stream");
    }
    if (err == AG_OK) {
        (void)stpcpy(s->ticket, ticket);
    }
    return err;
}

/* Both connections first: while the broker establishes who makes the second,
 * the first is answered. */
static enum ag_err
open_broker(struct search *s)
{
    enum ag_err err = cli_connect(s->cli);

    if (err == AG_OK) {
        err = session_open(s->cli->paths.fd_sock, &s->session);
        if (err == AG_ENOBROKER) {
            err = err_why(AG_EUNSUPPORTED,
                          "values of the vault can't be looked for from inside "
                          "an isolated task");
        }
    }
    return err == AG_OK ? take_ticket(s) : err;
}

/* The broker can't be asked: is that all right? */
static enum ag_err
do_without(struct search *s, enum search_known known, enum ag_err err)
{
    if (known == SEARCH_KNOWN_MUST) {
        return err;
    }
    if (!(err == AG_ENOBROKER && cli_vault_absent(s->cli))) {
        s->without = strdup(err_text(err));
    }
    session_close(s->session);
    s->session = NULL;
    err_clear();
    return AG_OK;
}

/* What is looked for in this process. */
static enum ag_err
open_stage(struct search *s, const struct search_terms *terms)
{
    struct prints *set = NULL;
    enum ag_err err = rule_stage_new(
        &s->cli->paths, s->session == NULL ? s->rules : RULE_WORD_NONE,
        terms->files, &s->stage);

    if (err == AG_OK && terms->set != NULL) {
        err = printset_read(terms->set, &set);
    }
    if (err == AG_OK && set != NULL) {
        rule_stage_use(s->stage, set);
    }
    return err;
}

enum ag_err
search_open(struct cli *cli, const struct search_terms *terms,
            struct search **ret)
{
    AG_AUTO(search) struct search *s = calloc(1, sizeof(*s));
    enum ag_err err = AG_OK;

    if (s == NULL) {
        return AG_ENOMEM;
    }
    s->cli = cli;
    s->rules = terms->rules;
    cli_harden_bare(cli); /* text passes through this process */
    if (terms->known != SEARCH_KNOWN_NOT) {
        err = open_broker(s);
        if (err != AG_OK) {
            err = do_without(s, terms->known, err);
        }
    }
    if (err == AG_OK &&
        (s->session == NULL || terms->files->count > 0 || terms->set != NULL)) {
        err = open_stage(s, terms);
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(s);
    }
    return err;
}

/* ---- places ---- */

void
places_done(struct places *p)
{
    free(p->items);
    *p = (struct places){.items = NULL};
}

static enum ag_err
add_place(struct places *p, uint64_t offset, struct span form, struct span name)
{
    struct place *place;

    if (p->count == SEARCH_PLACES_MAX_COUNT) {
        p->more++;
        return AG_OK;
    }
    if (p->count == p->cap) {
        size_t cap = p->cap == 0 ? 8 : p->cap * 2;
        struct place *items = reallocarray(p->items, cap, sizeof(*items));

        if (items == NULL) {
            return AG_ENOMEM;
        }
        p->items = items;
        p->cap = cap;
    }
    place = &p->items[p->count++];
    *place = (struct place){.offset = offset};
    (void)snprintf(place->name, sizeof(place->name), "%.*s", (int)name.len,
                   (const char *)name.ptr);
    (void)snprintf(place->form, sizeof(place->form), "%.*s", (int)form.len,
                   (const char *)form.ptr);
    return AG_OK;
}

bool
place_is_rule(const struct place *p)
{
    return strncmp(p->name, RULE_PREFIX, sizeof(RULE_PREFIX) - 1) == 0;
}

enum ag_err
place_words(const struct place *p, struct buf *out)
{
    if (place_is_rule(p)) {
        return buf_fmt(out, "looks like a secret (rule %s)",
                       p->name + sizeof(RULE_PREFIX) - 1);
    }
    return buf_fmt(out, "holds %s%s%s%s",
                   strcmp(p->name, "-") == 0 ? "a value of the vault"
                                             : "the value of ",
                   strcmp(p->name, "-") == 0 ? "" : p->name,
                   strcmp(p->form, "raw") == 0 ? "" : ", as ",
                   strcmp(p->form, "raw") == 0 ? "" : p->form);
}

/* In the order of the text; of those at one place a value first. */
static int
compare_places(const void *left, const void *right)
{
    const struct place *a = left;
    const struct place *b = right;

    if (a->offset != b->offset) {
        return a->offset < b->offset ? -1 : 1;
    }
    if (place_is_rule(a) != place_is_rule(b)) {
        return (int)place_is_rule(a) - (int)place_is_rule(b);
    }
    return strcmp(a->name, b->name);
}

/* Is `b` told by `a`, of the same place? In a record other finds are elsewhere
 * in it. */
static bool
is_told(const struct place *a, const struct place *b, enum format format)
{
    return a->offset == b->offset &&
           (format == STREAM_TEXT || strcmp(a->name, b->name) == 0);
}

static void
sort_places(struct places *p, enum format format)
{
    size_t kept = 0;

    if (p->count == 0) {
        return;
    }
    qsort(p->items, p->count, sizeof(*p->items), compare_places);
    for (size_t i = 0; i < p->count; i++) {
        if (kept > 0 && is_told(&p->items[kept - 1], &p->items[i], format)) {
            continue;
        }
        p->items[kept++] = p->items[i];
    }
    p->count = kept;
}

/* Counts lines as far as the last place. */
static enum ag_err
locate(int fd, struct places *p)
{
    uint8_t *block = malloc(READ_BYTES);
    uint64_t offset = 0;
    uint64_t line = 1;
    uint64_t line_start = 0;
    size_t next = 0;
    ssize_t n = 1;

    while (block != NULL && next < p->count && n > 0) {
        n = read(fd, block, READ_BYTES);
        for (ssize_t i = 0; i < n; i++, offset++) {
            while (next < p->count && p->items[next].offset == offset) {
                p->items[next].line = line;
                p->items[next].column = offset - line_start + 1;
                next++;
            }
            if (block[i] == '\n') {
                line++;
                line_start = offset + 1;
            }
        }
    }
    if (block != NULL) {
        explicit_bzero(block, READ_BYTES);
    }
    free(block);
    return block == NULL      ? AG_ENOMEM
           : next == p->count ? AG_OK
                              : err_why(AG_EIO, "the text changed while it "
                                                "was searched");
}

/* ---- one text ---- */

/* "OFFSET FORM NAME", as privsep/filter_copy.h has it. */
static enum ag_err
take_line(struct span line, struct places *ret)
{
    size_t offset_len = span_find(line, ' ');
    struct span rest = span_sub(line, offset_len + 1, line.len);
    size_t form_len = span_find(rest, ' ');
    struct span name = span_sub(rest, form_len + 1, rest.len);
    uint64_t offset = 0;

    if (form_len == 0 || name.len == 0 ||
        parse_u64(span_sub(line, 0, offset_len), INT64_MAX, &offset) != AG_OK) {
        return err_why(AG_ECORRUPT, "the filter told no place");
    }
    return add_place(ret, offset, span_sub(rest, 0, form_len), name);
}

static enum ag_err
read_places(int fd, struct places *ret)
{
    FILE *in = fdopen(fd, "re");
    char *line = NULL;
    size_t cap = 0;
    enum ag_err err = AG_OK;

    if (in == NULL) {
        fd_close(fd);
        return AG_ENOMEM;
    }
    while (err == AG_OK && getline(&line, &cap, in) > 0) {
        err = take_line(span_of(line, strcspn(line, "\n")), ret);
    }
    free(line);
    (void)fclose(in);
    return err;
}

static enum ag_err
end_of_stream(struct search *s)
{
    json_t *report = NULL;
    const char *code = NULL;
    enum ag_err err = session_stream_event(s->session, &report);

    code = json_string_value(json_object_get(report, "code"));
    if (err == AG_OK && code != NULL) {
        err = err_why(err_from_code(code),
                      "the filter did not read the text to its end");
    }
    json_decref(report);
    return err;
}

static enum ag_err
find_known(struct search *s, int fd, enum format format, struct places *ret)
{
    struct session_stream stream = {.src_fd = fd,
                                    .rules = rule_word_text(s->rules),
                                    .format = format_name(format),
                                    .places = true};
    json_t *answer = NULL;
    int pair[2];
    enum ag_err err = s->ticket[0] == '\0' ? take_ticket(s) : AG_OK;

    if (err != AG_OK) {
        return err;
    }
    if (pipe2(pair, O_CLOEXEC) != 0) {
        return err_from_errno(errno);
    }
    stream.dst_fd = pair[1];
    err = session_send_stream(s->session, s->ticket, &stream);
    s->ticket[0] = '\0';
    if (err == AG_OK) {
        err = session_answer(s->session, &answer);
        json_decref(answer);
    }
    fd_close(pair[1]);
    if (err != AG_OK) {
        fd_close(pair[0]);
        return err;
    }
    err = read_places(pair[0], ret);
    return err == AG_OK ? end_of_stream(s) : err;
}

static enum ag_err
found_here(void *ctx, uint64_t offset, struct span form, struct span name)
{
    return add_place(ctx, offset, form, name);
}

enum ag_err
search_text(struct search *s, int fd, enum format format, struct places *ret)
{
    off_t start = lseek(fd, 0, SEEK_CUR);
    enum ag_err err = start < 0 ? err_from_errno(errno) : AG_OK;

    if (err == AG_OK && s->session != NULL) {
        err = find_known(s, fd, format, ret);
    }
    if (err == AG_OK && s->stage != NULL) {
        err = lseek(fd, start, SEEK_SET) < 0
                  ? err_from_errno(errno)
                  : rule_stage_find(s->stage, format, fd, found_here, ret);
    }
    if (err == AG_OK && ret->count > 0) {
        sort_places(ret, format);
        err = lseek(fd, start, SEEK_SET) < 0 ? err_from_errno(errno)
                                             : locate(fd, ret);
    }
    return err;
}

/* ---- texts that can be read once ---- */

static enum ag_err
spool(int from, int to)
{
    uint8_t *block = malloc(READ_BYTES);
    uint64_t total = 0;
    ssize_t n = 1;
    enum ag_err err = block == NULL ? AG_ENOMEM : AG_OK;

    while (err == AG_OK && n != 0) {
        n = read(from, block, READ_BYTES);
        if (n < 0) {
            err = errno == EINTR ? AG_OK : err_from_errno(errno);
            continue;
        }
        total += (uint64_t)n;
        err = total > SEARCH_SPOOL_MAX_BYTES
                  ? err_why(AG_ELIMIT,
                            "more than %d MiB from a pipe; name a file",
                            SEARCH_SPOOL_MAX_BYTES / 1024 / 1024)
                  : fd_write_all(to, span_of(block, (size_t)n));
    }
    if (block != NULL) {
        explicit_bzero(block, READ_BYTES);
    }
    free(block);
    return err;
}

enum ag_err
search_spool(int fd, int *ret)
{
    AG_AUTO(fd) int held = -1;
    struct stat st;
    enum ag_err err;

    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        held = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (held < 0) {
            return err_from_errno(errno);
        }
        *ret = FD_TAKE(held);
        return AG_OK;
    }
    held = memfd_create("text", MFD_CLOEXEC);
    if (held < 0) {
        return err_from_errno(errno);
    }
    err = spool(fd, held);
    if (err == AG_OK && lseek(held, 0, SEEK_SET) < 0) {
        err = err_from_errno(errno);
    }
    if (err == AG_OK) {
        *ret = FD_TAKE(held);
    }
    return err;
}
