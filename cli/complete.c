#include "complete.h"

#include <stdio.h>
#include <string.h>

#include "acts.h"
#include "args.h"
#include "base/span.h"
#include "cli.h"
#include "client.h"
#include "verb.h"

enum {
    ASK_TIMEOUT_MS = 250, /* a person waits with a finger on the key */
    NUMBER_BYTES = 24,
};

/* What the last word is to begin with; what an answer shows before it ("--set="
 * where the value stands in the same word). */
struct place {
    struct cli *cli;
    const char *word;
    struct span before;
};

static bool
begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* No shell has to quote it, and no terminal heeds it. */
static bool
is_plain(const char *text)
{
    return text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuv"
                             "wxyz0123456789._/:@%+,=#-")] == '\0';
}

static void
say(const struct place *at, const char *lead, struct span text,
    const char *about)
{
    printf("%.*s%s%.*s\t", (int)at->before.len, (const char *)at->before.ptr,
           lead, (int)text.len, (const char *)text.ptr);
    for (const char *p = about; *p != '\0'; p++) {
        putchar((unsigned char)*p < ' ' || *p == 0x7F ? ' ' : *p);
    }
    putchar('\n');
}

static void
offer(const struct place *at, const char *text, const char *about)
{
    if (begins(text, at->word) && is_plain(text)) {
        say(at, "", span_str(text), about);
    }
}

/* ---- names that the broker knows ---- */

struct source {
    const char *path;
    const char *list;
    const char *name;
    const char *about;
};

static const struct source SOURCES[] = {
    [ARG_NAMES_SECRETS] = {"/v1/secrets", "secrets", "name", "kind"},
    [ARG_NAMES_TASKS] = {"/v1/tasks", "tasks", "id", "name"},
    [ARG_NAMES_PROFILES] = {"/v1/profiles", "profiles", "name", "title"},
    [ARG_NAMES_INCIDENTS] = {"/v1/incidents", "incidents", "incident",
                             "secret"},
    [ARG_NAMES_ROLES] = {"/v1/roles", "roles", "name", "kind"},
    [ARG_NAMES_PROGRAMS] = {"/v1/programs", "programs", "name", "path"},
    [ARG_NAMES_SLOTS] = {"/v1/slots", "slots", "id", "kind"},
};

/* Not by cli_call(): that would ask for the passphrase. */
static enum ag_err
ask(struct cli *cli, const char *path, json_t **ret)
{
    enum ag_err err = cli_connect(cli);

    return err == AG_OK ? client_call(cli->client,
                                      &(struct client_request){
                                          .method = "GET",
                                          .path = path,
                                          .timeout_ms = ASK_TIMEOUT_MS},
                                      ret)
                        : err;
}

static const char *
member(const json_t *row, const char *key, char number[NUMBER_BYTES])
{
    const json_t *value = json_object_get(row, key);

    if (json_is_integer(value)) {
        (void)snprintf(number, NUMBER_BYTES, "%lld",
                       (long long)json_integer_value(value));
        return number;
    }
    return json_is_string(value) ? json_string_value(value) : "";
}

/* Would the broker tell us names? Who is refused something is on the record, so
 * a key pressed in a task or in a session that is not approved asks for none. */
static bool
may_ask(struct cli *cli)
{
    json_auto_t *status = NULL;
    char number[NUMBER_BYTES];

    return cli->token == NULL && ask(cli, "/v1/status", &status) == AG_OK &&
           strcmp(member(status, "vault", number), "open") == 0 &&
           begins(member(json_object_get(status, "caller"), "class", number),
                  "operator"); /* with a fresh proof or without */
}

static void
offer_names(struct place *at, enum arg_names names)
{
    static const char scheme[] = "ag://";
    json_auto_t *answer = NULL;
    const struct source *from = &SOURCES[names];
    const char *lead = "";
    const json_t *row;
    char number[NUMBER_BYTES];
    size_t i;

    if (!may_ask(at->cli) || ask(at->cli, from->path, &answer) != AG_OK) {
        return;
    }
    if (names == ARG_NAMES_SECRETS && begins(at->word, scheme)) {
        lead = scheme;
        at->word += sizeof(scheme) - 1;
    }
    json_array_foreach(json_object_get(answer, from->list), i, row)
    {
        const char *name = member(row, from->name, number);

        /* One that begins with a dash would be taken for an option. */
        if (*name != '\0' && (*name != '-' || *lead != '\0') &&
            begins(name, at->word) && is_plain(name)) {
            char about[NUMBER_BYTES];

            say(at, lead, span_str(name), member(row, from->about, about));
        }
    }
}

static void
offer_verbs(const struct place *at)
{
    for (const struct verb *v = verb_table; v->summary != NULL; v++) {
        if (v->run != NULL) {
            offer(at, v->name, v->summary);
        }
    }
}

/* ---- one verb's words and options ---- */

/* "known|default|all": each of them. */
static void
offer_each(const struct place *at, struct span choice)
{
    while (choice.len > 0) {
        const uint8_t *bar = memchr(choice.ptr, '|', choice.len);
        size_t len = bar == NULL ? choice.len : (size_t)(bar - choice.ptr);

        if (len > 0 &&
            span_starts(span_of(choice.ptr, len), span_str(at->word))) {
            say(at, "", span_of(choice.ptr, len), "");
        }
        len += bar == NULL ? 0 : 1;
        choice = span_of(choice.ptr + len, choice.len - len);
    }
}

/* `called` is the name of a value in the help: FILE, REF, known|default|all. */
static void
offer_value(struct place *at, struct span called, enum arg_names names)
{
    static const char *const files[] = {"FILE", "PATH", "REPORT", "TEMPLATE",
                                        "DEST"};

    for (size_t i = 0; i < AG_COUNT(files); i++) {
        if (span_is(called, files[i])) {
            puts(":files");
            return;
        }
    }
    if (span_is(called, "DIR")) {
        puts(":dirs");
    } else if (span_is(called, "REF") || span_is(called, "REFERENCE")) {
        offer_names(at, ARG_NAMES_SECRETS);
    } else if (span_is(called, "P")) {
        offer_names(at, ARG_NAMES_PROFILES);
    } else if (span_is(called, "VERB")) {
        offer_verbs(at);
    } else if (called.len > 0 && called.ptr[0] >= 'a' && called.ptr[0] <= 'z') {
        offer_each(at, called);
    } else if (names != ARG_NAMES_NONE) {
        offer_names(at, names);
    }
}

static void
offer_options(const struct place *at, const struct arg_spec *spec)
{
    struct place name = {.cli = at->cli, .before = span_str("--")};

    name.word = at->word + (at->word[1] == '-' ? 2 : 1);
    for (size_t i = 0; i < spec->opt_count; i++) {
        if (spec->opts[i].kind != ARG_HEADING) {
            offer(&name, spec->opts[i].name, spec->opts[i].help);
        }
    }
    offer(&name, "json", "machine-readable answers and errors");
    offer(&name, "quiet", "no words on stderr but errors");
    offer(&name, "help", "what it does");
}

/* The option of "--name" or "--name=value", or NULL. */
static const struct arg_opt *
option_of(const struct arg_spec *spec, const char *text)
{
    struct span name = span_of(text + 2, strcspn(text + 2, "="));

    for (size_t i = 0; i < spec->opt_count; i++) {
        if (spec->opts[i].kind != ARG_HEADING &&
            span_is(name, spec->opts[i].name)) {
            return &spec->opts[i];
        }
    }
    return NULL;
}

static void
offer_for_option(struct place *at, const struct arg_opt *opt)
{
    const char *called = opt->value == NULL ? "" : opt->value;
    enum arg_names names = ARG_NAMES_NONE;

    if (strcmp(opt->name, "task") == 0) {
        names = ARG_NAMES_TASKS;
    } else if (strstr(opt->name, "incident") != NULL) {
        names = ARG_NAMES_INCIDENTS;
    } else if (strcmp(opt->name, "program") == 0) {
        names = ARG_NAMES_PROGRAMS;
    }
    offer_value(at, span_of(called, strcspn(called, "[")), names);
}

/* The piece of a usage at `p`: how long it is, and what it names. */
struct piece {
    size_t len; /* with an option's value, where that is told apart */
    struct span name;
    bool option;   /* of the line: "--from REF", "[--all]", "[options]" */
    bool repeated; /* "FILE…" */
    bool last;     /* "| --all", "[-- CMD …]", ">FILE": what is no word */
};

static struct piece
piece_at(const char *p)
{
    struct piece piece = {.len = strcspn(p, " ")};
    const char *name = *p == '[' ? p + 1 : p;

    piece.name = span_of(name, strcspn(name, " []#=\xE2")); /* of the dots */
    piece.repeated = memmem(p, piece.len, "…", strlen("…")) != NULL;
    piece.last = *p == '>' || span_is(piece.name, "|") ||
                 span_is(piece.name, "-") || span_is(piece.name, "--");
    piece.option = begins(name, "--") || span_is(piece.name, "options");
    if (piece.option && p[piece.len - 1] != ']' && p[piece.len] == ' ') {
        piece.len += 1 + strcspn(p + piece.len + 1, " ");
    }
    return piece;
}

/* The `index`-th word that the usage has after `verb`: "NAME" of "get [options]
 * NAME[#/FIELD]". The last one again where it may be repeated. */
static struct span
word_called(const char *usage, const char *verb, size_t index)
{
    const char *p = usage;
    bool begun = false;

    while (*p != '\0') {
        struct piece piece = piece_at(p);

        if (!begun) { /* one of "codex|claude" too */
            begun = memmem(p, piece.len, verb, strlen(verb)) != NULL;
        } else if (piece.last) {
            break;
        } else if (!piece.option && (index-- == 0 || piece.repeated)) {
            return piece.name;
        }
        p += piece.len + (p[piece.len] == ' ' ? 1 : 0);
    }
    return (struct span){0};
}

/* How far the words before the last one are read. */
struct reading {
    size_t words;
    const struct arg_opt *open; /* its value comes next */
    bool only_words;
    int command; /* where a command begins, or 0 */
};

static void
read_word(struct reading *r, const struct arg_spec *spec, char **argv, int i)
{
    const char *word = argv[i];
    const struct arg_opt *opt;

    if (r->open != NULL) {
        r->open = NULL;
    } else if (!r->only_words && strcmp(word, "--") == 0) {
        r->only_words = true;
        if (spec->stop_at_word || strstr(spec->usage, "[-- CMD") != NULL) {
            r->command = i + 1;
        }
    } else if (!r->only_words && begins(word, "--")) {
        opt = option_of(spec, word);
        r->open = opt != NULL && strchr(word, '=') == NULL &&
                          opt->kind != ARG_FLAG && opt->kind != ARG_MAYBE
                      ? opt
                      : NULL;
    } else {
        r->words++;
        if (spec->stop_at_word && r->command == 0) {
            r->command = i;
        }
    }
}

/* From r->command on it is a command of its own, where the verb starts one. */
static void
offer_command(const struct cli *cli, const struct arg_spec *spec,
              char *const *argv, const struct reading *r)
{
    if (strstr(spec->usage, " COMMAND") != NULL ||
        strstr(spec->usage, "-- CMD") != NULL) {
        printf(":command %td\n", argv + r->command - cli->completing);
    }
}

void
complete_args(struct cli *cli, const struct arg_spec *spec, int argc,
              char **argv)
{
    struct place at = {.cli = cli, .word = argv[argc - 1]};
    struct reading r = {0};
    const char *equals = strchr(at.word, '=');
    bool dashes;

    for (int i = 1; i < argc - 1; i++) {
        read_word(&r, spec, argv, i);
    }
    dashes = !r.only_words && r.open == NULL && at.word[0] == '-';
    if (r.command > 0) {
        offer_command(cli, spec, argv, &r);
    } else if (r.open != NULL) {
        offer_for_option(&at, r.open);
    } else if (dashes && (equals == NULL || at.word[1] != '-')) {
        offer_options(&at, spec);
    } else if (dashes) {
        r.open = option_of(spec, at.word);
        at.before = span_of(at.word, (size_t)(equals - at.word) + 1);
        at.word = equals + 1;
        if (r.open != NULL) {
            offer_for_option(&at, r.open);
        }
    } else if (spec->stop_at_word) {
        r.command = argc - 1;
        offer_command(cli, spec, argv, &r);
    } else {
        offer_value(&at, word_called(spec->usage, argv[0], r.words),
                    spec->names);
    }
}

void
complete_acts(const struct act *acts, size_t count, const char *word)
{
    const struct place at = {.word = word};

    for (size_t i = 0; i < count; i++) {
        offer(&at, acts[i].name, acts[i].summary);
    }
}

enum ag_err
complete_words(struct cli *cli, size_t count, char **words)
{
    const struct place at = {.cli = cli, .word = words[count - 1]};
    const struct verb *v;

    cli->completing = words;
    if (count == 1) {
        offer_verbs(&at);
        return AG_OK;
    }
    v = verb_find(words[0]);
    /* What is amiss before the cursor is told when the line is entered. */
    if (v != NULL && v->run(cli, (int)count, words) == AG_ENOMEM) {
        return AG_ENOMEM;
    }
    return AG_OK;
}
