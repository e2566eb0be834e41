/*
 * tokens.h - where a form of CLASS_TOKENS may begin, if a set has few of
 * them: on machines with AVX2 each place of a text is looked at, 32 at once,
 * which costs less than a look in every third place.
 * Floor: redact. Depends on: redact/matcher_impl, base/cpu.
 *
 * The forms are dealt to TOKENS_BUCKET_COUNT buckets, a bit each. For each of
 * their first bytes a table tells, by the byte's low half and again by its high
 * half, which buckets have a form with such a byte there; where one bucket is
 * left by all of these, one of its forms may begin.
 */
#ifndef AG_REDACT_TOKENS_H
#define AG_REDACT_TOKENS_H

#include "redact/matcher_impl.h"

enum {
    TOKENS_BUCKET_COUNT = 8,
    TOKENS_MAX_COUNT = 32,    /* more would be met by chance too often */
    TOKENS_DEPTH = KEY_BYTES, /* no form is shorter */
    TOKENS_TABLES_BYTES = TOKENS_DEPTH * 2 * 16,
    /* From its last place on, bytes that are read. */
    TOKENS_READ_BYTES = 32 + TOKENS_DEPTH - 1,
};

/* Puts form `number` of `count`: first the first one, into tables of zeros, and
 * so on in their order, as then the first bytes of one bucket are alike. */
AG_NONNULL void tokens_put(struct set_tokens *t, const uint8_t *form,
                           size_t number, size_t count);

/* Can this machine look so? */
bool tokens_can_look(void);

/* The first place from text[at] on where a form may begin; `end`: there is none
 * before it. TOKENS_READ_BYTES must be there from text[end - 1] on. Only where
 * tokens_can_look(). */
AG_NONNULL size_t tokens_next(const struct set_tokens *t, const uint8_t *text,
                              size_t at, size_t end);

#endif
