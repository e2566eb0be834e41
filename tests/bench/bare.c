// LINKS: upstream PkgConfig::MHD
/*
 * bare - libmicrohttpd and libcurl, one thread, one loop: a request is passed on
 * with a header of ours, its answer passed back, and nothing else done. What a
 * proxy made of the two costs before it decides, records or filters anything.
 *
 *   bare SOCKET PORT VALUE     serves SOCKET; the service is 127.0.0.1:PORT
 *
 * Only bodies of answers, and those whole: more than the benchmark asks for.
 */
#include <sys/epoll.h>

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <curl/curl.h>
#include <microhttpd.h>

#include "base/attr.h"
#include "dial.h"
#include "upstream/lib.h"

enum {
    EVENTS_MAX_COUNT = 64,
    FIELDS_MAX_COUNT = 32,
    BODY_MAX_BYTES = 128 * 1024,
    BODY_FIRST_BYTES = 2048,
    NS_PER_MS = 1000000,
    URL_BYTES = 64,
    FIELD_BYTES = 512,
    BACKLOG_COUNT = 128,
    FDS_MAX_COUNT = 1024,
};

struct call {
    struct MHD_Connection *mhd;
    CURL *easy;
    char *body;
    size_t len;
    size_t room;

    struct {
        char *name;
        char *value;
    } fields[FIELDS_MAX_COUNT];

    size_t field_count;
};

static struct curl_slist lines[] = {{.next = &lines[1]}, {.data = NULL}};

static struct {
    struct MHD_Daemon *mhd;
    CURLM *multi;
    int epoll_fd;
    uint64_t due_ns; /* libcurl's; 0: never */
    bool mhd_is_ready;
    uint32_t watched[FDS_MAX_COUNT]; /* as epoll has it */
    bool is_wanted[FDS_MAX_COUNT];
    char field[FIELD_BYTES];
    const char *port;
} all;

/* ---- from the service ---- */

static bool
is_passed_on(const char *name)
{
    static const char *const NOT[] = {"connection", "content-length", "date",
                                      "transfer-encoding"};

    for (size_t i = 0; i < AG_COUNT(NOT); i++) {
        if (strcasecmp(name, NOT[i]) == 0) {
            return false;
        }
    }
    return true;
}

static size_t
on_line(char *text, size_t size, size_t count, void *arg)
{
    struct call *c = arg;
    size_t len = size * count;
    const char *colon = memchr(text, ':', len);
    char *name = NULL;

    if (colon == NULL || c->field_count == FIELDS_MAX_COUNT) {
        return len;
    }
    name = strndup(text, (size_t)(colon - text));
    if (name != NULL && is_passed_on(name)) {
        c->fields[c->field_count].name = name;
        c->fields[c->field_count].value =
            strndup(colon + 2, len - (size_t)(colon - text) - 4);
        c->field_count++;
    } else {
        free(name);
    }
    return len;
}

static size_t
on_part(char *bytes, size_t size, size_t count, void *arg)
{
    struct call *c = arg;
    size_t len = size * count;
    size_t room = c->room == 0 ? (size_t)BODY_FIRST_BYTES : c->room;
    char *grown = NULL;

    while (room < c->len + len) {
        room *= 2;
    }
    if (room != c->room) {
        grown = room > BODY_MAX_BYTES ? NULL : realloc(c->body, room);
        if (grown == NULL) {
            return 0;
        }
        c->body = grown;
        c->room = room;
    }
    memcpy(c->body + c->len, bytes, len);
    c->len += len;
    return len;
}

static void
take_ends(void)
{
    const CURLMsg *message = NULL;
    int left = 0;

    while ((message = curl_multi_info_read(all.multi, &left)) != NULL) {
        struct call *c = NULL;

        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &c);
        if (message->data.result != CURLE_OK) {
            (void)fputs("bare: a call failed\n", stderr);
            exit(EXIT_FAULT); // NOLINT(concurrency-mt-unsafe): one thread
        }
        (void)curl_multi_remove_handle(all.multi, c->easy);
        curl_easy_cleanup(c->easy);
        c->easy = NULL;
        MHD_resume_connection(c->mhd);
        all.mhd_is_ready = true;
    }
}

/* A connection at rest stays in epoll: told of it there, it is taken out. */
static void
watch(curl_socket_t fd, uint32_t wanted)
{
    struct epoll_event event = {.events = wanted, .data = {.fd = fd}};
    int op = wanted == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;

    if (all.watched[fd] != wanted) {
        (void)epoll_ctl(all.epoll_fd, all.watched[fd] == 0 ? EPOLL_CTL_ADD : op,
                        fd, &event);
        all.watched[fd] = wanted;
    }
}

static int
on_watch(CURL *easy, curl_socket_t fd, int what, void *ctx, void *unused)
{
    uint32_t wanted = 0;

    (void)easy;
    (void)ctx;
    (void)unused;
    if (what != CURL_POLL_REMOVE) {
        wanted |= (what & CURL_POLL_IN) != 0 ? (uint32_t)EPOLLIN : 0U;
        wanted |= (what & CURL_POLL_OUT) != 0 ? (uint32_t)EPOLLOUT : 0U;
        watch(fd, wanted);
    }
    all.is_wanted[fd] = wanted != 0;
    return 0;
}

static int
on_close(void *ctx, curl_socket_t fd)
{
    (void)ctx;
    all.watched[fd] = 0;
    return close(fd);
}

static int
on_timer(CURLM *multi, long timeout_ms, void *ctx)
{
    (void)multi;
    (void)ctx;
    all.due_ns =
        timeout_ms < 0 ? 0 : now_ns() + (uint64_t)timeout_ms * NS_PER_MS;
    return 0;
}

/* ---- from the client ---- */

static bool
pass_on(struct call *c, const char *path)
{
    char url[URL_BYTES];

    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%s%s", all.port, path);
    c->easy = curl_easy_init();
    return c->easy != NULL &&
           curl_easy_setopt(c->easy, CURLOPT_URL, url) == CURLE_OK &&
           curl_easy_setopt(c->easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(c->easy, CURLOPT_NOPROGRESS, 1L) == CURLE_OK &&
           curl_easy_setopt(c->easy, CURLOPT_PROXY, "") == CURLE_OK &&
           curl_easy_setopt(c->easy, CURLOPT_PRIVATE, c) == CURLE_OK &&
           curl_easy_setopt(c->easy, CURLOPT_CLOSESOCKETFUNCTION, on_close) ==
               CURLE_OK &&
           curl_easy_setopt(c->easy, CURLOPT_HEADERFUNCTION, on_line) ==
               CURLE_OK &&
           curl_easy_setopt(c->easy, CURLOPT_HEADERDATA, c) == CURLE_OK &&
           curl_easy_setopt(c->easy, CURLOPT_WRITEFUNCTION, on_part) ==
               CURLE_OK &&
           curl_easy_setopt(c->easy, CURLOPT_WRITEDATA, c) == CURLE_OK &&
           curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, lines) == CURLE_OK &&
           curl_multi_add_handle(all.multi, c->easy) == CURLM_OK;
}

static enum MHD_Result
pass_back(struct call *c)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer_with_free_callback(c->len, c->body,
                                                           free);
    enum MHD_Result result = MHD_NO;

    if (response == NULL) {
        return result;
    }
    c->body = NULL;
    for (size_t i = 0; i < c->field_count; i++) {
        (void)MHD_add_response_header(response, c->fields[i].name,
                                      c->fields[i].value);
    }
    result = MHD_queue_response(c->mhd, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return result;
}

/* The signature is libmicrohttpd's. */
static enum MHD_Result // NOLINTNEXTLINE(readability-function-size)
on_access(void *cls, struct MHD_Connection *connection, const char *url,
          const char *method, const char *version, const char *upload,
          size_t *upload_len, void **state)
{
    struct call *c = *state;

    (void)cls;
    (void)method;
    (void)version;
    (void)upload;
    *upload_len = 0;
    if (c == NULL) { /* version 0.9.75 closes after an answer in this call */
        *state = calloc(1, sizeof(*c));
        return *state == NULL ? MHD_NO : MHD_YES;
    }
    if (c->mhd != NULL) {
        return pass_back(c);
    }
    c->mhd = connection;
    MHD_suspend_connection(connection);
    return pass_on(c, url) ? MHD_YES : MHD_NO;
}

static void
on_completed(void *cls, struct MHD_Connection *connection, void **state,
             enum MHD_RequestTerminationCode how)
{
    struct call *c = *state;

    (void)cls;
    (void)connection;
    (void)how;
    if (c == NULL) {
        return;
    }
    for (size_t i = 0; i < c->field_count; i++) {
        free(c->fields[i].name);
        free(c->fields[i].value);
    }
    free(c->body);
    free(c);
    *state = NULL;
}

/* ---- the loop ---- */

static int
wait_ms(void)
{
    MHD_UNSIGNED_LONG_LONG mhd_ms = 0;
    uint64_t now = now_ns();
    uint64_t ms = INT_MAX;

    if (MHD_get_timeout(all.mhd, &mhd_ms) == MHD_YES) {
        all.mhd_is_ready = all.mhd_is_ready || mhd_ms == 0;
        ms = mhd_ms < ms ? mhd_ms : ms;
    }
    if (all.due_ns != 0) {
        uint64_t left =
            all.due_ns <= now ? 0 : (all.due_ns - now) / NS_PER_MS + 1;

        ms = left < ms ? left : ms;
    }
    return all.mhd_is_ready ? 0 : (int)ms;
}

static void
turn(int mhd_fd)
{
    struct epoll_event events[EVENTS_MAX_COUNT];
    int running = 0;
    int count = epoll_wait(all.epoll_fd, events, EVENTS_MAX_COUNT, wait_ms());

    for (int i = 0; i < count; i++) {
        int mask = 0;

        mask |= (events[i].events & EPOLLIN) != 0 ? CURL_CSELECT_IN : 0;
        mask |= (events[i].events & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0;
        if (events[i].data.fd == mhd_fd) {
            all.mhd_is_ready = true;
        } else if (!all.is_wanted[events[i].data.fd]) {
            watch(events[i].data.fd, 0);
        } else {
            (void)curl_multi_socket_action(all.multi, events[i].data.fd, mask,
                                           &running);
        }
    }
    take_ends();
    if (all.mhd_is_ready) {
        all.mhd_is_ready = false;
        (void)MHD_run(all.mhd);
    }
    if (all.due_ns != 0 && all.due_ns <= now_ns()) {
        all.due_ns = 0;
        (void)curl_multi_socket_action(all.multi, CURL_SOCKET_TIMEOUT, 0,
                                       &running);
        take_ends();
    }
}

static int
listen_unix(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path) < 0 ||
        bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) != 0 ||
        listen(fd, BACKLOG_COUNT) != 0) {
        die(path);
    }
    return fd;
}

static void
set_up(const char *port, const char *value)
{
    static char accept_none[] = "Accept:";

    if (lib_open() != AG_OK ||
        curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, free, realloc, strdup,
                             calloc) != CURLE_OK) {
        die("libcurl");
    }
    all.port = port;
    (void)snprintf(all.field, sizeof(all.field), "Authorization: Bearer %s",
                   value);
    lines[0].data = all.field;
    lines[1].data = accept_none;
    all.multi = curl_multi_init();
    if (all.multi == NULL ||
        curl_multi_setopt(all.multi, CURLMOPT_SOCKETFUNCTION, on_watch) !=
            CURLM_OK ||
        curl_multi_setopt(all.multi, CURLMOPT_TIMERFUNCTION, on_timer) !=
            CURLM_OK) {
        die("libcurl");
    }
}

int
main(int argc, char **argv)
{
    struct epoll_event event = {.events = EPOLLIN};
    const union MHD_DaemonInfo *info = NULL;

    if (argc != 4) {
        (void)fputs("usage: bare SOCKET PORT VALUE\n", stderr);
        return EXIT_FAILURE;
    }
    set_up(argv[2], argv[3]);
    all.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    all.mhd = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL,
        NULL, on_access, NULL, MHD_OPTION_LISTEN_SOCKET, listen_unix(argv[1]),
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_END);
    if (all.mhd == NULL) {
        die("libmicrohttpd");
    }
    info = MHD_get_daemon_info(all.mhd, MHD_DAEMON_INFO_EPOLL_FD);
    event.data.fd = info->epoll_fd;
    if (epoll_ctl(all.epoll_fd, EPOLL_CTL_ADD, info->epoll_fd, &event) != 0) {
        die("epoll");
    }
    (void)puts("ready");
    (void)fflush(stdout);
    for (;;) {
        turn(info->epoll_fd);
    }
}
