/* doctor: what this machine offers and lacks, and how to mend it. */
#include "args.h"
#include "check.h"
#include "verb.h"

enum {
    LABEL_WIDTH = 16,
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

enum ag_err
verb_doctor(struct cli *cli, int argc, char **argv)
{
    static const struct arg_spec spec = {
        .usage = "doctor",
        .about = "Looks at what this machine offers and lacks. 'note' works "
                 "with less; 'bad' has to\nbe mended (exit 69)."};
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
    if (err == AG_OK && cli->out.json) {
        err = out_json(&cli->out, list);
    }
    if (err == AG_OK && bad) {
        err = err_why(AG_EUNSUPPORTED, "something has to be mended first: see "
                                       "the lines marked bad");
    }
    return err;
}
