/*
 * filter.h - the process that holds the redaction set in every form, and the
 * broker's side of it. Values go in, text passes through from descriptor to
 * descriptor, counts and an epoch come out; never a value.
 * Floor: privsep. Depends on: privsep/channel, privsep/spawn, redact.
 *
 * The process may read, write, poll, receive descriptors and start threads;
 * it can open, connect or execute nothing. One thread per stream. It ends with
 * its channel, and every stream with it: nothing passes unfiltered.
 */
#ifndef AG_PRIVSEP_FILTER_H
#define AG_PRIVSEP_FILTER_H

#include <sys/types.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "redact/format.h"

struct filter;
struct secret;

/*
 * What the helper knows of placeholders, which look like secrets and are none:
 * given by whoever starts it, since they are made of profiles. Called on any
 * thread of the helper.
 */
struct filter_ours {
    /* The key they are known by; empty: there is none any more. */
    enum ag_err (*set_key)(struct span key);
    bool (*is_ours)(void *ctx, struct span secret);
};

/* The helper's main: serves until the channel ends. Returns an exit code.
 * `ours` may be NULL. */
int filter_main(int channel_fd, const struct filter_ours *ours);

enum {
    FILTER_VALUE_MAX_BYTES = 64 * 1024,
    FILTER_STREAMS_MAX_COUNT = 64, /* each has a thread and locked buffers */
    FILTER_BODY_MAX_BYTES = 256 * 1024,
    FILTER_COUNTS_MAX_COUNT = 128, /* rows of one report */
    FILTER_MARKER_MAX_BYTES = 64,
    FILTER_SPARE_MAX_COUNT = 1024, /* tokens come and go without end */
    FILTER_GROUP_BITS = 12,        /* of an id: which value of its group */
};

/*
 * Starts the helper; see spawn.h for when. `died` (may be NULL) is called once
 * with `arg`, on the channel's thread, when the helper is gone; before it every
 * live stream's end callback has been called with AG_EFILTER. Every later call
 * is AG_EFILTER.
 * Errors: AG_EIO, AG_ENOMEM, AG_EUNSUPPORTED.
 */
AG_CHECK enum ag_err filter_start(void (*died)(void *arg), void *arg,
                                  struct filter **ret);
/* Ends the helper; end callbacks of streams still alive are not called, nor is
 * `died`. NULL is allowed. */
void filter_stop(struct filter *f);
AG_DEFINE_CLEANUP(filter, filter_stop)

AG_NONNULL pid_t filter_pid(const struct filter *f);
AG_NONNULL bool filter_is_alive(struct filter *f);

/* ---- the set: one caller at a time (the writer) ---- */

enum filter_load_flags {
    FILTER_LOAD_PLAIN = 0,
    FILTER_LOAD_NO_LINES = 1, /* only the whole value, not its lines */
    FILTER_LOAD_SPARE = 2,    /* a token: the newest of these are kept */
};

/*
 * Adds a value under `id` (the caller's; one already there is replaced) and
 * `name` (as the marker shows it). In force after filter_commit(). What is too
 * short or guessable (redact/strength.h) is accepted and left out: the caller
 * warns of it. Of values with FILTER_LOAD_SPARE about the newest
 * FILTER_SPARE_MAX_COUNT stay, and one that is dropped may stay for a while;
 * they may be in force before the commit.
 * Errors: AG_ELIMIT, AG_EINVAL (name), AG_EMEMLOCK, AG_EFILTER; errors of the
 *         helper may come with a later load or with the commit.
 */
AG_CHECK AG_NONNULL enum ag_err filter_load(struct filter *f, uint64_t id,
                                            const char *name,
                                            const struct secret *value,
                                            enum filter_load_flags flags);

/* Removes a value with the next commit; an unknown id is no error. */
AG_CHECK AG_NONNULL enum ag_err filter_drop(struct filter *f, uint64_t id);

/* The same of all whose ids differ from `id` in the lowest FILTER_GROUP_BITS
 * at most: a value and its fields, however many they were. */
AG_CHECK AG_NONNULL enum ag_err filter_drop_group(struct filter *f,
                                                  uint64_t id);

/*
 * Puts loads and drops in force and returns when no stream searches with the
 * old set any more: whatever a stream reads after this is searched for the new
 * values. On error the old set stays in force and the changes stay waiting.
 * Without changes it is cheap.
 * Errors: AG_EMEMLOCK, AG_ENOMEM, AG_EFILTER, AG_ETIMEOUT.
 */
AG_CHECK AG_NONNULL enum ag_err filter_commit(struct filter *f,
                                              uint64_t *ret_epoch);

/*
 * On lock: ends all streams (AG_ELOCKED), wipes the set and what waits. Until
 * the next commit a stream is refused with AG_ELOCKED.
 */
AG_CHECK AG_NONNULL enum ag_err filter_wipe(struct filter *f);

/* The key that placeholders are known by, until filter_wipe(): those found by
 * rules are left. Errors: AG_EMEMLOCK, AG_ENOMEM, AG_EFILTER, AG_ETIMEOUT. */
AG_CHECK AG_NONNULL enum ag_err filter_know(struct filter *f,
                                            const struct secret *key);

struct filter_stats {
    uint64_t epoch; /* 0: no set */
    uint64_t value_count;
    uint64_t entry_count;
    uint64_t locked_bytes; /* set, changes, buffers of streams */
    uint64_t stream_count;
};
AG_CHECK AG_NONNULL enum ag_err filter_stats(struct filter *f,
                                             struct filter_stats *ret);

/* ---- streams: any thread ---- */

enum filter_audience {
    FILTER_OPERATOR, /* all forms, held back only while a match is open */
    FILTER_TASK,     /* no oracle: see redact/redactor.h */
};

/* What is looked for besides the set: secrets that only look like one. */
enum filter_rules {
    FILTER_RULES_NONE,
    FILTER_RULES_DEFAULT,
    FILTER_RULES_ALL,
};

struct filter_options {
    enum filter_audience audience;
    enum filter_rules rules; /* hits are named "rule:ID" */
    bool places;             /* filter_copy.h: written in the text's stead */
    enum format format;      /* what the text is */
    const char *marker;      /* one %s or none; NULL: "[redacted:%s]" */
    bool vouch;              /* the report is to say what it vouches for */
};

enum {
    FILTER_HASH_BYTES = 32,
};

/* What the process itself saw of a stream that ended well. Digests are those
 * of redact/digest.h: not to be shown as they are. */
struct filter_vouch {
    uint8_t in_sha256[FILTER_HASH_BYTES];
    uint8_t out_sha256[FILTER_HASH_BYTES];
    uint8_t set_digest[FILTER_HASH_BYTES];   /* of the set at its end */
    uint8_t rules_digest[FILTER_HASH_BYTES]; /* zeros: without rules */
    uint64_t first_epoch;                    /* of the sets that it was */
    uint64_t last_epoch;                     /* searched with */
    uint64_t value_count;                    /* in the last; no tokens */
    uint64_t rule_count;
    uint64_t residual; /* hits when what came out was searched again */
};

/* Hits on one value in one form. */
struct filter_count {
    uint64_t id;
    const char *name;
    const char *form; /* "raw", "base64", …: static */
    uint64_t count;
    uint64_t first_offset; /* in the source, of the first of them */
};

/* How a stream ended; borrowed for the call. */
struct filter_report {
    uint64_t stream;
    /* AG_OK end of the source; AG_EIO reading or writing failed (a closed
     * reader too); AG_EREVOKED cancelled; AG_ELOCKED wiped; AG_EFILTER the
     * helper died; AG_EMEMLOCK */
    enum ag_err result;
    uint64_t bytes_in;
    uint64_t bytes_out;
    uint64_t hits; /* all, also those without a row */
    const struct filter_count *counts;
    size_t count_count;
    const struct filter_vouch *vouch; /* NULL: not asked for, or not AG_OK */
};

/* A hit of a rule, not of a value that is known. */
AG_NONNULL bool filter_is_rule(const struct filter_count *row);

/* A part of a value, or a value as a reader would see it: less sure than one
 * of the forms that are guaranteed. */
AG_NONNULL bool filter_is_look(const struct filter_count *row);

typedef void (*filter_end_fn)(void *arg, const struct filter_report *report);
/* The same while it runs: the counts so far, within 100 ms of a
 * hit, and of a value or form that is new before the text goes on. Called before
 * `ended`, and under the same rules. As `rest`: of hits that found no row in
 * these counts, those since the last such call, also before `ended`. */
typedef void (*filter_hits_fn)(void *arg, const struct filter_report *report);

/*
 * Copies src to dst through the filter until src ends (EIO of a terminal's
 * master side is its end). Both are borrowed: the helper has copies of its own
 * and closes them when the stream ends. Their flags are left as they are.
 * `ended` is called exactly once if the result is AG_OK, on the channel's
 * thread: it must not block for long nor call a function of this header, and
 * may come before this call returns. Once it has been called everything that
 * could be written has been.
 * Errors: AG_ELOCKED no set; AG_ELIMIT too many streams; AG_EINVAL marker;
 *         AG_EMEMLOCK; AG_EFILTER; AG_ETIMEOUT; with rules also what the
 *         helper could not load them for, with a sentence: AG_EUNSUPPORTED,
 *         AG_ENOTFOUND, AG_EMODE, AG_ECORRUPT.
 */
struct filter_route {
    int src_fd;
    int dst_fd;
    struct filter_options options;
    filter_end_fn ended;
    filter_hits_fn hits; /* or NULL */
    filter_hits_fn rest; /* or NULL */
    void *arg;
};
AG_CHECK AG_NONNULL enum ag_err filter_stream(struct filter *f,
                                              const struct filter_route *route,
                                              uint64_t *ret_stream);

/* Ends a stream where it is; its end callback comes with AG_EREVOKED. An id
 * that has ended is no error. */
AG_CHECK AG_NONNULL enum ag_err filter_cancel(struct filter *f,
                                              uint64_t stream);

/*
 * Filters one body whole, appended to `out` (use BUF_WIPE). `counted` (may be
 * NULL) is called with the report before it returns. Blocks, some 100 µs for
 * small bodies. SIGPIPE must be ignored in the process.
 * Errors: as filter_stream; AG_ELIMIT body or out.
 */
AG_CHECK enum ag_err filter_body(struct filter *f, struct span body,
                                 const struct filter_options *options,
                                 struct buf *out, filter_end_fn counted,
                                 void *arg);

#endif
