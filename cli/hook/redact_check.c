#include "hook/redact_check.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fdx.h"
#include "cli.h"

enum {
    WORDS_MAX_BYTES = 1024, /* of one find: a name and a form */
};

struct checking {
    struct cli *cli;
    struct search *search;
    struct format_wish format;
    json_t *findings;
    uint64_t count;
};

static enum ag_err
tell(struct checking *c, const char *file, const struct place *p)
{
    AG_AUTO(buf) struct buf words;
    json_t *row;
    enum ag_err err;

    buf_init(&words, WORDS_MAX_BYTES, BUF_PLAIN);
    if (c->cli->out.json) {
        row = json_pack("{s:s, s:I, s:I, s:I, s:s, s:s}", "file", file, "line",
                        (json_int_t)p->line, "column", (json_int_t)p->column,
                        "offset", (json_int_t)p->offset, "name", p->name,
                        "form", p->form);
        if (row == NULL) {
            return err_why(AG_EINVAL, "the name of a file is not UTF-8 text");
        }
        return json_array_append_new(c->findings, row) == 0 ? AG_OK : AG_ENOMEM;
    }
    err = place_words(p, &words);
    if (err == AG_OK) {
        out_say(&c->cli->out, "%s:%llu:%llu: %s", file,
                (unsigned long long)p->line, (unsigned long long)p->column,
                buf_cstr(&words));
    }
    return err;
}

static enum ag_err
check_text(struct checking *c, const char *name, int fd)
{
    AG_AUTO(places) struct places places = {.count = 0};
    AG_AUTO(fd) int text = -1;
    enum ag_err err = search_spool(fd, &text);

    if (err == AG_OK) {
        err = search_text(c->search, text, format_wish_of(&c->format, name),
                          &places);
    }
    for (size_t i = 0; err == AG_OK && i < places.count; i++) {
        err = tell(c, name, &places.items[i]);
    }
    if (err == AG_OK && places.more > 0) {
        out_say(&c->cli->out, "%s: and %llu more", name,
                (unsigned long long)places.more);
    }
    c->count += places.count + places.more;
    return err;
}

static enum ag_err
check_file(struct checking *c, const char *name)
{
    AG_AUTO(fd) int fd = -1;
    struct stat st;

    if (strcmp(name, "-") == 0) {
        return check_text(c, name, STDIN_FILENO);
    }
    fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return err_why(err_from_errno(errno), "%s: %s", name,
                       strerrordesc_np(errno));
    }
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        return err_why(AG_EINVAL, "%s is a directory; name the files in it",
                       name);
    }
    return check_text(c, name, fd);
}

static enum ag_err
print(const struct checking *c)
{
    json_auto_t *answer = NULL;

    if (!c->cli->out.json) {
        return AG_OK;
    }
    answer = json_pack("{s:O, s:I}", "findings", c->findings, "count",
                       (json_int_t)c->count);
    return answer == NULL ? AG_ENOMEM : out_json(&c->cli->out, answer);
}

enum ag_err
redact_check(struct cli *cli, const struct search_terms *terms,
             const struct format_wish *format, const struct args *args)
{
    AG_AUTO(search) struct search *search = NULL;
    json_auto_t *findings = json_array();
    struct checking c = {.cli = cli, .findings = findings, .format = *format};
    enum ag_err err = search_open(cli, terms, &search);

    c.search = search;
    if (err == AG_OK && args->count == 0) {
        err = check_file(&c, "-");
    }
    for (size_t i = 0; err == AG_OK && i < args->count; i++) {
        err = check_file(&c, args->words[i]);
    }
    if (err == AG_OK) {
        err = print(&c);
    }
    return err == AG_OK && c.count > 0 ? AG_EFOUND : err;
}
