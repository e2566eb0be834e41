/*
 * sample.h - a credential file made from one of a profile's field patterns: as
 * the tool would write it, with a given value in the field.
 */
#ifndef AG_TESTS_SAMPLE_H
#define AG_TESTS_SAMPLE_H

#include "base/buf.h"
#include "common/check.h"
#include "profile/profile.h"

/* A pattern's segment as a name: `*` stands for something. */
static inline void
segment(struct buf *out, struct span pattern)
{
    for (size_t i = 0; i < pattern.len; i++) {
        if (pattern.ptr[i] == '*') {
            check_ok(buf_add_str(out, "any"));
        } else if (pattern.ptr[i] == '~') {
            check_ok(buf_add_byte(out, pattern.ptr[++i] == '1' ? '/' : '~'));
        } else {
            check_ok(buf_add_byte(out, pattern.ptr[i]));
        }
    }
}

/* The segments of a pattern, `**` left out, each as its own text. */
struct names {
    char text[8][128];
    size_t count;
};

static inline struct names
names_of(const char *pattern)
{
    struct names names = {.count = 0};
    struct span rest = span_str(pattern);

    while (rest.len > 0) {
        struct span part;
        AG_AUTO(buf) struct buf text = {0};

        rest = span_sub(rest, 1, rest.len - 1);
        part = span_sub(rest, 0, span_find(rest, '/'));
        rest = span_sub(rest, part.len, rest.len - part.len);
        if (span_is(part, "**")) {
            continue;
        }
        buf_init(&text, 127, BUF_PLAIN);
        segment(&text, part);
        (void)snprintf(names.text[names.count++], 128, "%s", buf_cstr(&text));
    }
    return names;
}

static inline void
json_sample(struct buf *out, const struct names *names, const char *value)
{
    for (size_t i = 0; i < names->count; i++) {
        check_ok(buf_fmt(out, "{\"%s\": ", names->text[i]));
    }
    check_ok(buf_fmt(out, "\"%s\"", value));
    for (size_t i = 0; i < names->count; i++) {
        check_ok(buf_add_str(out, "}"));
    }
}

static inline void
yaml_sample(struct buf *out, const struct names *names, const char *value)
{
    for (size_t i = 0; i < names->count; i++) {
        check_ok(buf_fmt(out, "%*s%s:%s", (int)i * 4, "", names->text[i],
                         i + 1 < names->count ? "\n" : " "));
    }
    check_ok(buf_fmt(out, "%s\n", value));
}

static inline void
ini_sample(struct buf *out, const struct names *names, const char *value,
           const char *quote)
{
    const char *last = names->text[names->count - 1];

    if (names->count > 1) {
        check_ok(buf_add_str(out, "["));
        for (size_t i = 0; i + 1 < names->count; i++) {
            check_ok(buf_fmt(out, "%s%s", i == 0 ? "" : ".", names->text[i]));
        }
        check_ok(buf_add_str(out, "]\n"));
    }
    check_ok(buf_fmt(out, "%s = %s%s%s\n", last, quote, value, quote));
}

static inline void
sample(struct buf *out, enum file_format format, const char *pattern,
       const char *value)
{
    struct names names = names_of(pattern);

    switch (format) {
    case FORMAT_JSON:
        json_sample(out, &names, value);
        return;
    case FORMAT_YAML:
        yaml_sample(out, &names, value);
        return;
    case FORMAT_INI:
        ini_sample(out, &names, value, "");
        return;
    case FORMAT_TOML:
        ini_sample(out, &names, value, "\"");
        return;
    case FORMAT_ENV:
        check_ok(buf_fmt(out, "X=1\nexport %s=%s\n", names.text[0], value));
        return;
    case FORMAT_NETRC:
        check_ok(
            buf_fmt(out, "machine h.example login me password %s\n", value));
        return;
    case FORMAT_PGPASS:
        check_ok(buf_fmt(out, "h:5432:db:me:%s\n", value));
        return;
    case FORMAT_URLS:
        check_ok(buf_fmt(out, "https://me:%s@git.example\n", value));
        return;
    case FORMAT_PEM:
        check_ok(buf_fmt(out,
                         "-----BEGIN PRIVATE KEY-----\n%s\n"
                         "-----END PRIVATE KEY-----\n",
                         value));
        return;
    case FORMAT_OPAQUE:
    case FORMAT_SQLITE:
        check_ok(buf_fmt(out, "%s\n", value));
        return;
    }
}

#endif
