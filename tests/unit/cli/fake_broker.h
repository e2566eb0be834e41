/*
 * fake_broker.h - a broker for tests of the command line: answers HTTP from a
 * table, and on fd.sock delivers, copies streams and takes files, without any
 * vault. It runs in a process of its own and writes what it was asked to
 * DIR/log.
 */
#ifndef TESTS_UNIT_CLI_FAKE_BROKER_H
#define TESTS_UNIT_CLI_FAKE_BROKER_H

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fdx.h"

/* A row answers the requests whose "METHOD PATH" starts with `request`. */
struct fake_route {
    const char *request;
    const char *answer; /* status line and headers made if it starts with '{' */
};

struct fake {
    char dir[96];
    pid_t pid;
};

struct fake_line {
    int sock;
    pthread_mutex_t lock;
    const char *dir;
    int streams;
    int takes;
    char life[64]; /* its ticket */
};

struct fake_copy {
    struct fake_line *line;
    int number;
    int src;
    int dst;
};

__attribute__((format(printf, 2, 3))) static inline void
fake_log(const char *dir, const char *fmt, ...)
{
    char path[128];
    va_list args;
    int fd;

    snprintf(path, sizeof(path), "%s/log", dir);
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    va_start(args, fmt);
    vdprintf(fd, fmt, args);
    va_end(args);
    close(fd);
}

__attribute__((format(printf, 2, 3))) static inline void
fake_say(struct fake_line *line, const char *fmt, ...)
{
    char text[512];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    pthread_mutex_lock(&line->lock);
    (void)!send(line->sock, text, strlen(text), MSG_NOSIGNAL);
    pthread_mutex_unlock(&line->lock);
}

static void *
fake_copy_run(void *arg)
{
    struct fake_copy *copy = arg;
    char bytes[4096];
    ssize_t n;

    while ((n = read(copy->src, bytes, sizeof(bytes))) > 0) {
        (void)!write(copy->dst, bytes, (size_t)n);
    }
    close(copy->src);
    close(copy->dst);
    fake_say(copy->line, "{\"event\":\"stream_end\",\"stream\":%d,\"hits\":0}",
             copy->number);
    free(copy);
    return NULL;
}

/* The task has been ended: nothing of it is good any more, and why comes when
 * it is on the record. */
static void
fake_refuse(struct fake_line *line, const int *fds)
{
    close(fds[0]);
    close(fds[1]);
    fake_say(line, "{\"code\":\"ticket_refused\",\"detail\":\"no ticket\"}");
    if (strcmp(line->life, "agx_alarm") == 0) {
        usleep(200000);
        fake_say(line, "{\"event\":\"end\",\"reason\":\"alarm\"}");
    }
}

static void
fake_stream(struct fake_line *line, const int *fds)
{
    struct fake_copy *copy = calloc(1, sizeof(*copy));
    pthread_t thread;

    *copy = (struct fake_copy){line, ++line->streams, fds[0], fds[1]};
    fake_say(line, "{\"ok\":true,\"stream\":%d}", copy->number);
    pthread_create(&thread, NULL, fake_copy_run, copy);
    pthread_detach(thread);
}

static void
fake_take(struct fake_line *line, int fd)
{
    char path[128];
    char bytes[4096];
    ssize_t n = pread(fd, bytes, sizeof(bytes), 0);
    int to;

    snprintf(path, sizeof(path), "%s/taken.%d", line->dir, ++line->takes);
    to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    (void)!write(to, bytes, n > 0 ? (size_t)n : 0);
    close(to);
    close(fd);
    fake_say(line, "{\"ok\":true,\"version\":%d,\"changed\":true}",
             line->takes + 1);
}

/* The ticket of a message, e.g. "agx_value": what is delivered is named so. */
static void
fake_ticket(const char *text, char out[64])
{
    const char *at = strstr(text, "\"ticket\":\"");

    snprintf(out, 64, "%.*s", at == NULL ? 0 : (int)strcspn(at + 10, "\""),
             at == NULL ? "" : at + 10);
}

static void
fake_op(struct fake_line *line, const char *text, int *fds)
{
    char ticket[64];

    fake_ticket(text, ticket);
    if (strstr(text, "\"op\":\"life\"") != NULL) {
        (void)stpcpy(line->life, ticket);
        fake_say(line, "{\"ok\":true,\"task\":\"7\"}");
        if (strcmp(ticket, "agx_expires") == 0) {
            usleep(300000);
            fake_say(line, "{\"event\":\"end\",\"reason\":\"expired\"}");
        }
        if (strcmp(ticket, "agx_dies") == 0) {
            usleep(300000);
            _exit(1);
        }
    } else if (strstr(text, "\"op\":\"stream\"") != NULL) {
        if (line->streams == 1 && strstr("agx_alarm agx_late", line->life)) {
            fake_refuse(line, fds);
        } else {
            fake_stream(line, fds);
        }
    } else if (strstr(text, "\"op\":\"deliver\"") != NULL) {
        dprintf(fds[0], "value of %s", ticket);
        close(fds[0]);
        fake_say(line, "{\"ok\":true,\"bytes\":9}");
    } else if (strstr(text, "\"op\":\"take\"") != NULL) {
        fake_take(line, fds[0]);
    } else {
        fake_say(line, "{\"ok\":true,\"task\":\"7\",\"hits\":0}");
    }
}

static void *
fake_line_run(void *arg)
{
    struct fake_line *line = arg;
    char text[2048]; /* longer messages are none of these tests */
    int fds[FD_PASS_MAX_COUNT];
    size_t fd_count = 0;
    size_t len = 0;

    while (fd_recv(line->sock, text, sizeof(text) - 1, &len, fds, &fd_count) ==
               AG_OK &&
           len > 0) {
        text[len] = '\0';
        fake_log(line->dir, "fd.sock %s\n", text);
        fake_op(line, text, fds);
    }
    fake_log(line->dir, "fd.sock end\n");
    return NULL;
}

/* ---- HTTP ---- */

enum {
    FAKE_TEXT_BYTES = 65536
};

struct fake_http {
    int sock;
    const char *dir;
    const struct fake_route *routes;
};

/* Head and body of one request; false at the end. */
static int
fake_read_request(int sock, char *text, size_t cap)
{
    size_t len = 0;
    size_t want = 0;

    while (want == 0 || len < want) {
        ssize_t n = recv(sock, text + len, cap - 1 - len, 0);
        const char *end;
        const char *cl;

        if (n <= 0) {
            return 0;
        }
        len += (size_t)n;
        text[len] = '\0';
        end = strstr(text, "\r\n\r\n");
        cl = strstr(text, "Content-Length: ");
        if (end != NULL) {
            want = (size_t)(end - text) + 4 +
                   (cl != NULL ? strtoul(cl + 16, NULL, 10) : 0);
        }
    }
    return 1;
}

static void
fake_answer(const struct fake_http *http, const char *request)
{
    const struct fake_route *r = http->routes;
    char head[160];

    while (r->request != NULL &&
           strncmp(request, r->request, strlen(r->request)) != 0) {
        r++;
    }
    if (r->request == NULL) {
        const char *none = "{\"code\":\"not_found\",\"detail\":\"no route\"}";
        dprintf(http->sock,
                "HTTP/1.1 404 Not Found\r\nContent-Length: %zu\r\n\r\n%s",
                strlen(none), none);
        return;
    }
    if (r->answer[0] != '{') {
        (void)!send(http->sock, r->answer, strlen(r->answer), MSG_NOSIGNAL);
        return;
    }
    snprintf(head, sizeof(head),
             "HTTP/1.1 %s\r\nContent-Type: application/json\r\n"
             "Content-Length: %zu\r\n\r\n",
             strstr(r->answer, "\"code\"") != NULL ? "403 Forbidden" : "200 OK",
             strlen(r->answer));
    (void)!send(http->sock, head, strlen(head), MSG_NOSIGNAL);
    (void)!send(http->sock, r->answer, strlen(r->answer), MSG_NOSIGNAL);
}

static void *
fake_http_run(void *arg)
{
    struct fake_http *http = arg;
    char *text = malloc(FAKE_TEXT_BYTES); /* two lines may overlap */

    while (text != NULL &&
           fake_read_request(http->sock, text, FAKE_TEXT_BYTES)) {
        char *body = strstr(text, "\r\n\r\n") + 4;

        fake_log(http->dir, "%.*s %s\n", (int)strcspn(text, "\r"), text, body);
        fake_answer(http, text);
    }
    free(text);
    close(http->sock);
    free(http);
    return NULL;
}

static int
fake_listen(const char *dir, const char *name, int type)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

    snprintf(at.sun_path, sizeof(at.sun_path), "%s/%s", dir, name);
    unlink(at.sun_path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0 ||
        listen(fd, 16) != 0) {
        perror("fake broker");
        abort();
    }
    return fd;
}

static void
fake_accept(const char *dir, const struct fake_route *routes, int http_fd,
            int line_fd)
{
    struct pollfd fds[] = {{http_fd, POLLIN, 0}, {line_fd, POLLIN, 0}};
    pthread_t thread;

    if (poll(fds, 2, -1) <= 0) {
        return;
    }
    if (fds[0].revents != 0) {
        struct fake_http *http = calloc(1, sizeof(*http));

        *http = (struct fake_http){accept4(http_fd, NULL, NULL, SOCK_CLOEXEC),
                                   dir, routes};
        pthread_create(&thread, NULL, fake_http_run, http);
        pthread_detach(thread);
    }
    if (fds[1].revents != 0) {
        struct fake_line *line = calloc(1, sizeof(*line));

        line->sock = accept4(line_fd, NULL, NULL, SOCK_CLOEXEC);
        line->dir = dir;
        pthread_mutex_init(&line->lock, NULL);
        pthread_create(&thread, NULL, fake_line_run, line);
        pthread_detach(thread);
    }
}

/* Listens in `f->dir` before it returns. */
static inline void
fake_start(struct fake *f, const struct fake_route *routes)
{
    int http_fd = fake_listen(f->dir, "admin.sock", SOCK_STREAM);
    int line_fd = fake_listen(f->dir, "fd.sock", SOCK_SEQPACKET);

    f->pid = fork();
    if (f->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)signal(SIGPIPE, SIG_IGN);
        for (;;) {
            fake_accept(f->dir, routes, http_fd, line_fd);
        }
    }
    close(http_fd);
    close(line_fd);
}

static inline void
fake_stop(struct fake *f)
{
    (void)kill(f->pid, SIGKILL);
    (void)waitpid(f->pid, NULL, 0);
}

/* A new directory of this user's, and the variables that point to it. */
static inline void
fake_dir(struct fake *f)
{
    snprintf(f->dir, sizeof(f->dir), "/tmp/ag-cli-XXXXXX");
    if (mkdtemp(f->dir) == NULL) {
        abort();
    }
    setenv("HOME", f->dir, 1);
    setenv("AUTH_GUARD_HOME", f->dir, 1);
    unsetenv("AUTH_GUARD_TOKEN");
    unsetenv("XDG_RUNTIME_DIR");
}

static inline void
fake_socket_variable(const struct fake *f)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/admin.sock", f->dir);
    setenv("AUTH_GUARD_SOCKET", path, 1);
}

static inline void
fake_remove(const struct fake *f)
{
    char command[160];

    snprintf(command, sizeof(command), "rm -rf '%s'", f->dir);
    (void)!system(command); // NOLINT(cert-env33-c): a test, its own directory
}

/* Text of DIR/name, or "" ; static. */
static inline const char *
fake_file(const struct fake *f, const char *name)
{
    static char text[65536];
    char path[160];
    ssize_t n;
    int fd;

    snprintf(path, sizeof(path), "%s/%s", f->dir, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
    text[n > 0 ? n : 0] = '\0';
    if (fd >= 0) {
        close(fd);
    }
    return text;
}

/* Tests of namespaces and modes mean an ordinary user. */
static inline void
fake_drop_root(void)
{
    if (geteuid() == 0) {
        if (setgroups(0, NULL) != 0 || setgid(65534) != 0 ||
            setuid(65534) != 0) {
            abort();
        }
        (void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    }
}

#endif
