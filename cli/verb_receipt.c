/* receipt: what `redact --receipt` wrote, checked; and whose it is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "acts.h"
#include "args.h"
#include "client.h"
#include "receipt_check.h"
#include "receipt_pem.h"
#include "verb.h"

struct verifying {
    struct cli *cli;
    bool with_record;
    json_t *shown;
    char print[RECEIPT_PRINT_BYTES]; /* of the last */
};

static const char *const TIERS[] = {"P0", "P1", "P2", "rule"};
_Static_assert(AG_COUNT(TIERS) == RECEIPT_TIER_COUNT, "a tier's word");

static json_t *
show_side(const struct receipt_side *side)
{
    char hex[2 * RECEIPT_HASH_BYTES + 1];

    (void)sodium_bin2hex(hex, sizeof(hex), side->sha256, sizeof(side->sha256));
    return json_pack("{s:I, s:s}", "bytes", (json_int_t)side->bytes, "sha256",
                     hex);
}

static json_t *
show_tiers(const struct receipt *r)
{
    json_t *tiers = json_object();

    for (size_t i = 0; i < AG_COUNT(TIERS); i++) {
        (void)json_object_set_new(tiers, TIERS[i],
                                  json_integer((json_int_t)r->tiers[i]));
    }
    return tiers;
}

/* `names`: from the record, in clear; NULL: those of the receipt. */
static json_t *
show_names(const struct receipt *r, json_t *names)
{
    json_t *shown = json_incref(names);

    if (shown != NULL) {
        return shown;
    }
    shown = json_object();
    for (size_t i = 0; i < r->row_count; i++) {
        (void)json_object_set_new(shown, r->rows[i].name,
                                  json_integer((json_int_t)r->rows[i].count));
    }
    return shown;
}

/* Asks the broker, which may be that of this receipt. */
static enum ag_err
ask_record(struct verifying *v, const char *line, json_t **ret)
{
    json_auto_t *body = json_pack("{s:s}", "receipt", line);

    return body == NULL
               ? AG_ENOMEM
               : cli_call(v->cli, "POST", "/v1/receipts/check", body, ret);
}

static enum ag_err
take_one(void *ctx, const struct receipt *r, const char *line)
{
    struct verifying *v = ctx;
    json_auto_t *answer = NULL;
    json_t *item = NULL;
    enum ag_err err = v->with_record ? ask_record(v, line, &answer) : AG_OK;

    if (err != AG_OK) {
        return err;
    }
    receipt_print(r->key, v->print);
    item = json_pack(
        "{s:s, s:s, s:s, s:s, s:o, s:I, s:o, s:o, s:b, s:I}", "signed_by",
        v->print, "subject", r->subject, "time", r->time, "format", r->format,
        "output", show_side(&r->output), "hits", (json_int_t)r->hits, "tiers",
        show_tiers(r), "names", show_names(r, json_object_get(answer, "names")),
        "on_record", (int)v->with_record, "seq", (json_int_t)r->seq);
    return json_array_append_new(v->shown, item) == 0 ? AG_OK : AG_ENOMEM;
}

static void
print_one(const struct cli *cli, const json_t *item)
{
    const json_t *output = json_object_get(item, "output");
    const char *name = NULL;
    json_t *count = NULL;

    out_line(&cli->out, OUT_GOOD, "receipt %lld holds",
             (long long)out_member_int(item, "seq"));
    out_line(&cli->out, OUT_PLAIN, "  subject    %s",
             out_member(item, "subject"));
    out_line(&cli->out, OUT_PLAIN, "  time       %s", out_member(item, "time"));
    out_line(&cli->out, OUT_PLAIN, "  signed by  %s",
             out_member(item, "signed_by"));
    out_line(&cli->out, OUT_PLAIN, "  output     %lld bytes, sha256 %s",
             (long long)out_member_int(output, "bytes"),
             out_member(output, "sha256"));
    out_line(&cli->out, OUT_PLAIN,
             "  found      %lld, and none when the output was searched again, "
             "as %s",
             (long long)out_member_int(item, "hits"),
             out_member(item, "format"));
    json_object_foreach(json_object_get(item, "names"), name, count)
    {
        out_line(&cli->out, OUT_PLAIN, "    %lld  %s",
                 (long long)json_integer_value(count), name);
    }
}

static enum ag_err
print_all(struct verifying *v, bool pinned)
{
    json_auto_t *all =
        json_pack("{s:O, s:b}", "receipts", v->shown, "pinned", (int)pinned);
    const json_t *item = NULL;
    size_t i = 0;

    if (all == NULL) {
        return AG_ENOMEM;
    }
    if (v->cli->out.json) {
        return out_json(&v->cli->out, all);
    }
    json_array_foreach(v->shown, i, item)
    {
        print_one(v->cli, item);
    }
    return AG_OK;
}

static enum ag_err
verify(struct verifying *v, const char *path,
       const struct receipt_against *said, const char *key)
{
    struct receipt_against against = *said;
    char print[RECEIPT_PRINT_BYTES];
    bool pinned = key != NULL || v->with_record;
    enum ag_err err = AG_OK;

    if (key != NULL) {
        err = receipt_pem_print(key, print);
        against.print = print;
    }
    if (err == AG_OK) {
        err = receipt_check_file(path, &against, take_one, v);
    }
    if (err == AG_OK) {
        err = print_all(v, pinned);
    }
    if (err == AG_OK && !pinned) {
        err = err_why(AG_EUNPINNED,
                      "signed by %s, and nobody said that it must be: ask who "
                      "is said to have signed it for `auth-guard receipt key`, "
                      "and give that to --key",
                      v->print);
    }
    return err;
}

static enum ag_err
receipt_verify(struct cli *cli, int argc, char **argv)
{
    struct receipt_against against = {.subject = NULL};
    struct verifying v = {.cli = cli};
    const char *key = NULL;
    const struct arg_opt opts[] = {
        {"key", ARG_TEXT, &key, "FILE|SHA256:…",
         "who must have signed: what `auth-guard receipt key`\nprinted, or "
         "its fingerprint. Without it, and without\n--audit, exit code 2"},
        {"subject", ARG_TEXT, &against.subject, "TEXT",
         "what it must be about"},
        {"input", ARG_LIST, &against.inputs, "FILE",
         "what must have gone in; of several receipts one for\neach, in order"},
        {"opening", ARG_TEXT, &against.opening, "FILE",
         "what inputs can be checked by; FILE.opening unless said\notherwise"},
        {"output", ARG_TEXT, &against.output, "FILE",
         "what must have come out; of several receipts all of\nit, one behind "
         "the other"},
        {"audit", ARG_FLAG, &v.with_record, NULL,
         "ask the vault's broker whether it is on the record;\nnames are "
         "then shown"}};
    const struct arg_spec spec = {
        .usage = "receipt verify [options] FILE",
        .about =
            "Does what the receipts of a file say hold? Needs neither a vault "
            "nor a broker.\nA changed byte anywhere makes it fail. The same "
            "receipt may be shown twice: who\nmust not take it twice keeps "
            "the numbers (seq) of those that were seen.",
        .opts = opts,
        .opt_count = AG_COUNT(opts),
        .words_min = 1,
        .words_max = 1};
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    if (err != AG_OK || args.help) {
        return err;
    }
    v.shown = json_array();
    if (v.shown == NULL) {
        return AG_ENOMEM;
    }
    err = verify(&v, args.words[0], &against, key);
    json_decref(v.shown);
    return err;
}

static enum ag_err
receipt_key(struct cli *cli, int argc, char **argv)
{
    const struct arg_spec spec = {
        .usage = "receipt key",
        .about = "The key that signs this vault's receipts, for --key and for "
                 "other programs.\nIt is no secret. `rekey` makes another."};
    json_auto_t *answer = NULL;
    char pem[RECEIPT_PEM_BYTES];
    uint8_t key[RECEIPT_KEY_BYTES];
    size_t len = 0;
    const char *text = NULL;
    struct args args;
    enum ag_err err = args_parse(cli, &spec, argc, argv, &args);

    if (err != AG_OK || args.help) {
        return err;
    }
    err = cli_call(cli, "GET", "/v1/receipts/key", NULL, &answer);
    if (err != AG_OK || cli->out.json) {
        return err == AG_OK ? out_json(&cli->out, answer) : err;
    }
    text = out_member(answer, "key");
    if (sodium_base642bin(key, sizeof(key), text, strlen(text), NULL, &len,
                          NULL, sodium_base64_VARIANT_ORIGINAL) != 0 ||
        len != sizeof(key)) {
        return err_why(AG_ECORRUPT, "the broker's answer has no key");
    }
    receipt_pem_put(key, pem);
    out_say(&cli->out, "%s", out_member(answer, "fingerprint"));
    return out_bytes(span_str(pem));
}

enum ag_err
verb_receipt(struct cli *cli, int argc, char **argv)
{
    static const struct act acts[] = {
        {"verify", "does it hold?", receipt_verify},
        {"key", "the key that signs them", receipt_key},
    };
    static const struct act_table table = {
        "receipt",
        "`auth-guard redact --receipt FILE` has the vault sign what its filter "
        "saw go in\nand come out, what it looked for and what it found.",
        acts, AG_COUNT(acts)};

    return acts_run(cli, &table, argc, argv);
}
