#include "rotate/service.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <sodium.h>

#include "base/parse.h"
#include "base/secret.h"

enum {
    PORT_PLAIN = 80,
    PORT_TLS = 443,
    TARGET_BYTES = 1024,
    /* Beside the tasks, which count from 1, and what refreshes logins, which
     * counts down from the top. */
    OWNER_BASE = 0x40000000,
    OWNER_MASK = 0x3fffffff,
};

/* ---- where ---- */

static bool
is_path(struct span path)
{
    for (size_t i = 0; i < path.len; i++) {
        uint8_t c = path.ptr[i];
        bool good = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                    (c >= 'a' && c <= 'z') || (c != 0 && strchr("/._-", c));

        if (!good || (c == '/' && i + 1 < path.len && path.ptr[i + 1] == '/')) {
            return false;
        }
    }
    return path.len < SERVICE_PATH_BYTES;
}

static enum ag_err
bad_url(void)
{
    return err_why(AG_EINVAL,
                   "an endpoint is https://host[:port][/path]; http:// is for "
                   "an address of this machine alone, like 127.0.0.1");
}

enum ag_err
service_base_read(const char *url, bool named, struct service_base *ret)
{
    struct span text = span_str(url);
    struct service_base base = {.inner = named};
    struct guard_host host = {0};
    struct span rest = {0};
    struct span path = {0};
    uint16_t usual = PORT_TLS;

    if (span_starts(text, span_str("http://"))) {
        base.plain = true;
        usual = PORT_PLAIN;
    } else if (!span_starts(text, span_str("https://"))) {
        return bad_url();
    }
    rest = span_sub(text, base.plain ? 7 : 8, text.len);
    path = span_sub(rest, span_find(rest, '/'), rest.len);
    rest = span_sub(rest, 0, span_find(rest, '/'));
    if (text.len > SERVICE_URL_MAX_BYTES || !is_path(path) ||
        guard_read_authority(rest, &host, &base.port) != AG_OK ||
        (base.plain && !(host.is_address && host.rule == GUARD_LOOPBACK))) {
        return bad_url();
    }
    if (path.len > 0 && path.ptr[path.len - 1] == '/') {
        path.len--;
    }
    base.port = base.port == 0 ? usual : base.port;
    (void)snprintf(base.host, sizeof(base.host), "%s", host.text);
    (void)snprintf(base.path, sizeof(base.path), "%.*s", (int)path.len,
                   path.len > 0 ? (const char *)path.ptr : "");
    guard_write_authority(&host, base.port, usual, base.authority);
    *ret = base;
    return AG_OK;
}

static uint8_t owner_key[crypto_generichash_KEYBYTES];

static void
make_owner_key(void)
{
    crypto_generichash_keygen(owner_key);
}

uint32_t
service_owner(const struct secret *credential)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    uint8_t hash[crypto_generichash_BYTES_MIN];
    struct span view = secret_view(credential);
    uint32_t owner = 0;

    (void)pthread_once(&once, make_owner_key);
    (void)crypto_generichash(hash, sizeof(hash), view.ptr, view.len, owner_key,
                             sizeof(owner_key));
    memcpy(&owner, hash, sizeof(owner));
    return OWNER_BASE + (owner & OWNER_MASK);
}

/* ---- the call ---- */

struct waiting {
    const struct service_request *request;
    struct service_answer *answer;
    size_t sent;
    size_t got;
    bool too_long;
    /* under the lock */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool ended;
    enum ag_err err;
};

static enum upstream_flow
on_send(void *ctx, uint8_t *into, size_t room, size_t *ret_len)
{
    struct waiting *w = ctx;
    struct span left = span_sub(w->request->body, w->sent, room);

    if (left.len > 0) {
        memcpy(into, left.ptr, left.len);
    }
    w->sent += left.len;
    *ret_len = left.len;
    return UPSTREAM_GO;
}

/* An IMF-fixdate of RFC 9110 section 5.6.7; 0 if it is none. */
static int64_t
read_date(struct span text)
{
    static const char MONTHS[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    char copy[32] = "";
    char day[4];
    char month[4];
    char year[5];
    char time[9];
    char iso[32];
    const char *at = NULL;
    int64_t ms = 0;

    (void)snprintf(copy, sizeof(copy), "%.*s", (int)text.len,
                   (const char *)text.ptr);
    if (text.len != 29 || sscanf(copy, "%*3s, %2s %3s %4s %8s GMT", day, month,
                                 year, time) != 4) {
        return 0;
    }
    at = strstr(MONTHS, month);
    if (at == NULL || (at - MONTHS) % 3 != 0) {
        return 0;
    }
    (void)snprintf(iso, sizeof(iso), "%s-%02d-%sT%sZ", year,
                   (int)((at - MONTHS) / 3) + 1, day, time);
    return parse_time_ms(span_str(iso), &ms) == AG_OK ? ms : 0;
}

static bool
is_named(const struct upstream_field *field, const char *name)
{
    return field->name.len == strlen(name) &&
           strncasecmp((const char *)field->name.ptr, name, field->name.len) ==
               0;
}

static void
on_head(void *ctx, const struct upstream_head *head)
{
    struct waiting *w = ctx;

    w->answer->status = head->status;
    for (size_t i = 0; i < head->field_count; i++) {
        const struct upstream_field *f = &head->fields[i];

        if (is_named(f, "date")) {
            w->answer->date_ms = read_date(f->value);
        } else if (is_named(f, "retry-after") ||
                   (is_named(f, "x-ratelimit-remaining") &&
                    span_is(f->value, "0"))) {
            w->answer->is_limited = true;
        }
    }
}

static enum upstream_flow
on_body(void *ctx, struct span part)
{
    struct waiting *w = ctx;

    if (part.len > SERVICE_ANSWER_MAX_BYTES - w->got) {
        w->too_long = true; /* the rest is read for nothing */
        return UPSTREAM_GO;
    }
    if (part.len > 0) {
        memcpy(secret_bytes(w->answer->body) + w->got, part.ptr, part.len);
    }
    w->got += part.len;
    return UPSTREAM_GO;
}

static void
on_end(void *ctx, enum ag_err err)
{
    struct waiting *w = ctx;

    (void)pthread_mutex_lock(&w->lock);
    w->ended = true;
    w->err = err;
    (void)pthread_cond_signal(&w->changed);
    (void)pthread_mutex_unlock(&w->lock);
}

static const struct upstream_events EVENTS = {
    .on_send = on_send,
    .on_head = on_head,
    .on_body = on_body,
    .on_end = on_end,
};

static enum ag_err
start(struct upstream *upstream, struct waiting *w, struct upstream_call **ret)
{
    static const struct upstream_times TIMES = {
        .connect_ms = SERVICE_LIMIT_MS,
        .first_byte_ms = SERVICE_LIMIT_MS,
        .idle_ms = SERVICE_LIMIT_MS,
        .whole_ms = SERVICE_LIMIT_MS,
    };
    const struct service_request *q = w->request;
    const struct service_base *base = q->base;
    char target[TARGET_BYTES];
    struct upstream_request request = {
        .method = span_str(q->method),
        .host = span_str(base->host),
        .port = base->port,
        .fields = q->fields,
        .field_count = q->field_count,
        .body_bytes =
            q->body.len > 0 ? (int64_t)q->body.len : UPSTREAM_BODY_NONE,
        .owner = q->owner,
        .flags = UPSTREAM_APART | (base->plain ? UPSTREAM_PLAIN : 0U) |
                 (base->inner ? UPSTREAM_INNER : 0U),
        .times = &TIMES,
    };
    int len = snprintf(target, sizeof(target), "%s%s", base->path, q->target);

    if (len < 0 || (size_t)len >= sizeof(target)) {
        return AG_EINVAL;
    }
    request.target = span_of(target, (size_t)len);
    return upstream_start(upstream, &request, &EVENTS, w, ret);
}

/* Errors that are ours come back; the others are an end. */
static enum ag_err
settle(struct waiting *w, enum ag_err err)
{
    struct service_answer *a = w->answer;

    if (err == AG_ENOMEM || err == AG_EMEMLOCK || err == AG_EINVAL) {
        return err;
    }
    a->why = err == AG_OK && w->too_long ? AG_ELIMIT : err;
    a->end = SERVICE_LOST;
    if (a->why == AG_OK) {
        a->end = SERVICE_ANSWERED;
        secret_shrink(a->body, w->got);
    } else if (a->status == 0 && (err == AG_EUNREACHABLE || err == AG_EUPTLS ||
                                  err == AG_EADDRESS || err == AG_EBUSY)) {
        a->end = SERVICE_NOT_SENT;
    }
    return AG_OK;
}

enum ag_err
service_call(struct upstream *upstream, const struct service_request *request,
             struct service_answer *ret)
{
    struct waiting w = {.request = request,
                        .answer = ret,
                        .lock = PTHREAD_MUTEX_INITIALIZER,
                        .changed = PTHREAD_COND_INITIALIZER};
    struct upstream_call *call = NULL;
    enum ag_err err = secret_new(SERVICE_ANSWER_MAX_BYTES, &ret->body);

    if (err != AG_OK) {
        return err;
    }
    err = start(upstream, &w, &call);
    if (err == AG_OK) {
        (void)pthread_mutex_lock(&w.lock);
        while (!w.ended) {
            (void)pthread_cond_wait(&w.changed, &w.lock);
        }
        err = w.err;
        (void)pthread_mutex_unlock(&w.lock);
        upstream_cancel(call);
    }
    err = settle(&w, err);
    (void)pthread_cond_destroy(&w.changed);
    (void)pthread_mutex_destroy(&w.lock);
    return err;
}

void
service_answer_done(struct service_answer *answer)
{
    secret_free(AG_TAKE(answer->body));
}

enum rotator_outcome
service_outcome(const struct service_answer *answer,
                char code[ROTATOR_CODE_BYTES])
{
    int status = answer->status;

    if (answer->end != SERVICE_ANSWERED) {
        (void)snprintf(code, ROTATOR_CODE_BYTES, "%s", err_code(answer->why));
        if (answer->end == SERVICE_LOST) {
            return ROTATOR_UNSURE;
        }
        return answer->why == AG_EADDRESS ? ROTATOR_REFUSED : ROTATOR_LATER;
    }
    if (status == 200 || status == 201 || status == 204) {
        code[0] = '\0';
        return ROTATOR_DONE;
    }
    (void)snprintf(code, ROTATOR_CODE_BYTES, "http_%d", status);
    if (status == 429 || status == 503 ||
        (status == 403 && answer->is_limited)) {
        return ROTATOR_LATER;
    }
    return status >= 400 && status < 500 ? ROTATOR_REFUSED : ROTATOR_UNSURE;
}
