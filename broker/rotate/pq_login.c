/* Where a session goes and as whom: a rule's parameters, and passwords (pq.h). */
#include <sys/socket.h>

#include <poll.h>
#include <string.h>

#include <arpa/inet.h>
#include <sodium.h>

#include "base/clock.h"
#include "base/secret.h"
#include "rotate/pq.h"
#include "rotate/pq_lib.h"

enum {
    PASSWORD_BYTES = 32, /* of 62 letters: 190 bits */
    SEEN_BYTES = 4096,   /* what a login may say in one go */
    HEAD_BYTES = 5,      /* of a message: its kind and the length of the rest */
    LOOK_MS = 2,
};

#define ROOTS "/etc/ssl/certs/ca-certificates.crt"

/* ---- parameters ---- */

/* A name may begin as an address does: 127.example.com is anybody's. */
static bool
is_this_machine(const char *host)
{
    struct in_addr address;

    return strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 ||
           (strncmp(host, "127.", 4) == 0 &&
            inet_pton(AF_INET, host, &address) == 1);
}

static bool
is_line(const char *text, size_t cap)
{
    size_t len = text != NULL ? strlen(text) : 0;

    for (size_t i = 0; i < len; i++) {
        if ((uint8_t)text[i] < 0x20 || text[i] == 0x7f) {
            return false;
        }
    }
    return len > 0 && len < cap;
}

bool
pq_is_name(const json_t *value)
{
    return is_line(json_string_value(value), PQ_NAME_BYTES);
}

static enum ag_err
check_tls(const json_t *params, const char *host)
{
    const json_t *mode = json_object_get(params, "sslmode");
    const json_t *roots = json_object_get(params, "sslrootcert");
    const char *word = json_string_value(mode);

    if (roots != NULL && (!is_line(json_string_value(roots), 4096) ||
                          json_string_value(roots)[0] != '/')) {
        return err_why(AG_EINVAL, "sslrootcert: an absolute path");
    }
    if (mode == NULL || (word != NULL && strcmp(word, "verify-full") == 0)) {
        return AG_OK;
    }
    return word != NULL && strcmp(word, "disable") == 0 && is_this_machine(host)
               ? AG_OK
               : err_why(AG_EINVAL, "sslmode: verify-full; or disable, when "
                                    "the host is this machine");
}

enum ag_err
pq_check(const json_t *params)
{
    const struct pq_lib *lib = NULL;
    const char *host = json_string_value(json_object_get(params, "host"));
    const json_t *port = json_object_get(params, "port");
    enum ag_err err = pq_lib_open(&lib);

    if (err != AG_OK) {
        return err;
    }
    if (!is_line(host, PQ_HOST_BYTES) || host[0] == '/' || host[0] == '@' ||
        strchr(host, ',') != NULL) {
        return err_why(AG_EINVAL, "host: one name or address; sockets in the "
                                  "file system are not for the broker");
    }
    if (port != NULL &&
        (!json_is_integer(port) || json_integer_value(port) < 1 ||
         json_integer_value(port) > 65535)) {
        return err_why(AG_EINVAL, "port: 1 to 65535");
    }
    if (!pq_is_name(json_object_get(params, "dbname")) ||
        !pq_is_name(json_object_get(params, "user"))) {
        return err_why(AG_EINVAL, "dbname and user: names of %d bytes at most",
                       PQ_NAME_BYTES - 1);
    }
    return check_tls(params, host);
}

void
pq_login_of(const json_t *params, const struct secret *password,
            struct pq_login *ret)
{
    const json_t *port = json_object_get(params, "port");
    const char *mode = json_string_value(json_object_get(params, "sslmode"));
    const char *roots =
        json_string_value(json_object_get(params, "sslrootcert"));

    ret->host = json_string_value(json_object_get(params, "host"));
    ret->port = port != NULL ? (int)json_integer_value(port) : 5432;
    ret->dbname = json_string_value(json_object_get(params, "dbname"));
    ret->user = json_string_value(json_object_get(params, "user"));
    ret->sslmode = mode != NULL                 ? mode
                   : is_this_machine(ret->host) ? "disable"
                                                : "verify-full";
    ret->sslrootcert = roots != NULL ? roots : ROOTS;
    ret->password = password;
}

bool
pq_is_password(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < 0x20 || text.ptr[i] == 0x7f) {
            return false;
        }
    }
    return text.len >= 1 && text.len <= PQ_PASSWORD_MAX_BYTES;
}

enum ag_err
pq_password(struct secret **ret)
{
    static const char LETTERS[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    enum ag_err err = secret_new(PASSWORD_BYTES, ret);

    for (size_t i = 0; err == AG_OK && i < PASSWORD_BYTES; i++) {
        secret_bytes(*ret)[i] =
            (uint8_t)LETTERS[randombytes_uniform(sizeof(LETTERS) - 1)];
    }
    return err;
}

/* ---- who asks for it ---- */

enum sight {
    SIGHT_GOOD,
    SIGHT_OVER, /* the login is: it is in, or was refused */
    SIGHT_PART, /* the rest is on its way */
    SIGHT_BAD,
};

static uint32_t
number_at(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 |
           (uint32_t)at[2] << 8 | at[3];
}

/* One message, of what has come. Source: PostgreSQL's manual, message formats:
 * Authentication… is 'R' with a number. */
static enum sight
see_one(const uint8_t *at, size_t left, size_t *ret_len)
{
    size_t len = left >= HEAD_BYTES ? number_at(at + 1) : 0;

    if (left < HEAD_BYTES) {
        return SIGHT_PART;
    }
    if (at[0] == 'E') {
        return SIGHT_OVER;
    }
    if ((at[0] != 'R' && at[0] != 'N' && at[0] != 'v') || len < 4 ||
        len > SEEN_BYTES || (at[0] == 'R' && len < 8)) {
        return SIGHT_BAD;
    }
    *ret_len = 1 + len;
    if (left < 1 + len) {
        return SIGHT_PART;
    }
    if (at[0] != 'R') {
        return SIGHT_GOOD;
    }
    switch (number_at(at + HEAD_BYTES)) {
    case 0:
        return SIGHT_OVER;
    case 5: /* MD5 */
    case 10:
    case 11:
    case 12: /* SASL, its steps and its end */
        return SIGHT_GOOD;
    default:
        return SIGHT_BAD;
    }
}

static enum sight
see(int fd)
{
    uint8_t seen[SEEN_BYTES];
    ssize_t got = recv(fd, seen, sizeof(seen), MSG_PEEK | MSG_DONTWAIT);
    size_t all = got > 0 ? (size_t)got : 0;
    size_t at = 0;
    enum sight sight = SIGHT_GOOD; /* also of an end, which libpq finds */

    while (sight == SIGHT_GOOD && at < all) {
        size_t len = 0;

        sight = see_one(seen + at, all - at, &len);
        at += len;
    }
    return sight == SIGHT_PART && all == sizeof(seen) ? SIGHT_BAD : sight;
}

bool
pq_may_read(int fd, int64_t until_ms, bool *over)
{
    enum sight sight = see(fd);

    while (sight == SIGHT_PART && clock_steady_ms() < until_ms) {
        (void)poll(NULL, 0, LOOK_MS);
        sight = see(fd);
    }
    *over = sight == SIGHT_OVER;
    return sight == SIGHT_GOOD || sight == SIGHT_OVER;
}
