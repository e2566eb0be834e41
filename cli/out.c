#include "out.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/parse.h"
#include "text.h"

static const char *
tone_start(enum out_tone tone)
{
    switch (tone) {
    case OUT_PLAIN:
        return "";
    case OUT_GOOD:
        return "\033[32m";
    case OUT_WARN:
        return "\033[33m";
    case OUT_BAD:
        return "\033[31m";
    case OUT_DIM:
        return "\033[2m";
    case OUT_BOLD:
        return "\033[1m";
    }
    return "";
}

static bool
wants_colour(int fd)
{
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");

    if (no_color != NULL && *no_color != '\0') {
        return false;
    }
    if (term == NULL || strcmp(term, "dumb") == 0) {
        return false;
    }
    return isatty(fd) == 1;
}

void
out_init(struct out *out)
{
    *out = (struct out){
        .stdout_colour = wants_colour(STDOUT_FILENO),
        .stderr_colour = wants_colour(STDERR_FILENO),
        .stderr_terminal = isatty(STDERR_FILENO) == 1,
    };
}

/* One line: coloured head, shown text, newline. */
static void
put_line(FILE *to, bool colour, enum out_tone tone, const char *head,
         const char *text)
{
    bool paint = colour && tone != OUT_PLAIN;

    if (paint) {
        fputs(tone_start(tone), to);
    }
    fputs(head, to);
    text_show(to, text);
    if (paint) {
        fputs("\033[0m", to);
    }
    fputc('\n', to);
}

AG_PRINTF(5, 0)

static void
put_format(FILE *to, bool colour, enum out_tone tone, const char *head,
           const char *fmt, va_list args)
{
    char *text = NULL;

    if (vasprintf(&text, fmt, args) < 0) {
        return; /* no memory for words: the exit code still tells */
    }
    put_line(to, colour, tone, head, text);
    free(text);
}

void
out_say(const struct out *out, const char *fmt, ...)
{
    va_list args;

    if (out->quiet || out->json) {
        return;
    }
    (void)fflush(stdout); /* in one file or pipe, the order things were said */
    va_start(args, fmt);
    put_format(stderr, out->stderr_colour, OUT_PLAIN, "", fmt, args);
    va_end(args);
}

void
out_warn(const struct out *out, const char *fmt, ...)
{
    va_list args;

    (void)fflush(stdout);
    va_start(args, fmt);
    put_format(stderr, out->stderr_colour, OUT_WARN,
               "auth-guard: warning: ", fmt, args);
    va_end(args);
}

void
out_line(const struct out *out, enum out_tone tone, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    put_format(stdout, out->stdout_colour, tone, "", fmt, args);
    va_end(args);
}

enum ag_err
out_json(const struct out *out, const json_t *value)
{
    (void)out;
    if (json_dumpf(value, stdout, JSON_COMPACT | JSON_ENCODE_ANY) != 0) {
        return ferror(stdout) != 0 ? AG_EIO : AG_ENOMEM;
    }
    fputc('\n', stdout);
    return AG_OK;
}

void
out_error(const struct out *out, enum ag_err err)
{
    const char *text = err_text(err);

    if (!out->json) {
        put_line(stderr, out->stderr_colour, OUT_BAD, "auth-guard: ", text);
        return;
    }
    json_auto_t *report = json_pack("{s:{s:s,s:s}}", "error", "code",
                                    err_code(err), "detail", text);
    if (report == NULL) { /* a sentence that is not UTF-8 */
        fprintf(stderr, "{\"error\":{\"code\":\"%s\"}}\n", err_code(err));
        return;
    }
    (void)json_dumpf(report, stderr, JSON_COMPACT);
    fputc('\n', stderr);
}

enum ag_err
out_flush(void)
{
    if (fflush(stdout) != 0 || ferror(stdout) != 0) {
        enum ag_err err = errno == ENOSPC ? AG_ENOSPACE : AG_EIO;
        return err_why(err, "stdout: the output could not be written");
    }
    return AG_OK;
}

enum ag_err
out_bytes(struct span bytes)
{
    size_t done = 0;
    enum ag_err err = out_flush();

    /* write(2), not stdio: its buffer would keep a copy of the value. */
    while (err == AG_OK && done < bytes.len) {
        ssize_t n = write(STDOUT_FILENO, bytes.ptr + done, bytes.len - done);

        if (n < 0 && errno != EINTR) {
            return err_why(AG_EIO, "stdout: the value could not be written");
        }
        done += n > 0 ? (size_t)n : 0;
    }
    return err;
}

void
out_progress(const struct out *out, const char *what)
{
    if (!out->stderr_terminal || out->quiet || out->json) {
        return;
    }
    if (what == NULL) {
        fputs("\r\033[K", stderr);
    } else {
        fprintf(stderr, "\r\033[K%s…", what);
    }
    fflush(stderr);
}

struct unit {
    int64_t ms;
    const char *name;
};

const char *
out_when(const char *rfc3339, char out[OUT_WHEN_BYTES])
{
    static const struct unit units[] = {
        {86400000, "d"}, {3600000, "h"}, {60000, "min"}, {1000, "s"}};
    int64_t at_ms = 0;
    int64_t away_ms;
    size_t i = 0;

    if (rfc3339 == NULL || parse_time_ms(span_str(rfc3339), &at_ms) != AG_OK) {
        snprintf(out, OUT_WHEN_BYTES, "-");
        return out;
    }
    away_ms = at_ms - clock_wall_ms();
    bool past = away_ms < 0;
    away_ms = past ? -away_ms : away_ms;
    while (i + 1 < AG_COUNT(units) &&
           away_ms < units[i].ms - (past ? 0 : units[i].ms / 60)) {
        i++;
    }
    /* What is nearly there counts: eight hours are not "in 7 h" at once. */
    away_ms += past ? 0 : units[i].ms / 12;
    snprintf(out, OUT_WHEN_BYTES, past ? "%lld %s ago" : "in %lld %s",
             (long long)(away_ms / units[i].ms), units[i].name);
    return out;
}

const char *
out_member(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text == NULL || *text == '\0' ? "-" : text;
}

int64_t
out_member_int(const json_t *object, const char *key)
{
    return (int64_t)json_integer_value(json_object_get(object, key));
}
