/*
 * transcripts.h - a filter for tests of what happens to files: it runs in this
 * process and knows one value.
 */
#ifndef AG_TESTS_TRANSCRIPTS_H
#define AG_TESTS_TRANSCRIPTS_H

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "base/fdx.h"
#include "common/scratch.h"
#include "transcript/passage.h"

#define TRANSCRIPT_VALUE "SECRET-VALUE"
#define TRANSCRIPT_MASK  "[x]"

enum {
    TRANSCRIPT_MAX_BYTES = 256 * 1024,
};

static char transcript_text[TRANSCRIPT_MAX_BYTES + 1];
/* Called in the middle of a passage; or NULL. */
static void (*transcript_meanwhile)(void);

/* Until a child that opens a file waits for its lease: nothing that it does
 * before that is a sleep. */
static inline void
transcript_await(pid_t child)
{
    char path[32];
    char text[64] = "";

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)child);
    while (strstr(text, ") S ") == NULL) {
        AG_AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);

        assert_true(read(fd, text, sizeof(text) - 1) > 0);
        (void)poll(NULL, 0, 1);
    }
}

static inline json_t *
transcript_filter(const char *text, char *out)
{
    json_int_t hits = 0;
    const char *hit;

    out[0] = '\0';
    while ((hit = strstr(text, TRANSCRIPT_VALUE)) != NULL) {
        (void)snprintf(out + strlen(out), (size_t)(hit - text) + 1, "%s", text);
        (void)snprintf(out + strlen(out), sizeof(TRANSCRIPT_MASK), "%s",
                       TRANSCRIPT_MASK);
        text = hit + strlen(TRANSCRIPT_VALUE);
        hits++;
    }
    (void)snprintf(out + strlen(out), strlen(text) + 1, "%s", text);
    return json_pack("{s:I,s:{s:I}}", "hits", hits, "counts", "a/value", hits);
}

static inline enum ag_err
transcript_pass(void *ctx, const char *name, int src_fd, int dst_fd,
                json_t **ret_report)
{
    static char out[TRANSCRIPT_MAX_BYTES + 1];
    size_t len = 0;
    ssize_t n = 1;
    json_t *report;

    (void)ctx;
    (void)name;
    while (n > 0) {
        n = read(src_fd, transcript_text + len, TRANSCRIPT_MAX_BYTES - len);
        len += n > 0 ? (size_t)n : 0;
    }
    if (n < 0) {
        return AG_EIO;
    }
    transcript_text[len] = '\0';
    report = transcript_filter(transcript_text, out);
    if (transcript_meanwhile != NULL) {
        transcript_meanwhile();
    }
    if (write(dst_fd, out, strlen(out)) != (ssize_t)strlen(out)) {
        json_decref(report);
        return AG_EIO;
    }
    *ret_report = report;
    return AG_OK;
}

/* The whole file, as text of this helper's. */
static inline const char *
transcript_read(int dir_fd, const char *name)
{
    int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n;

    if (fd < 0) {
        return NULL;
    }
    n = read(fd, transcript_text, TRANSCRIPT_MAX_BYTES);
    assert_true(n >= 0);
    transcript_text[n] = '\0';
    assert_int_equal(close(fd), 0);
    return transcript_text;
}

#endif
