#include "args.h"

#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "base/span.h"
#include "cli.h"
#include "complete.h"

enum {
    HELP_COLUMN = 26, /* where the words of an option begin */
};

static const struct arg_opt *
find(const struct arg_spec *spec, struct span name)
{
    for (size_t i = 0; i < spec->opt_count; i++) {
        const struct arg_opt *opt = &spec->opts[i];

        if (opt->kind != ARG_HEADING && span_is(name, opt->name)) {
            return opt;
        }
    }
    return NULL;
}

static void
print_option(const char *name, const char *value, const char *help)
{
    char left[128];
    int n = snprintf(left, sizeof(left), "  --%s%s%s", name,
                     value == NULL || value[0] == '[' ? "" : " ",
                     value == NULL ? "" : value);
    bool wide = n < 0 || n + 2 > HELP_COLUMN;
    const char *p = help;

    printf("%-*s", wide ? 0 : HELP_COLUMN, left);
    if (wide) {
        printf("\n%*s", HELP_COLUMN, "");
    }
    for (; *p != '\0'; p++) {
        putchar(*p);
        if (*p == '\n') {
            printf("%*s", HELP_COLUMN, "");
        }
    }
    putchar('\n');
}

static void
print_help(const struct arg_spec *spec)
{
    printf("usage: auth-guard %s\n\n%s\n\noptions:\n", spec->usage,
           spec->about);
    for (size_t i = 0; i < spec->opt_count; i++) {
        const struct arg_opt *opt = &spec->opts[i];

        if (opt->kind == ARG_HEADING) {
            printf("%s\n", opt->help);
        } else {
            print_option(opt->name, opt->value, opt->help);
        }
    }
    print_option("json", NULL, "machine-readable answers and errors");
    print_option("quiet", NULL, "no words on stderr but errors");
    print_option("help", NULL, "this text");
}

/* An option that was given is marked by its destination: flags and texts are
 * checked there, numbers in `seen`, one bit for each row. */
struct parser {
    struct cli *cli;
    const struct arg_spec *spec;
    uint64_t seen;
    struct args *ret;
};

static enum ag_err
store(struct parser *p, const struct arg_opt *opt, char *value)
{
    uint64_t bit = 1ULL << (size_t)(opt - p->spec->opts);
    struct arg_list *list = opt->dest;
    uint64_t number = 0;
    int64_t ms = 0;

    if (opt->kind != ARG_LIST && (p->seen & bit) != 0) {
        return err_why(AG_EUSAGE, "--%s was given twice", opt->name);
    }
    p->seen |= bit;
    switch (opt->kind) {
    case ARG_FLAG:
        *(bool *)opt->dest = true;
        return AG_OK;
    case ARG_TEXT:
        *(const char **)opt->dest = value;
        return AG_OK;
    case ARG_MAYBE:
        *(const char **)opt->dest = value == NULL ? "" : value;
        return AG_OK;
    case ARG_COUNT:
        if (parse_u64(span_str(value), INT64_MAX, &number) != AG_OK) {
            return err_why(AG_EUSAGE, "--%s needs a number, not '%s'",
                           opt->name, value);
        }
        *(int64_t *)opt->dest = (int64_t)number;
        return AG_OK;
    case ARG_DURATION:
        if (parse_duration_ms(span_str(value), &ms) != AG_OK) {
            return err_why(AG_EUSAGE,
                           "--%s needs a time like 90s, 15m or 8h, not '%s'",
                           opt->name, value);
        }
        *(int64_t *)opt->dest = ms;
        return AG_OK;
    case ARG_LIST:
        if (list->count == ARG_LIST_MAX_COUNT) {
            return err_why(AG_EUSAGE, "--%s was given more than %d times",
                           opt->name, ARG_LIST_MAX_COUNT);
        }
        list->items[list->count++] = value;
        return AG_OK;
    case ARG_HEADING:
        break;
    }
    return AG_EINTERNAL;
}

/* --json, --quiet and --help; true when `name` is one of them. */
static bool
take_common(struct parser *p, struct span name)
{
    if (span_is(name, "json")) {
        p->cli->out.json = true;
    } else if (span_is(name, "quiet")) {
        p->cli->out.quiet = true;
    } else if (span_is(name, "help")) {
        p->ret->help = true;
    } else {
        return false;
    }
    return true;
}

/* `text` is the argument without its dashes, *next the one after it. */
static enum ag_err
take_option(struct parser *p, char *text, char ***next)
{
    size_t len = strcspn(text, "=");
    struct span name = span_of(text, len);
    char *value = text[len] == '=' ? text + len + 1 : NULL;
    const struct arg_opt *opt;

    if (value == NULL && take_common(p, name)) {
        return AG_OK;
    }
    opt = find(p->spec, name);
    if (opt == NULL) {
        return err_why(
            AG_EUSAGE, "there is no option --%.*s; see auth-guard %.*s --help",
            (int)len, text, (int)strcspn(p->spec->usage, " "), p->spec->usage);
    }
    if (opt->kind == ARG_FLAG) {
        return value == NULL
                   ? store(p, opt, NULL)
                   : err_why(AG_EUSAGE, "--%s takes no value", opt->name);
    }
    if (value == NULL && opt->kind != ARG_MAYBE) {
        value = **next;
        if (value == NULL) {
            return err_why(AG_EUSAGE, "--%s needs %s", opt->name,
                           opt->value == NULL ? "a value" : opt->value);
        }
        (*next)++;
    }
    return store(p, opt, value);
}

/* Of a usage: its length up to the next space, an option with its value in
 * brackets (`[--note TEXT]`) being one. */
static size_t
word_len(const char *p)
{
    size_t len = *p == '[' ? strcspn(p, "]") : 0;

    return len + strcspn(p + len, " ");
}

/* The `index`-th word of the usage that has to be given: NAME, VERSION … */
static struct span
word_named(const char *usage, size_t index)
{
    const char *p = usage;

    while (*p != '\0') {
        size_t len = word_len(p);
        size_t name = strcspn(p, " [");

        if (*p >= 'A' && *p <= 'Z' && index-- == 0) {
            return span_of(p, name);
        }
        p += len + (p[len] == ' ' ? 1 : 0);
    }
    return span_str("something");
}

static enum ag_err
check_words(const struct arg_spec *spec, size_t count)
{
    if (count < spec->words_min) {
        struct span word = word_named(spec->usage, count);

        return err_why(AG_EUSAGE, "%.*s is missing; usage: auth-guard %s",
                       (int)word.len, (const char *)word.ptr, spec->usage);
    }
    if (count > spec->words_max) {
        return err_why(AG_EUSAGE, "too many words; usage: auth-guard %s",
                       spec->usage);
    }
    return AG_OK;
}

/* What was read so far of the words, and how the next one is meant. */
struct reading {
    char **next;
    char **words;
    size_t count;
    bool only_words;
};

static enum ag_err
take_next(struct parser *p, struct reading *r)
{
    char *arg = *r->next++;
    bool dash = !r->only_words && arg[0] == '-' && arg[1] != '\0';

    if (dash && strcmp(arg, "--") == 0) {
        r->only_words = true;
        return AG_OK;
    }
    if (dash && strcmp(arg, "-h") == 0) {
        p->ret->help = true;
        return AG_OK;
    }
    if (dash && arg[1] == '-') {
        return take_option(p, arg + 2, &r->next);
    }
    if (dash) {
        return err_why(AG_EUSAGE,
                       "options are long here: '%s' is none; see --help", arg);
    }
    r->words[r->count++] = arg;
    r->only_words = r->only_words || p->spec->stop_at_word;
    return AG_OK;
}

enum ag_err
args_parse(struct cli *cli, const struct arg_spec *spec, int argc, char **argv,
           struct args *ret)
{
    struct parser p = {.cli = cli, .spec = spec, .ret = ret};
    char **first = argv + (argc > 0 ? 1 : 0);
    struct reading r = {.next = first, .words = first};
    enum ag_err err = AG_OK;

    AG_ASSERT(spec->opt_count <= 64);
    *ret = (struct args){.words = first};
    if (cli->completing != NULL) {
        complete_args(cli, spec, argc, argv);
        ret->help = true;
        return AG_OK;
    }
    while (err == AG_OK && *r.next != NULL) {
        err = take_next(&p, &r);
    }
    r.words[r.count] = NULL;
    ret->count = r.count;
    if (err == AG_OK && ret->help) {
        print_help(spec);
        return AG_OK;
    }
    return err == AG_OK ? check_words(spec, ret->count) : err;
}
