/*
 * pgfake.h - a server that speaks as much of PostgreSQL's protocol (3.0) as a
 * test needs: it lets everybody in, keeps what it was asked and answers by a
 * script. Source: the manual, chapter "Frontend/Backend Protocol".
 */
#ifndef AG_TESTS_PGFAKE_H
#define AG_TESTS_PGFAKE_H

#include <sys/socket.h>

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <netinet/in.h>

#include "common/check.h"

enum {
    PGFAKE_ASKED_COUNT = 32,
    PGFAKE_ANSWERS_COUNT = 32,
    PGFAKE_TEXT_BYTES = 2048,
};

/* answers: of each statement in turn: NULL, done; "CUT", the connection ends
 * first; "HOLD", done when `released`; "COPY", it waits for data; an SQLSTATE. The first entry may be
 * of the login: "!28P01", or "!clear" and "!slow", it wants the password itself,
 * at once or in parts. */
struct pgfake {
    int fd;
    int port;
    pthread_t thread;
    pthread_mutex_t lock;
    const char *answers[PGFAKE_ANSWERS_COUNT];
    size_t answer_count;
    size_t next;
    atomic_bool is_held; /* somebody waits … */
    atomic_bool released;
    size_t here_count; /* connections that came, and went */
    size_t gone_count;
    char limits[PGFAKE_TEXT_BYTES]; /* what sessions began with */
    size_t asked_count;
    char asked[PGFAKE_ASKED_COUNT][PGFAKE_TEXT_BYTES];
};

static inline bool
pgfake_read(int fd, void *into, size_t len)
{
    size_t have = 0;

    while (have < len) {
        ssize_t got = read(fd, (char *)into + have, len - have);

        if (got <= 0) {
            return false;
        }
        have += (size_t)got;
    }
    return true;
}

/* kind 0: a start-up message, without one. */
static inline bool
pgfake_message(int fd, char *kind, char text[PGFAKE_TEXT_BYTES])
{
    uint8_t head[4];
    uint32_t len = 0;

    if ((kind != NULL && !pgfake_read(fd, kind, 1)) ||
        !pgfake_read(fd, head, sizeof(head))) {
        return false;
    }
    len = (uint32_t)head[0] << 24 | (uint32_t)head[1] << 16 |
          (uint32_t)head[2] << 8 | head[3];
    len -= 4;
    if (len >= PGFAKE_TEXT_BYTES || !pgfake_read(fd, text, len)) {
        return false;
    }
    text[len] = '\0';
    return true;
}

static inline void
pgfake_send(int fd, char kind, const void *body, size_t len)
{
    uint8_t head[5] = {(uint8_t)kind, 0, 0, (uint8_t)((len + 4) >> 8),
                       (uint8_t)(len + 4)};

    (void)send(fd, head, sizeof(head), MSG_NOSIGNAL);
    (void)send(fd, body, len, MSG_NOSIGNAL);
}

static inline void
pgfake_error(int fd, const char *severity, const char *state)
{
    char body[80];
    int len = snprintf(body, sizeof(body), "S%s%cV%s%cC%s%cMno%c", severity, 0,
                       severity, 0, state, 0, 0);

    pgfake_send(fd, 'E', body, (size_t)len + 1);
}

/* The script's next entry; *ret_left: there was one. */
static inline const char *
pgfake_next(struct pgfake *f, bool login)
{
    const char *answer = NULL;

    (void)pthread_mutex_lock(&f->lock);
    if (f->next < f->answer_count) {
        answer = f->answers[f->next];
        if (login != (answer != NULL && answer[0] == '!')) {
            answer = NULL;
            f->next -= login ? 1 : 0;
        }
        f->next++;
    }
    (void)pthread_mutex_unlock(&f->lock);
    return answer;
}

static inline void
pgfake_keep(struct pgfake *f, const char *text)
{
    (void)pthread_mutex_lock(&f->lock);
    if (f->asked_count < PGFAKE_ASKED_COUNT) {
        (void)snprintf(f->asked[f->asked_count++], PGFAKE_TEXT_BYTES, "%s",
                       text);
    }
    (void)pthread_mutex_unlock(&f->lock);
}

static inline void
pgfake_answer(int fd, const char *answer)
{
    if (answer != NULL && strcmp(answer, "COPY") == 0) {
        pgfake_send(fd, 'G', "\0\0\0", 3);
        return;
    }
    if (answer != NULL) {
        pgfake_error(fd, "ERROR", answer);
    } else {
        pgfake_send(fd, 'C', "DONE", 5);
    }
    pgfake_send(fd, 'Z', "I", 1);
}

/* What comes for an answer is kept: the password. */
static inline void
pgfake_refuse(struct pgfake *f, int fd, const char *how)
{
    static const char ASKS[] = "R\0\0\0\x08\0\0\0\x03";
    char text[PGFAKE_TEXT_BYTES];
    char kind = 0;
    size_t first = strcmp(how, "slow") == 0 ? 6 : 9;

    if (strcmp(how, "clear") != 0 && strcmp(how, "slow") != 0) {
        pgfake_error(fd, "FATAL", how);
        return;
    }
    (void)send(fd, ASKS, first, MSG_NOSIGNAL);
    (void)poll(NULL, 0, 30);
    (void)send(fd, ASKS + first, 9 - first, MSG_NOSIGNAL);
    if (pgfake_message(fd, &kind, text)) {
        pgfake_keep(f, text);
    }
}

static inline void
pgfake_serve(struct pgfake *f, int fd)
{
    char text[PGFAKE_TEXT_BYTES];
    char kind = 0;
    const char *answer = NULL;

    if (!pgfake_message(fd, NULL, text)) {
        return;
    }
    answer = pgfake_next(f, true);
    if (answer != NULL) {
        pgfake_refuse(f, fd, answer + 1);
        return;
    }
    pgfake_send(fd, 'R', "\0\0\0\0", 4);
    pgfake_send(fd, 'Z', "I", 1);
    while (pgfake_message(fd, &kind, text) && kind == 'Q') {
        bool ours = strncmp(text, "SET statement_timeout", 21) == 0;

        answer = ours ? NULL : pgfake_next(f, false);
        if (ours) {
            (void)pthread_mutex_lock(&f->lock);
            (void)snprintf(f->limits, sizeof(f->limits), "%s", text);
            (void)pthread_mutex_unlock(&f->lock);
        } else {
            pgfake_keep(f, text);
        }
        if (answer != NULL && strcmp(answer, "CUT") == 0) {
            return;
        }
        if (answer != NULL && strcmp(answer, "HOLD") == 0) {
            atomic_store(&f->is_held, true);
            while (!atomic_load(&f->released)) {
                (void)poll(NULL, 0, 1);
            }
            answer = NULL;
        }
        pgfake_answer(fd, answer);
    }
}

struct pgfake_one {
    struct pgfake *f;
    int fd;
};

static inline void *
pgfake_one(void *arg)
{
    struct pgfake_one *one = arg;
    struct pgfake *f = one->f;

    pgfake_serve(f, one->fd);
    (void)close(one->fd);
    free(one);
    (void)pthread_mutex_lock(&f->lock);
    f->gone_count++;
    (void)pthread_mutex_unlock(&f->lock);
    return NULL;
}

static inline void *
pgfake_run(void *arg)
{
    struct pgfake *f = arg;
    int fd = -1;

    while ((fd = accept(f->fd, NULL, NULL)) >= 0) {
        struct pgfake_one *one = malloc(sizeof(*one));
        pthread_t thread;

        assert_non_null(one);
        *one = (struct pgfake_one){f, fd};
        assert_int_equal(pthread_create(&thread, NULL, pgfake_one, one), 0);
        (void)pthread_mutex_lock(&f->lock);
        f->here_count++;
        (void)pthread_mutex_unlock(&f->lock);
        (void)pthread_detach(thread);
    }
    return NULL;
}

static inline void
pgfake_start(struct pgfake *f)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);

    memset(f, 0, sizeof(*f));
    (void)pthread_mutex_init(&f->lock, NULL);
    f->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(f->fd >= 0);
    assert_int_equal(bind(f->fd, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(f->fd, 8), 0);
    assert_int_equal(getsockname(f->fd, (struct sockaddr *)&at, &len), 0);
    f->port = ntohs(at.sin_port);
    assert_int_equal(pthread_create(&f->thread, NULL, pgfake_run, f), 0);
}

/* Waits for who is connected to go. */
static inline void
pgfake_stop(struct pgfake *f)
{
    (void)shutdown(f->fd, SHUT_RDWR);
    (void)pthread_join(f->thread, NULL);
    (void)close(f->fd);
    for (bool all = false; !all;) {
        (void)pthread_mutex_lock(&f->lock);
        all = f->gone_count == f->here_count;
        (void)pthread_mutex_unlock(&f->lock);
        (void)poll(NULL, 0, 1);
    }
    (void)pthread_mutex_destroy(&f->lock);
}

static inline void
pgfake_script(struct pgfake *f, const char *const *answers, size_t count)
{
    assert_true(count <= PGFAKE_ANSWERS_COUNT);
    (void)pthread_mutex_lock(&f->lock);
    for (size_t i = 0; i < count; i++) {
        f->answers[i] = answers[i];
    }
    f->answer_count = count;
    f->next = 0;
    f->asked_count = 0;
    (void)pthread_mutex_unlock(&f->lock);
}

/* How often it was asked for this since the script began. */
static inline size_t
pgfake_count(struct pgfake *f, const char *what)
{
    size_t count = 0;

    (void)pthread_mutex_lock(&f->lock);
    for (size_t i = 0; i < f->asked_count; i++) {
        count += strstr(f->asked[i], what) != NULL ? 1 : 0;
    }
    (void)pthread_mutex_unlock(&f->lock);
    return count;
}

#endif
