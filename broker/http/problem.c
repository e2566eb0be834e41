#include "http/problem.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "base/buf.h"
#include "wire/emit.h"

static pthread_once_t run_once = PTHREAD_ONCE_INIT;
static uint32_t run_number;
static atomic_uint_fast64_t request_count;

static void
choose_run(void)
{
    run_number = randombytes_random();
}

static char *
put_hex(char *out, uint64_t value, unsigned int digits)
{
    static const char HEX[] = "0123456789abcdef";

    for (unsigned int i = 0; i < digits; i++) {
        out[i] = HEX[value >> (4 * (digits - 1 - i)) & 15];
    }
    return out + digits;
}

void
request_id_next(char out[REQUEST_ID_BYTES])
{
    uint64_t count = atomic_fetch_add(&request_count, 1) + 1;
    char *end = out + 4;

    (void)pthread_once(&run_once, choose_run);
    memcpy(out, "req_", 4);
    end = put_hex(end, run_number, 8);
    end = put_hex(end, count, 16);
    *end = '\0';
}

enum ag_err
problem_body(struct buf *out, enum ag_err err, const char *detail,
             const char *request_id)
{
    char type[64]; /* the prefix and a code of ours */
    struct emit e;

    (void)snprintf(type, sizeof(type), "urn:auth-guard:problem:%s",
                   err_code(err));
    emit_start(&e, out);
    emit_open(&e, NULL, '{');
    emit_str(&e, "type", type);
    emit_str(&e, "title", err_title(err));
    emit_int(&e, "status", err_http(err));
    emit_str(&e, "code", err_code(err));
    emit_str(&e, "detail", detail);
    emit_str(&e, "request_id", request_id);
    emit_close(&e, '}');
    return emit_end(&e);
}

/* The few statuses that are answered before there is a request; others have a
 * name too, but the number is what counts. */
static const char *
status_words(int status)
{
    switch (status) {
    case 403:
        return "Forbidden";
    case 408:
        return "Request Timeout";
    case 405:
        return "Method Not Allowed";
    case 411:
        return "Length Required";
    case 413:
        return "Content Too Large";
    case 431:
        return "Request Header Fields Too Large";
    case 503:
        return "Service Unavailable";
    case 504:
        return "Gateway Timeout";
    default:
        return status < 500 ? "Bad Request" : "Internal Server Error";
    }
}

enum ag_err
problem_answer(struct buf *out, enum ag_err err, const char *detail)
{
    AG_AUTO(buf) struct buf body;
    char id[REQUEST_ID_BYTES];
    int status = err_http(err);
    enum ag_err result;

    buf_init(&body, PROBLEM_MAX_BYTES, BUF_PLAIN);
    request_id_next(id);
    result = problem_body(&body, err, detail, id);
    if (result != AG_OK) {
        return result;
    }
    result = buf_fmt(out,
                     "HTTP/1.1 %d %s\r\n"
                     "Content-Type: application/problem+json\r\n"
                     "Cache-Control: no-store\r\n"
                     "X-Request-Id: %s\r\n%s"
                     "Connection: close\r\n"
                     "Content-Length: %zu\r\n\r\n",
                     status, status_words(status), id,
                     err == AG_EMETHOD ? "Allow: GET\r\n" : "", body.len);
    return result == AG_OK ? buf_add(out, buf_view(&body)) : result;
}
