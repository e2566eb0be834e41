#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

enum {
    LINE_BYTES = 2048
}; /* one write(2): lines of threads don't mix */

static const char *const LEVEL_NAMES[] = {
    [LOG_ERROR] = "error",
    [LOG_WARN] = "warn",
    [LOG_INFO] = "info",
    [LOG_DEBUG] = "debug",
};

static _Atomic int level_now = LOG_INFO;

struct line {
    char text[LINE_BYTES];
    size_t len;
};

void
log_set_level(enum log_level level)
{
    atomic_store_explicit(&level_now, (int)level, memory_order_relaxed);
}

static void
add(struct line *line, const char *text)
{
    size_t room = sizeof(line->text) - 1 - line->len; /* 1: the newline */
    size_t len = strnlen(text, room);

    memcpy(line->text + line->len, text, len);
    line->len += len;
}

/* A value with anything but plain characters is quoted; what could end the
 * line or steer a terminal becomes '?'. */
static void
add_value(struct line *line, const char *text)
{
    static const char PLAIN[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "._-/:@+,%~*#[]()";
    char one[2] = {0};

    if (text[0] != '\0' && text[strspn(text, PLAIN)] == '\0') {
        add(line, text);
        return;
    }
    add(line, "\"");
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;

        one[0] = (char)(c < 0x20 || c == 0x7f ? '?' : c);
        if (c == '"' || c == '\\') {
            add(line, "\\");
        }
        add(line, one);
    }
    add(line, "\"");
}

void
log_event(enum log_level level, const char *event, ...)
{
    struct line line = {.len = 0};
    char when[CLOCK_TEXT_BYTES];
    va_list pairs;

    if ((int)level > atomic_load_explicit(&level_now, memory_order_relaxed)) {
        return;
    }
    clock_text(clock_wall_ms(), when);
    add(&line, when);
    add(&line, " level=");
    add(&line, LEVEL_NAMES[level]);
    add(&line, " event=");
    add_value(&line, event);
    va_start(pairs, event);
    for (const char *key = va_arg(pairs, const char *); key != NULL;
         key = va_arg(pairs, const char *)) {
        const char *value = va_arg(pairs, const char *);

        add(&line, " ");
        add(&line, key);
        add(&line, "=");
        add_value(&line, value == NULL ? "" : value);
    }
    va_end(pairs);
    line.text[line.len++] = '\n';
    /* stderr gone: there is nobody left to tell */
    if (write(STDERR_FILENO, line.text, line.len) < 0) {
        return;
    }
}
