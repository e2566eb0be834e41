/* redaction-set: the vault's values as fingerprints, for a machine without the
 * vault; redact --set finds them by it. */
#include <string.h>

#include <sodium.h>

#include "acts.h"
#include "args.h"
#include "base/clock.h"
#include "printset.h"
#include "verb.h"

static enum ag_err
decode(const char *text, struct buf *out)
{
    size_t len = strlen(text);
    uint8_t *room = NULL;
    size_t got = 0;
    enum ag_err err = buf_room(out, len, &room);

    if (err != AG_OK) {
        return err;
    }
    if (sodium_base642bin(room, len, text, len, NULL, &got, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0) {
        return err_why(AG_ECORRUPT, "the broker's answer holds no set; are "
                                    "auth-guard and auth-guardd of one "
                                    "version?");
    }
    buf_grew(out, got);
    return AG_OK;
}

/* To stdout goes the file or, with --json, what is said of it. */
static enum ag_err
write_set(struct cli *cli, json_t *answer, const char *path)
{
    AG_AUTO(buf) struct buf file = {0};
    enum ag_err err;

    buf_init(&file, PRINTS_FILE_MAX_BYTES, BUF_PLAIN);
    err = decode(out_member(answer, "set"), &file);
    if (err == AG_OK && strcmp(path, "-") == 0) {
        return out_bytes(buf_view(&file));
    }
    if (err == AG_OK) {
        err = printset_write(path, buf_view(&file));
    }
    if (err != AG_OK) {
        return err;
    }
    if (cli->out.json) {
        (void)json_object_del(answer, "set");
        return json_object_set_new(answer, "file", json_string(path)) == 0
                   ? out_json(&cli->out, answer)
                   : AG_ENOMEM;
    }
    out_line(&cli->out, OUT_GOOD, "%lld values of %lld secrets are in %s.",
             (long long)out_member_int(answer, "values"),
             (long long)out_member_int(answer, "secrets"), path);
    return AG_OK;
}

/* What redact --set will not find is said, name by name. */
static void
tell_left_out(struct cli *cli, const json_t *answer)
{
    const json_t *item;
    size_t i;

    json_array_foreach(json_object_get(answer, "left_out"), i, item)
    {
        const char *field = json_string_value(json_object_get(item, "field"));
        const bool whole = field == NULL || field[0] == '\0';

        out_warn(&cli->out, "%s%s%s is left out: %s", out_member(item, "name"),
                 whole ? "" : "#", whole ? "" : field,
                 strcmp(out_member(item, "reason"), "short") == 0
                     ? "it is shorter than 24 characters, and could be guessed "
                       "by its fingerprint"
                     : "it does not look drawn by chance, and could be "
                       "guessed by its fingerprint");
    }
}

static enum ag_err
set_export(struct cli *cli, int argc, char **argv)
{
    const char *prefix = NULL;
    bool names = false;
    const struct arg_opt opts[] = {
        {"only", ARG_TEXT, &prefix, "PREFIX",
         "the secrets whose names begin so, not all"},
        {"names", ARG_FLAG, &names, NULL,
         "put the secrets' names in, for the markers; else they are\n"
         "numbered"}};
    const struct arg_spec spec = {
        .usage = "redaction-set export [options] FILE",
        .about =
            "Writes fingerprints of all values to FILE (- is stdout): with "
            "`redact --set FILE` a\nCI runner takes them out of its logs "
            "without having one. Who gets the file can\ntry guesses at the "
            "values; those that could be guessed are left out and named.\n"
            "Needs the passphrase, and is on the record.",
        .opts = opts,
        .opt_count = AG_COUNT(opts),
        .words_min = 1,
        .words_max = 1};
    json_auto_t *answer = NULL;
    json_auto_t *body = NULL;
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    if (err != AG_OK || args.help) {
        return err;
    }
    body = json_pack("{s:b, s:s*}", "names", names, "prefix", prefix);
    if (cli->out.json && strcmp(args.words[0], "-") == 0) {
        return err_why(AG_EUSAGE, "--json needs a FILE: stdout is for the set");
    }
    err = body == NULL
              ? AG_ENOMEM
              : cli_call(cli, "POST", "/v1/redaction-set", body, &answer);
    if (err == AG_OK && !cli->out.json) {
        tell_left_out(cli, answer);
    }
    return err == AG_OK ? write_set(cli, answer, args.words[0]) : err;
}

static enum ag_err
set_show(struct cli *cli, int argc, char **argv)
{
    static const struct arg_spec spec = {
        .usage = "redaction-set show FILE",
        .about = "How many values a set has, and when it was made.",
        .words_min = 1,
        .words_max = 1};
    AG_AUTO(prints) struct prints *set = NULL;
    json_auto_t *facts = NULL;
    char made[CLOCK_TEXT_BYTES];
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    if (err != AG_OK || args.help) {
        return err;
    }
    err = printset_read(args.words[0], &set);
    if (err != AG_OK) {
        return err;
    }
    clock_text(prints_made_ms(set), made);
    facts = json_pack("{s:s, s:I, s:I}", "made", made, "values",
                      (json_int_t)prints_value_count(set), "forms",
                      (json_int_t)prints_form_count(set));
    return facts == NULL ? AG_ENOMEM : acts_print(cli, facts);
}

enum ag_err
verb_redaction_set(struct cli *cli, int argc, char **argv)
{
    static const struct act acts[] = {
        {"export", "fingerprints of the vault's values", set_export},
        {"show", "what a set has", set_show},
    };
    static const struct act_table table = {
        "redaction-set",
        "The redaction set without the secrets, for machines without the "
        "vault.",
        acts, AG_COUNT(acts)};

    return acts_run(cli, &table, argc, argv);
}
