#include "receipt_check.h"

#include <sys/types.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "base/fdx.h"
#include "crypt/sign.h"

enum {
    READ_BYTES = 4096,
    OPENING_CHARS = 2 * RECEIPT_OPENING_BYTES,
};

struct checking {
    const struct receipt_against *against;
    const char *path;
    size_t number; /* of the receipt, from 1 */
    FILE *file;
    char line[RECEIPT_LINE_MAX_BYTES + 2]; /* and newline, NUL */
    struct receipt receipt;
    FILE *output;  /* NULL: none to compare */
    FILE *opening; /* the same, of inputs */
};

static void
shut(FILE *file)
{
    if (file != NULL && file != stdin) {
        (void)fclose(file);
    }
}

static void
done(struct checking *c)
{
    shut(c->file);
    shut(c->output);
    shut(c->opening);
    free(c);
}

static enum ag_err
open_file(const char *path, FILE **ret)
{
    *ret = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    return *ret != NULL ? AG_OK
                        : err_why(err_from_errno(errno), "%s: %s", path,
                                  strerrordesc_np(errno));
}

/* ---- what is held against one ---- */

/* Hashes `len` bytes of a file, or up to its end if it is shorter. */
static enum ag_err
hash_part(FILE *file, int64_t len, struct receipt_side *ret)
{
    crypto_hash_sha256_state state;
    uint8_t bytes[READ_BYTES];
    size_t n = 1;

    ret->bytes = 0;
    (void)crypto_hash_sha256_init(&state);
    while (n > 0 && ret->bytes < len) {
        int64_t left = len - ret->bytes;

        n = fread(bytes, 1, left < READ_BYTES ? (size_t)left : READ_BYTES,
                  file);
        (void)crypto_hash_sha256_update(&state, bytes, n);
        ret->bytes += (int64_t)n;
    }
    (void)crypto_hash_sha256_final(&state, ret->sha256);
    return ferror(file) != 0 ? AG_EIO : AG_OK;
}

static bool
is_at_end(FILE *file)
{
    return getc(file) == EOF && ferror(file) == 0;
}

static bool
is_same(const struct receipt_side *a, const struct receipt_side *b)
{
    return a->bytes == b->bytes &&
           span_equal(span_of(a->sha256, sizeof(a->sha256)),
                      span_of(b->sha256, sizeof(b->sha256)));
}

/* The next opening, which must be spelt as it was written. */
static enum ag_err
next_opening(const struct checking *c, uint8_t out[RECEIPT_OPENING_BYTES])
{
    char line[OPENING_CHARS + 2];
    char again[OPENING_CHARS + 1];
    size_t len = 0;
    size_t n = fread(line, 1, OPENING_CHARS + 1, c->opening);

    if (ferror(c->opening) != 0) {
        return AG_EIO;
    }
    line[n] = '\0';
    if (n == OPENING_CHARS + 1 && line[OPENING_CHARS] == '\n' &&
        sodium_hex2bin(out, RECEIPT_OPENING_BYTES, line, OPENING_CHARS, NULL,
                       &len, NULL) == 0 &&
        len == RECEIPT_OPENING_BYTES) {
        (void)sodium_bin2hex(again, sizeof(again), out, RECEIPT_OPENING_BYTES);
        if (span_equal(span_str(again), span_of(line, OPENING_CHARS))) {
            return AG_OK;
        }
    }
    return err_why(AG_ERECEIPT,
                   "there is no opening for receipt %zu: the file that "
                   "--receipt wrote beside it was changed",
                   c->number);
}

static enum ag_err
check_input(const struct checking *c)
{
    const struct arg_list *inputs = &c->against->inputs;
    uint8_t opening[RECEIPT_OPENING_BYTES];
    uint8_t sealed[RECEIPT_HASH_BYTES];
    struct receipt_side side;
    const char *path;
    FILE *file = NULL;
    enum ag_err err = AG_OK;

    if (inputs->count == 0) {
        return AG_OK;
    }
    if (c->number > inputs->count) {
        return err_why(AG_ERECEIPT,
                       "there are more receipts than the %zu of --input",
                       inputs->count);
    }
    path = inputs->items[c->number - 1];
    err = next_opening(c, opening);
    if (err == AG_OK) {
        err = open_file(path, &file);
    }
    if (err == AG_OK) {
        err = hash_part(file, INT64_MAX, &side);
        shut(file);
    }
    if (err != AG_OK) {
        return err;
    }
    receipt_seal(opening, &side, sealed);
    return span_equal(span_of(sealed, sizeof(sealed)),
                      span_of(c->receipt.input, sizeof(sealed)))
               ? AG_OK
               : err_why(AG_ERECEIPT, "receipt %zu is not of the input %s",
                         c->number, path);
}

static enum ag_err
check_output(const struct checking *c)
{
    struct receipt_side side;
    enum ag_err err = AG_OK;

    if (c->output == NULL) {
        return AG_OK;
    }
    err = hash_part(c->output, c->receipt.output.bytes, &side);
    if (err == AG_OK && !is_same(&side, &c->receipt.output)) {
        err = err_why(AG_ERECEIPT,
                      "receipt %zu is not of the output %s: what came out were "
                      "%lld bytes that are not these",
                      c->number, c->against->output,
                      (long long)c->receipt.output.bytes);
    }
    return err;
}

static enum ag_err
check_words(const struct checking *c)
{
    const struct receipt_against *against = c->against;
    const struct receipt *r = &c->receipt;
    char print[RECEIPT_PRINT_BYTES];

    receipt_print(r->key, print);
    if (against->print != NULL && strcmp(against->print, print) != 0) {
        return err_why(AG_ERECEIPT,
                       "receipt %zu is signed by another key than %s: by %s",
                       c->number, against->print, print);
    }
    if (against->subject != NULL && strcmp(against->subject, r->subject) != 0) {
        return err_why(AG_ERECEIPT,
                       "receipt %zu is about \"%s\", not about \"%s\"",
                       c->number, r->subject, against->subject);
    }
    if (r->residual != 0) {
        return err_why(AG_ERECEIPT,
                       "receipt %zu says itself that the output still had %lld "
                       "hits",
                       c->number, (long long)r->residual);
    }
    return AG_OK;
}

/* ---- one after another ---- */

/* One line without its newline; *ret false: the file has ended. */
static enum ag_err
next_line(struct checking *c, bool *ret)
{
    size_t len = 0;
    int byte = getc(c->file);

    *ret = byte != EOF;
    while (byte != EOF && byte != '\n' && len < RECEIPT_LINE_MAX_BYTES + 1) {
        c->line[len++] = (char)byte;
        byte = getc(c->file);
    }
    c->line[len] = '\0';
    if (ferror(c->file) != 0) {
        return AG_EIO;
    }
    /* Also what has a NUL in it, which would end the text for others. */
    return len <= RECEIPT_LINE_MAX_BYTES && strlen(c->line) == len
               ? AG_OK
               : err_why(AG_ERECEIPT, "%s:%zu: this is not a receipt", c->path,
                         c->number);
}

static enum ag_err
check_next(struct checking *c, bool *ret_more)
{
    enum ag_err err;

    c->number++;
    err = next_line(c, ret_more);
    if (err != AG_OK || !*ret_more) {
        return err;
    }
    if (c->number > RECEIPT_FILE_MAX_COUNT) {
        return err_why(AG_ELIMIT, "more than %d receipts in one file",
                       (int)RECEIPT_FILE_MAX_COUNT);
    }
    err = receipt_get(span_str(c->line), sign_check, &c->receipt);
    if (err != AG_OK) {
        return err_why(err, "%s:%zu: %s", c->path, c->number, err_text(err));
    }
    err = check_words(c);
    if (err == AG_OK) {
        err = check_input(c);
    }
    return err == AG_OK ? check_output(c) : err;
}

/* `c->number` is one past the last. */
static enum ag_err
check_end(const struct checking *c, const char *path)
{
    size_t inputs = c->against->inputs.count;

    if (c->number == 1) {
        return err_why(AG_ERECEIPT, "%s: there is no receipt in it", path);
    }
    if (inputs > 0 && inputs != c->number - 1) {
        return err_why(AG_ERECEIPT,
                       "there are %zu receipts and %zu files of --input",
                       c->number - 1, inputs);
    }
    if (c->output != NULL && !is_at_end(c->output)) {
        return err_why(AG_ERECEIPT,
                       "the output %s goes on where that of the last receipt "
                       "ends",
                       c->against->output);
    }
    return AG_OK;
}

static enum ag_err
open_opening(struct checking *c, const char *path)
{
    char *beside = NULL;
    const char *opening = c->against->opening;
    enum ag_err err;

    if (opening == NULL &&
        asprintf(&beside, "%s" RECEIPT_OPENING_ENDS, path) < 0) {
        return AG_ENOMEM;
    }
    opening = opening != NULL ? opening : beside;
    err = open_file(opening, &c->opening);
    if (err == AG_ENOTFOUND) {
        err = err_why(AG_ENOTFOUND,
                      "%s is not there: an input can be checked by who has "
                      "what --receipt wrote there (--opening FILE)",
                      opening);
    }
    free(beside);
    return err;
}

static enum ag_err
check_all(struct checking *c, const char *path, receipt_each_fn each, void *ctx)
{
    bool more = true;
    enum ag_err err = open_file(path, &c->file);

    if (err == AG_OK && c->against->output != NULL) {
        err = open_file(c->against->output, &c->output);
    }
    if (err == AG_OK && c->against->inputs.count > 0) {
        err = open_opening(c, path);
    }
    while (err == AG_OK && more) {
        err = check_next(c, &more);
        if (err == AG_OK && more) {
            err = each(ctx, &c->receipt, c->line);
        }
    }
    return err == AG_OK ? check_end(c, path) : err;
}

enum ag_err
receipt_check_file(const char *path, const struct receipt_against *against,
                   receipt_each_fn each, void *ctx)
{
    struct checking *c = calloc(1, sizeof(*c));
    enum ag_err err;

    if (c == NULL) {
        return AG_ENOMEM;
    }
    c->against = against;
    c->path = path;
    err = check_all(c, path, each, ctx);
    done(c);
    return err;
}
