#include "privsep/filter_vouch.h"

#include <stdlib.h>

#include <sodium.h>

#include "base/secret.h"
#include "redact/digest.h"
#include "redact/format.h"
#include "redact/lockmem.h"
#include "redact/redactor.h"
#include "redact/rule_filter.h"

_Static_assert((int)FILTER_HASH_BYTES == (int)crypto_hash_sha256_BYTES &&
                   (int)FILTER_HASH_BYTES == (int)DIGEST_BYTES,
               "hashes differ");

struct fvouch {
    struct fset *set;
    const struct frules *rules;
    enum filter_rules level;
    struct lockmem in_mem; /* the state keeps up to 63 bytes of the text */
    crypto_hash_sha256_state *in;
    crypto_hash_sha256_state out;
    struct redactor *redactor;
    struct rule_filter *filter;   /* behind it; NULL: no rules */
    struct format_filter *format; /* beside it, with the rules; NULL: text */
    uint64_t text_hits;
    uint64_t format_hits;
    struct filter_vouch found;
};

static void
count_hit(void *ctx, const struct redactor_hit *hit)
{
    uint64_t *count = ctx;

    (void)hit;
    (*count)++;
}

static enum ag_err
let_fall(void *ctx, struct span part)
{
    (void)ctx;
    (void)part;
    return AG_OK;
}

static enum ag_err
make_text(struct fvouch *v, const struct redactor_options *options,
          const struct sink *nowhere)
{
    struct sink sink = *nowhere;
    enum ag_err err =
        frules_filter(v->rules, v->level, options, &sink, &v->filter);

    if (err == AG_OK && v->filter != NULL) {
        sink = rule_filter_sink(v->filter);
    }
    return err == AG_OK ? redactor_new(options, &sink, &v->redactor) : err;
}

/* The second filter: as the first, but that nothing comes out of it. What has a
 * format may be read as text, too: where a value reaches from one string to
 * another a record has none, and yet it stands there. */
static enum ag_err
make_filter(struct fvouch *v, const struct fmsg_stream *stream)
{
    struct redactor_options options = {
        .audience =
            stream->audience == FILTER_TASK ? REDACTOR_TASK : REDACTOR_OPERATOR,
        .marker = stream->has_marker ? stream->marker : NULL,
        .hit_ctx = &v->text_hits,
        .on_hit = count_hit,
    };
    const struct sink nowhere = {.ctx = v, .feed = let_fall};
    struct scrub_terms terms = {.is_known = true};
    struct sink sink = nowhere;
    enum ag_err err;

    if (stream->format == STREAM_TEXT) {
        return make_text(v, &options, &nowhere);
    }
    err = redactor_new(&options, &sink, &v->redactor);
    options.hit_ctx = &v->format_hits;
    terms.options = options;
    if (err == AG_OK) {
        err = frules_terms(v->rules, v->level, &terms.rules);
    }
    return err == AG_OK
               ? format_new(stream->format, &terms, &nowhere, &v->format)
               : err;
}

static enum ag_err
use(struct fvouch *v, const struct matcher *set)
{
    enum ag_err err = redactor_use(v->redactor, set);

    return err == AG_OK && v->format != NULL ? format_use(v->format, set) : err;
}

/* Whatever the set in force needs is taken now. */
static enum ag_err
use_first(struct fvouch *v)
{
    const struct matcher *set = fset_enter(v->set);
    enum ag_err err;

    if (set == NULL) {
        return AG_ELOCKED;
    }
    v->found.first_epoch = fset_epoch(v->set);
    err = use(v, set);
    fset_leave(v->set);
    return err;
}

enum ag_err
fvouch_new(const struct fmsg_stream *stream, struct fset *set,
           const struct frules *rules, struct fvouch **ret)
{
    AG_AUTO(fvouch) struct fvouch *v = calloc(1, sizeof(*v));
    enum ag_err err;

    if (v == NULL) {
        return AG_ENOMEM;
    }
    v->set = set;
    v->rules = rules;
    v->level = stream->rules;
    err = lockmem_init_text(sizeof(*v->in), &v->in_mem);
    if (err == AG_OK) {
        v->in = v->in_mem.ptr;
        (void)crypto_hash_sha256_init(v->in);
        (void)crypto_hash_sha256_init(&v->out);
        err = make_filter(v, stream);
    }
    if (err == AG_OK) {
        err = use_first(v);
    }
    if (err == AG_OK) {
        *ret = AG_TAKE(v);
    }
    return err;
}

void
fvouch_free(struct fvouch *v)
{
    if (v == NULL) {
        return;
    }
    redactor_free(v->redactor);
    rule_filter_free(v->filter);
    format_free(v->format);
    lockmem_done(&v->in_mem);
    wipe(v, sizeof(*v)); /* what came in can be guessed by its hash */
    free(v);
}

void
fvouch_read(struct fvouch *v, struct span part)
{
    if (v != NULL) {
        (void)crypto_hash_sha256_update(v->in, part.ptr, part.len);
    }
}

static enum ag_err
feed_part(struct fvouch *v, struct span part)
{
    enum ag_err err = redactor_feed(v->redactor, part);

    if (err != AG_OK || v->format == NULL) {
        return err;
    }
    err = format_feed(v->format, part);
    return err == AG_OK ? format_settle(v->format) : err;
}

static enum ag_err
finish(struct fvouch *v)
{
    enum ag_err err = redactor_finish(v->redactor);

    return err == AG_OK && v->format != NULL ? format_finish(v->format) : err;
}

static enum ag_err
feed(struct fvouch *v, const struct iovec *iov, size_t len)
{
    enum ag_err err = AG_OK;

    for (; len > 0 && err == AG_OK; iov++) {
        size_t part = iov->iov_len < len ? iov->iov_len : len;

        (void)crypto_hash_sha256_update(&v->out, iov->iov_base, part);
        err = feed_part(v, span_of(iov->iov_base, part));
        len -= part;
    }
    return err;
}

/* With the set in force, which may be newer than the one it was first searched
 * with. `iov` NULL: the end. */
static enum ag_err
search(struct fvouch *v, const struct iovec *iov, size_t len)
{
    const struct matcher *set = fset_enter(v->set);
    enum ag_err err;

    if (set == NULL) {
        return AG_ELOCKED;
    }
    v->found.last_epoch = fset_epoch(v->set);
    err = use(v, set);
    if (err == AG_OK) {
        err = iov != NULL ? feed(v, iov, len) : finish(v);
    }
    if (err == AG_OK && iov == NULL) {
        err = digest_of_set(set, v->found.set_digest, &v->found.value_count);
    }
    fset_leave(v->set);
    return err;
}

enum ag_err
fvouch_wrote(struct fvouch *v, const struct iovec *iov, size_t len)
{
    enum ag_err err = v == NULL ? AG_OK : search(v, iov, len);

    return err == AG_OK && v != NULL && v->filter != NULL
               ? rule_filter_settle(v->filter)
               : err;
}

enum ag_err
fvouch_finish(struct fvouch *v, struct filter_vouch *ret)
{
    enum ag_err err = search(v, NULL, 0);

    if (err == AG_OK) {
        (void)crypto_hash_sha256_final(v->in, v->found.in_sha256);
        (void)crypto_hash_sha256_final(&v->out, v->found.out_sha256);
        frules_digest(v->rules, v->level, v->found.rules_digest,
                      &v->found.rule_count);
        /* What both find is left once. */
        v->found.residual =
            v->text_hits > v->format_hits ? v->text_hits : v->format_hits;
        *ret = v->found;
    }
    return err;
}
