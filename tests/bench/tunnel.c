/*
 * tunnel - an HTTPS client that goes through a proxy by CONNECT: a thread for
 * each connection, one request after the other.
 *
 *   tunnel -t PROXYPORT -o HOST:PORT -a ROOTS [-c CONNECTIONS] [-n REQUESTS]
 *          [-p PATH] [-H HEADER]… [-x]
 *
 * With -x each request has a connection, a tunnel and a handshake of its own,
 * and its time is that of all. Prints one line of KEY=VALUE: rps, p50_us,
 * p99_us, requests.
 */
// LINKS: PkgConfig::GNUTLS
#include <getopt.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include <gnutls/gnutls.h>

#include "dial.h"

enum {
    CONNECTIONS_MAX_COUNT = 64,
    TEXT_MAX_BYTES = 4096, /* a request; the proxy's answer; a head */
    PART_BYTES = 64 * 1024,
};

static struct {
    uint16_t proxy_port;
    const char *origin; /* HOST:PORT */
    char host[256];
    const char *path;
    const char *roots;
    char headers[TEXT_MAX_BYTES / 2];
    size_t connection_count;
    size_t request_count; /* of each connection */
    bool is_reconnecting;
    char request[TEXT_MAX_BYTES];
    gnutls_certificate_credentials_t trust;
} set = {.connection_count = 1, .request_count = 1000, .path = "/"};

struct client {
    pthread_t thread;
    uint64_t *latency_ns; /* set.request_count of them */
    int fd;
    gnutls_session_t tls;
    char part[PART_BYTES];
};

static _Noreturn void
fail(const char *what, const char *why)
{
    (void)fprintf(stderr, "tunnel: %s: %s\n", what, why);
    exit(EXIT_FAULT); // NOLINT(concurrency-mt-unsafe)
}

static void
check_tls(const char *what, ssize_t code)
{
    if (code < 0) {
        fail(what, gnutls_strerror((int)code));
    }
}

/* Asks the proxy and reads its whole answer; nothing follows it unasked. */
static void
open_tunnel(struct client *c)
{
    size_t got = 0;
    int len = snprintf(c->part, TEXT_MAX_BYTES,
                       "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", set.origin,
                       set.origin);

    c->fd = connect_tcp(set.proxy_port);
    if (len < 0 || len >= TEXT_MAX_BYTES ||
        write(c->fd, c->part, (size_t)len) != len) {
        die("CONNECT");
    }
    do {
        ssize_t n = read(c->fd, c->part + got, TEXT_MAX_BYTES - got - 1);

        if (n <= 0) {
            fail("CONNECT", "no answer");
        }
        got += (size_t)n;
        c->part[got] = '\0';
    } while (strstr(c->part, "\r\n\r\n") == NULL && got < TEXT_MAX_BYTES - 1);
    if (strncmp(c->part + strlen("HTTP/1.1 "), "200", 3) != 0) {
        fail("CONNECT", c->part);
    }
}

static void
open_connection(struct client *c)
{
    open_tunnel(c);
    check_tls("init", gnutls_init(&c->tls, GNUTLS_CLIENT | GNUTLS_NO_SIGNAL));
    check_tls("priority", gnutls_set_default_priority(c->tls));
    check_tls("trust", gnutls_credentials_set(c->tls, GNUTLS_CRD_CERTIFICATE,
                                              set.trust));
    check_tls("name", gnutls_server_name_set(c->tls, GNUTLS_NAME_DNS, set.host,
                                             strlen(set.host)));
    gnutls_session_set_verify_cert(c->tls, set.host, 0);
    gnutls_transport_set_int(c->tls, c->fd);
    check_tls("handshake", gnutls_handshake(c->tls));
}

static void
close_connection(struct client *c)
{
    (void)gnutls_bye(c->tls, GNUTLS_SHUT_WR);
    gnutls_deinit(c->tls);
    (void)close(c->fd);
}

static size_t
read_part(struct client *c, size_t off)
{
    ssize_t n = 0;

    do {
        n = gnutls_record_recv(c->tls, c->part + off, PART_BYTES - off - 1);
    } while (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED);
    check_tls("answer", n);
    if (n == 0) {
        fail("answer", "closed");
    }
    return (size_t)n;
}

/* An answer ends by its length or, as chunks, by the last of them. */
static bool
is_whole(const char *head, size_t head_len, uint64_t got, const char *last5)
{
    static const char LENGTH[] = "\r\ncontent-length:";
    const char *at = strcasestr(head, LENGTH);

    if (at != NULL) {
        return got >= head_len + strtoull(at + sizeof(LENGTH) - 1, NULL, 10);
    }
    return memcmp(last5, "0\r\n\r\n", 5) == 0;
}

static void
ask(struct client *c)
{
    char head[TEXT_MAX_BYTES] = "";
    char last[5] = "";
    size_t head_len = 0;
    size_t off = 0; /* into `part`, until the head is whole */
    uint64_t got = 0;

    check_tls("request",
              gnutls_record_send(c->tls, set.request, strlen(set.request)));
    do {
        size_t n = read_part(c, off);
        size_t have = off + n;
        const char *end = NULL;

        c->part[have] = '\0';
        got += n;
        off = head_len == 0 ? have : 0;
        end = head_len == 0 ? strstr(c->part, "\r\n\r\n") : NULL;
        if (end != NULL) {
            head_len = (size_t)(end - c->part) + 4;
            (void)snprintf(head, sizeof(head), "%.*s", (int)head_len, c->part);
            off = 0;
        }
        /* A last chunk cut in two is told from the bytes kept of before. */
        if (have >= sizeof(last)) {
            memcpy(last, c->part + have - sizeof(last), sizeof(last));
        } else {
            memmove(last, last + have, sizeof(last) - have);
            memcpy(last + sizeof(last) - have, c->part, have);
        }
    } while (head_len == 0 || !is_whole(head, head_len, got, last));
    if (strncmp(head + strlen("HTTP/1.1 "), "200", 3) != 0) {
        fail("answer", c->part);
    }
}

static void *
run_client(void *arg)
{
    struct client *c = arg;

    if (!set.is_reconnecting) {
        open_connection(c);
    }
    for (size_t i = 0; i < set.request_count; i++) {
        uint64_t begun = now_ns();

        if (set.is_reconnecting) {
            open_connection(c);
        }
        ask(c);
        c->latency_ns[i] = now_ns() - begun;
        if (set.is_reconnecting) {
            close_connection(c);
        }
    }
    return NULL;
}

static void
report(uint64_t *latency_ns, size_t count, uint64_t took_ns)
{
    size_t middle = count / 2;
    size_t late = count - 1 - count / 100;

    qsort(latency_ns, count, sizeof(*latency_ns), compare_u64);
    (void)printf("rps=%.2f p50_us=%.1f p99_us=%.1f requests=%zu\n",
                 (double)count * 1e9 / (double)took_ns,
                 (double)latency_ns[middle] / 1e3,
                 (double)latency_ns[late] / 1e3, count);
}

static void
run(void)
{
    static struct client clients[CONNECTIONS_MAX_COUNT];
    size_t count = set.connection_count * set.request_count;
    uint64_t *latency_ns = calloc(count, sizeof(*latency_ns));
    uint64_t begun = now_ns();

    if (latency_ns == NULL) {
        die("start");
    }
    for (size_t i = 0; i < set.connection_count; i++) {
        clients[i].latency_ns = latency_ns + i * set.request_count;
        if (pthread_create(&clients[i].thread, NULL, run_client, &clients[i]) !=
            0) {
            die("thread");
        }
    }
    for (size_t i = 0; i < set.connection_count; i++) {
        (void)pthread_join(clients[i].thread, NULL);
    }
    report(latency_ns, count, now_ns() - begun);
    free(latency_ns);
}

static void
take_option(int option, const char *value)
{
    size_t used = strlen(set.headers);

    switch (option) {
    case 't':
        set.proxy_port = (uint16_t)strtoul(value, NULL, 10);
        break;
    case 'o':
        set.origin = value;
        (void)snprintf(set.host, sizeof(set.host), "%.*s",
                       (int)strcspn(value, ":"), value);
        break;
    case 'a':
        set.roots = value;
        break;
    case 'c':
        set.connection_count = strtoul(value, NULL, 10);
        break;
    case 'n':
        set.request_count = strtoul(value, NULL, 10);
        break;
    case 'p':
        set.path = value;
        break;
    case 'H':
        (void)snprintf(set.headers + used, sizeof(set.headers) - used, "%s\r\n",
                       value);
        break;
    case 'x':
        set.is_reconnecting = true;
        break;
    default:
        fail("usage", "tunnel -t PROXYPORT -o HOST:PORT -a ROOTS "
                      "[-cnpH VALUE] [-x]");
    }
}

int
main(int argc, char **argv)
{
    int option = 0;

    // NOLINTNEXTLINE(concurrency-mt-unsafe)
    while ((option = getopt(argc, argv, "t:o:a:c:n:p:H:x")) != -1) {
        take_option(option, optarg);
    }
    if (set.origin == NULL || set.roots == NULL || set.request_count == 0 ||
        set.connection_count == 0 ||
        set.connection_count > CONNECTIONS_MAX_COUNT) {
        take_option('?', NULL);
    }
    (void)snprintf(set.request, sizeof(set.request),
                   "GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", set.path,
                   set.origin, set.headers);
    check_tls("trust", gnutls_certificate_allocate_credentials(&set.trust));
    check_tls("roots", gnutls_certificate_set_x509_trust_file(
                           set.trust, set.roots, GNUTLS_X509_FMT_PEM));
    run();
    gnutls_certificate_free_credentials(set.trust);
    return 0;
}
