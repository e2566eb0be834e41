#include "upstream/easy.h"

#include <sys/socket.h>

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <netinet/in.h>

#include "base/wipealloc.h"
#include "upstream/call.h"
#include "upstream/lane.h"
#include "upstream/lib.h"

enum {
    /* Each way. libcurl has a buffer for each call, which is wiped whole: for
     * an answer of a kilobyte that took a tenth of the call's time. */
    BUFFER_BYTES = 64 * 1024,
    BUFFER_SMALL_BYTES = 16 * 1024,
    URL_BYTES = GUARD_HOST_MAX_BYTES + 32,
    KEEPALIVE_S = 60, /* a dead service is noticed on a quiet stream */
    CONNECT_MAX_MS =
        86400000, /* where the caller says none: libcurl has 300 s */
};

/* ---- once ---- */

/* What libcurl, OpenSSL and the resolver would read. */
static const char *const STEERING[] = {
    "SSLKEYLOGFILE", "OPENSSL_CONF", "OPENSSL_MODULES",  "OPENSSL_ENGINES",
    "HOSTALIASES",   "LOCALDOMAIN",  "RES_OPTIONS",      "CURL_SSL_BACKEND",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "RESOLV_HOST_CONF",
};

static bool
is_fit(void)
{
    const curl_version_info_data *v = curl_version_info(CURLVERSION_NOW);
    const int wanted =
        CURL_VERSION_SSL | CURL_VERSION_HTTP2 | CURL_VERSION_ASYNCHDNS;

    return (v->features & wanted) == wanted && v->ssl_version != NULL &&
           strncmp(v->ssl_version, "OpenSSL/", strlen("OpenSSL/")) == 0;
}

enum ag_err
easy_setup(void)
{
    static bool done;

    enum ag_err err;

    if (done) {
        return AG_OK;
    }
    err = lib_open();
    if (err != AG_OK) {
        return err;
    }
    for (size_t i = 0; i < AG_COUNT(STEERING); i++) {
        // NOLINTNEXTLINE(concurrency-mt-unsafe): before other threads
        (void)unsetenv(STEERING[i]);
    }
    if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, wipe_malloc, wipe_free,
                             wipe_realloc, wipe_strdup,
                             wipe_calloc) != CURLE_OK) {
        return AG_ENOMEM;
    }
    if (!is_fit()) {
        return err_why(AG_EUNSUPPORTED,
                       "libcurl must be the OpenSSL build with "
                       "HTTP/2 and a threaded resolver");
    }
    done = true;
    return AG_OK;
}

/* ---- libcurl's callbacks ---- */

static bool
is_allowed(struct upstream_call *call, enum guard_rule rule, const char *text)
{
    if (guard_allows(rule, call->parts.may)) {
        return true;
    }
    call_stop(call, err_why(AG_EADDRESS, "%s %s, which no grant names", text,
                            guard_says(rule)));
    return false;
}

/* The address that will really be connected to. */
static curl_socket_t
on_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct upstream_call *call = arg;
    char text[GUARD_TEXT_BYTES];
    int fd = -1;

    guard_text(&address->addr, address->addrlen, text);
    if (purpose != CURLSOCKTYPE_IPCXN ||
        !is_allowed(call, guard_judge(&address->addr, address->addrlen),
                    text)) {
        return CURL_SOCKET_BAD;
    }
    fd = lane_open_socket(call->lane, address->family,
                          address->socktype | SOCK_CLOEXEC, address->protocol);
    if (call->upgrade && fd >= 0) {
        call->opened[call->opened_count++ % CALL_OPENED_MAX_COUNT] = fd;
    }
    return fd;
}

_Static_assert(offsetof(struct sockaddr_in, sin_port) ==
                   offsetof(struct sockaddr_in6, sin6_port),
               "one place for the port");

/* Of those that were made for an upgrade the one with this address. */
static void
find_own(struct upstream_call *call, int own_port)
{
    for (size_t i = 0; i < call->opened_count && i < CALL_OPENED_MAX_COUNT;
         i++) {
        struct sockaddr_in6 at = {0}; /* its port is where IPv4's is */
        socklen_t len = sizeof(at);

        if (getsockname(call->opened[i], (struct sockaddr *)&at, &len) == 0 &&
            ntohs(at.sin6_port) == own_port) {
            call->own_fd = call->opened[i];
        }
    }
}

/* Before each request, also on a connection that was made for another: that
 * one may have been allowed more. */
static int // NOLINTNEXTLINE(readability-non-const-parameter): libcurl's type
on_connected(void *arg, char *address, char *own, int port, int own_port)
{
    struct upstream_call *call = arg;
    enum guard_rule rule = GUARD_RESERVED;

    (void)own;
    (void)port;
    if (guard_judge_text(address, &rule) != AG_OK ||
        !is_allowed(call, rule, address)) {
        return CURL_PREREQFUNC_ABORT;
    }
    /* An address that was refused on the way does not matter any more. */
    call->err = AG_OK;
    find_own(call, own_port);
    call->phase = PHASE_ASK;
    call->progress_ms = call->lane->now_ms;
    lane_changed(call->lane, call);
    return CURL_PREREQFUNC_OK;
}

static enum ag_err
tell_head(struct upstream_call *call)
{
    struct upstream_head head;
    enum ag_err err = answer_fields(&call->answer, &head);

    if (err != AG_OK || !call_enter(call)) {
        return err;
    }
    call->phase = PHASE_ANSWER;
    call->events->on_head(call->ctx, &head);
    call_leave(call);
    answer_forget(&call->answer);
    /* libcurl builds no second request after this: the lines can go. */
    (void)curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, NULL);
    request_lines_free(AG_TAKE(call->lines));
    if (call->upgrade) {
        upstream_resume(call); /* on_send may be asked now */
    }
    return AG_OK;
}

static enum ag_err
take_line(struct upstream_call *call, struct span line)
{
    enum answer_state before = call->answer.state;
    enum ag_err err = answer_line(&call->answer, line);

    if (err == AG_OK && before == ANSWER_LINES &&
        call->answer.state == ANSWER_HEAD) {
        err = tell_head(call);
    }
    return err;
}

/* Whole lines: one, or after a pause all trailers that came meanwhile. */
static size_t
on_lines(char *text, size_t size, size_t count, void *arg)
{
    struct upstream_call *call = arg;
    struct span rest = span_of(text, size * count);
    enum ag_err err = AG_OK;

    call->progress_ms = call->lane->now_ms;
    while (err == AG_OK && rest.len > 0 && call_may_go_on(call)) {
        struct span line = span_sub(rest, 0, span_find(rest, '\n') + 1);

        err = take_line(call, line);
        rest = span_sub(rest, line.len, rest.len);
    }
    if (err != AG_OK) {
        call_stop(call, err);
    }
    return err == AG_OK && call_may_go_on(call) ? size * count
                                                : CURL_WRITEFUNC_ERROR;
}

static size_t
on_part(char *bytes, size_t size, size_t count, void *arg)
{
    struct upstream_call *call = arg;
    size_t len = size * count;
    enum upstream_flow flow;

    call->progress_ms = call->lane->now_ms;
    call->got_bytes += (int64_t)len;
    if (!call_enter(call)) {
        return CURL_WRITEFUNC_ERROR;
    }
    flow = call->events->on_body(call->ctx, span_of(bytes, len));
    call_leave(call);
    if (!call_may_go_on(call)) {
        return CURL_WRITEFUNC_ERROR;
    }
    call->recv_paused = flow == UPSTREAM_WAIT;
    return call->recv_paused ? CURL_WRITEFUNC_PAUSE : len;
}

/* How much may be sent now; an upgrade is silent until it is granted, and over
 * when it is refused. */
static size_t
room_to_send(const struct upstream_call *call, size_t room)
{
    int64_t left = call->body_bytes - call->sent_bytes;

    if (call->upgrade) {
        return call->answer.status == 101 ? room : 0;
    }
    return call->body_bytes < 0 || (uint64_t)left > room ? room : (size_t)left;
}

static size_t
on_fill(char *into, size_t size, size_t count, void *arg)
{
    struct upstream_call *call = arg;
    size_t room = room_to_send(call, size * count);
    size_t len = 0;
    enum upstream_flow flow;

    if (call->upgrade && call->phase != PHASE_ANSWER) {
        call->send_paused = true;
        return CURL_READFUNC_PAUSE;
    }
    if (room == 0) {
        return 0;
    }
    if (!call_enter(call)) {
        return CURL_READFUNC_ABORT;
    }
    flow = call->events->on_send(call->ctx, (uint8_t *)into, room, &len);
    call_leave(call);
    if (!call_may_go_on(call)) {
        return CURL_READFUNC_ABORT;
    }
    call->send_paused = flow == UPSTREAM_WAIT;
    if (call->send_paused) {
        return CURL_READFUNC_PAUSE;
    }
    AG_ASSERT(len <= room);
    if (len == 0 && call->body_bytes >= 0) {
        call_stop(call, err_why(AG_EINVAL, "the body ended before its length"));
        return CURL_READFUNC_ABORT;
    }
    call->sent_bytes += (int64_t)len;
    call->progress_ms = call->lane->now_ms;
    return len;
}

/* ---- options ---- */

/* Second belts: HTTP_CONTENT_DECODING acts only where a coding is asked for, and
 * SSLVERSION is what Debian's OpenSSL demands anyway. */
static const struct {
    CURLoption option;
    long value;
} NUMBERS[] = {
    {CURLOPT_NOSIGNAL, 1},
    {CURLOPT_QUICK_EXIT, 1}, /* the lane never waits for a resolver's thread */
    {CURLOPT_NOPROGRESS, 1},
    {CURLOPT_FOLLOWLOCATION, 0},
    {CURLOPT_NETRC, CURL_NETRC_IGNORED},
    {CURLOPT_HTTP09_ALLOWED, 0},
    {CURLOPT_HTTP_CONTENT_DECODING, 0},
    {CURLOPT_SSL_VERIFYPEER, 1},
    {CURLOPT_SSL_VERIFYHOST, 2},
    {CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2},
    /* A cache per handle serves nobody, and 7.88 frees twice in it when memory
     * runs out. */
    {CURLOPT_SSL_SESSIONID_CACHE, 0},
    {CURLOPT_TCP_KEEPALIVE, 1},
    {CURLOPT_TCP_KEEPIDLE, KEEPALIVE_S},
    {CURLOPT_TCP_KEEPINTVL, KEEPALIVE_S},
};

static bool
set_number(CURL *easy, CURLoption option, long value)
{
    return curl_easy_setopt(easy, option, value) == CURLE_OK;
}

static bool
set_text(CURL *easy, CURLoption option, const char *value)
{
    return curl_easy_setopt(easy, option, value) == CURLE_OK;
}

static bool
set_callbacks(CURL *easy, struct upstream_call *call)
{
    return curl_easy_setopt(easy, CURLOPT_PRIVATE, call) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_socket) ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, call) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION,
                            lane_close_socket) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, call->lane) ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connected) ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PREREQDATA, call) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_lines) ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HEADERDATA, call) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_part) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEDATA, call) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_fill) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_READDATA, call) == CURLE_OK;
}

/* A body, and the raw bytes of an upgrade, go out as an upload. */
static bool
set_body(CURL *easy, const struct upstream_call *call)
{
    curl_off_t len = call->body_bytes >= 0 ? call->body_bytes : -1;

    if (call->body_bytes == UPSTREAM_BODY_NONE && !call->upgrade) {
        return set_number(easy, CURLOPT_UPLOAD_BUFFERSIZE,
                          BUFFER_SMALL_BYTES) &&
               (strcmp(call->parts.method, "HEAD") != 0 ||
                set_number(easy, CURLOPT_NOBODY, 1));
    }
    return set_number(easy, CURLOPT_UPLOAD_BUFFERSIZE,
                      call->body_bytes >= 0 &&
                              call->body_bytes <= BUFFER_SMALL_BYTES
                          ? BUFFER_SMALL_BYTES
                          : BUFFER_BYTES) &&
           set_number(easy, CURLOPT_UPLOAD, 1) &&
           curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, len) == CURLE_OK;
}

/* The address is in the URL, the target beside it: byte for byte. */
static bool
set_target(CURL *easy, const struct upstream_call *call,
           const struct upstream_request *request)
{
    const char *scheme =
        (request->flags & UPSTREAM_PLAIN) != 0 ? "http" : "https";
    char url[URL_BYTES];
    char *target = wipe_malloc(request->target.len + 1);
    bool done;

    if (target == NULL) {
        return false;
    }
    memcpy(target, request->target.ptr, request->target.len);
    target[request->target.len] = '\0';
    (void)snprintf(url, sizeof(url), "%s://%s:%u/", scheme,
                   call->parts.host.text, (unsigned)call->parts.port);
    done = set_text(easy, CURLOPT_URL, url) &&
           /* A second belt: no redirect is followed that could change it. */
           set_text(easy, CURLOPT_PROTOCOLS_STR, scheme) &&
           set_text(easy, CURLOPT_REQUEST_TARGET, target) &&
           set_text(easy, CURLOPT_CUSTOMREQUEST, call->parts.method);
    wipe_free(target);
    return done;
}

/* HTTP/2 only as TLS negotiates it. An upgraded connection is nobody's after. */
static bool
set_connection(CURL *easy, const struct upstream_call *call,
               const struct upstream_request *request)
{
    bool one = (request->flags & (UPSTREAM_PLAIN | UPSTREAM_UPGRADE)) != 0;
    int64_t connect_ms = call->times.connect_ms;

    connect_ms = connect_ms <= 0 || connect_ms > CONNECT_MAX_MS ? CONNECT_MAX_MS
                                                                : connect_ms;
    return set_text(easy, CURLOPT_PROXY, "") &&
           set_text(easy, CURLOPT_NOPROXY, "") &&
           set_number(easy, CURLOPT_HTTP_VERSION,
                      one ? CURL_HTTP_VERSION_1_1 : CURL_HTTP_VERSION_2TLS) &&
           set_number(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms) &&
           /* Part of the key of libcurl's pool, whatever the family, and of
            * nothing else but link-local connections, which have no zone. */
           set_number(easy, CURLOPT_ADDRESS_SCOPE, (long)request->owner) &&
           (!call->dial || set_number(easy, CURLOPT_CONNECT_ONLY, 1)) &&
           (!call->upgrade || (set_number(easy, CURLOPT_FRESH_CONNECT, 1) &&
                               set_number(easy, CURLOPT_FORBID_REUSE, 1)));
}

enum ag_err
easy_new(struct upstream_call *call, const struct upstream_request *request)
{
    CURL *easy = curl_easy_init();
    bool done = easy != NULL;

    call->easy = easy; /* freed with the call */
    for (size_t i = 0; done && i < AG_COUNT(NUMBERS); i++) {
        done = set_number(easy, NUMBERS[i].option, NUMBERS[i].value);
    }
    done = done && set_callbacks(easy, call) && set_body(easy, call) &&
           set_target(easy, call, request) &&
           set_connection(easy, call, request) &&
           curl_easy_setopt(easy, CURLOPT_HTTPHEADER,
                            request_lines_list(call->lines)) == CURLE_OK;
    return done ? AG_OK : AG_ENOMEM;
}

enum ag_err
easy_trust(CURL *easy, const char *ca_file)
{
    /* A folder of roots beside the file would keep libcurl from holding the
     * parsed file for the next connection. */
    bool done = set_text(easy, CURLOPT_CAPATH, NULL) &&
                (ca_file == NULL || set_text(easy, CURLOPT_CAINFO, ca_file));

    return done ? AG_OK : AG_ENOMEM;
}

enum ag_err
easy_expect(CURL *easy, bool much)
{
    return set_number(easy, CURLOPT_BUFFERSIZE,
                      much ? BUFFER_BYTES : BUFFER_SMALL_BYTES)
               ? AG_OK
               : AG_ENOMEM;
}
