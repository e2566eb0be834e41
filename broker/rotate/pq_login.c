/* Where a session goes and as whom: a rule's parameters, and passwords (pq.h). */
#include <string.h>

#include <arpa/inet.h>
#include <sodium.h>

#include "base/secret.h"
#include "rotate/pq.h"
#include "rotate/pq_lib.h"

enum {
    PASSWORD_BYTES = 32, /* of 62 letters: 190 bits */
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
