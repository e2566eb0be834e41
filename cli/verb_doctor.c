/* doctor: what this machine offers and lacks, and how to mend it. */
#include <stdio.h>

#include "args.h"
#include "check.h"
#include "verb.h"

enum {
    LABEL_WIDTH = 16,
    DANGERS_MAX_COUNT = 10, /* for people; --json has them all */
};

static const char *const VERDICTS[] = {
    [CHECK_GOOD] = "good", [CHECK_NOTE] = "note", [CHECK_BAD] = "bad"};

static const enum out_tone TONES[] = {
    [CHECK_GOOD] = OUT_GOOD, [CHECK_NOTE] = OUT_WARN, [CHECK_BAD] = OUT_BAD};

static enum ag_err
report(struct cli *cli, const struct check *check,
       const struct check_result *result, json_t *list)
{
    if (cli->out.json) {
        json_t *row = json_pack("{s:s,s:s,s:s,s:s}", "check", check->name,
                                "verdict", VERDICTS[result->verdict], "found",
                                result->found, "advice", result->advice);

        return json_array_append_new(list, row) == 0 ? AG_OK : AG_ENOMEM;
    }
    out_line(&cli->out, TONES[result->verdict], "%-4s  %-*s %s",
             VERDICTS[result->verdict], LABEL_WIDTH, check->name,
             result->found);
    if (result->advice[0] != '\0') {
        out_line(&cli->out, OUT_PLAIN, "      %-*s %s", LABEL_WIDTH, "",
                 result->advice);
    }
    return AG_OK;
}

/* ---- secrets in danger ---- */

static const char *
words_of(const json_t *why, char *out, size_t size)
{
    size_t at = 0;

    out[0] = '\0';
    for (size_t i = 0; i < json_array_size(why) && at < size; i++) {
        int put = snprintf(out + at, size - at, "%s%s", i > 0 ? ", " : "",
                           json_string_value(json_array_get(why, i)));

        at += put > 0 ? (size_t)put : 0;
    }
    return out;
}

/* The worst first. Without an open vault, or for who may not ask, there is
 * nothing to be said: what can be looked at is the machine. */
static enum ag_err
report_dangers(struct cli *cli, json_t *list)
{
    json_auto_t *answer = NULL;
    const json_t *dangers = NULL;
    enum ag_err err = cli_call(cli, "GET", "/v1/dangers", NULL, &answer);

    if (err != AG_OK) {
        err_clear();
        return AG_OK;
    }
    dangers = json_object_get(answer, "dangers");
    for (size_t i = 0; err == AG_OK && i < json_array_size(dangers) &&
                       (cli->out.json || i < DANGERS_MAX_COUNT);
         i++) {
        const json_t *item = json_array_get(dangers, i);
        const char *name = out_member(item, "secret");
        char why[CHECK_TEXT_BYTES];

        (void)words_of(json_object_get(item, "why"), why, sizeof(why));
        if (!cli->out.json) {
            out_line(&cli->out, OUT_WARN, "%-4s  %-*s %s: %s", "note",
                     LABEL_WIDTH, "secret", name, why);
        } else if (json_array_append_new(
                       list,
                       json_pack("{s:s, s:s, s:s, s:s, s:s, s:I}", "check",
                                 "secret", "verdict", "note", "found", why,
                                 "advice", "", "secret", name, "score",
                                 (json_int_t)out_member_int(item, "score"))) !=
                   0) {
            err = AG_ENOMEM;
        }
    }
    return err;
}

enum ag_err
verb_doctor(struct cli *cli, int argc, char **argv)
{
    static const struct arg_spec spec = {
        .usage = "doctor",
        .about = "Looks at what this machine offers and lacks. 'note' works "
                 "with less; 'bad' has to\nbe mended (exit 69). With the vault "
                 "open also "
                 "which secrets are in danger, the\nworst first."};
    json_auto_t *list = json_array();
    bool bad = false;
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    if (err != AG_OK || args.help) {
        return err;
    }
    for (const struct check *c = check_table; c->name != NULL; c++) {
        struct check_result result = {.verdict = CHECK_GOOD};

        c->run(cli, &result);
        bad = bad || result.verdict == CHECK_BAD;
        if (err == AG_OK) {
            err = report(cli, c, &result, list);
        }
    }
    if (err == AG_OK) {
        err = report_dangers(cli, list);
    }
    if (err == AG_OK && cli->out.json) {
        err = out_json(&cli->out, list);
    }
    if (err == AG_OK && bad) {
        err = err_why(AG_EUNSUPPORTED, "something has to be mended first: see "
                                       "the lines marked bad");
    }
    return err;
}
